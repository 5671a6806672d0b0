"""The options of the pytest front end: those of `roomproof URL`, checked by the same code.

Knows no run and no item.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

import pytest

from roomproof_conformance.cli.run_command import known_failures, make_plan
from roomproof_conformance.dialects import DialectError
from roomproof_conformance.hooks import HookError
from roomproof_conformance.known import KnownChecks
from roomproof_conformance.run import Plan

Number = TypeVar("Number", int, float)


def add(parser: pytest.Parser) -> None:
    """Register the options under their names on the kit's own command line."""
    group = parser.getgroup("roomproof", "conformance of a chat server (roomproof)")
    group.addoption("--target", metavar="URL", help="the server to judge: ws://host:port/path or wss://…")
    group.addoption(
        "--dialect", metavar="FILE", default="native", help="how the server speaks: a YAML file, or native (default)"
    )
    group.addoption(
        "--plugin",
        dest="dialect_plugins",
        action="append",
        metavar="NAME",
        help="allow a plug-in of dialects to run its code",
    )
    group.addoption(
        "--hooks",
        metavar="FILE",
        help="commands that start and stop the server, instead of --target; `reference` ships",
    )
    group.addoption(
        "--timers",
        choices=["default", "short"],
        default="default",
        help="with --hooks: ask for one-second heartbeats, or take the server's own (default)",
    )
    group.addoption(
        "--set",
        dest="wanted",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="with --hooks: ask the server for a setting; more than once for several",
    )
    group.addoption(
        "--jobs", type=_number(int, 1, 500), default=40, metavar="N", help="cases at work at the same time (40)"
    )
    group.addoption("--quick", action="store_true", help="leave out what takes more than a moment; says what that is")
    group.addoption(
        "--without-long-waits",
        dest="longest",
        type=_number(float, 0, 1e6),
        nargs="?",
        const=15.0,
        metavar="SECONDS",
        help="leave out what must wait longer than this (15 when no number is given)",
    )
    group.addoption(
        "--timeout-scale",
        dest="scale",
        type=_number(float, 0.1, 100),
        default=1.0,
        metavar="X",
        help="multiply the patience of the kit on a slow machine; bounds of the protocol stay",
    )
    group.addoption(
        "--known-failing", metavar="FILE", help="checks that fail, each with its reason (YAML): xfail, strict"
    )
    group.addoption("--known-flaky", metavar="FILE", help="checks that may pass or fail (YAML)")
    group.addoption(
        "--inconclusive-ok",
        action="store_true",
        help="skip what could not be told because clock or link were too noisy, instead of failing",
    )


def plan_from(config: pytest.Config) -> tuple[Plan, KnownChecks]:
    """What the options describe: the plan, and what is known to fail. Raises UsageError with one clear line."""
    target, hooks = config.getoption("target"), config.getoption("hooks")
    if not target and not hooks:
        raise pytest.UsageError(
            "name a server: --target ws://host:port/path, or --hooks FILE that starts one (`reference` ships)"
        )
    if target and not target.startswith(("ws://", "wss://")):
        raise pytest.UsageError(f"--target {target!r}: expected ws://host:port/path or wss://host:port/path")
    names = ("dialect", "hooks", "timers", "jobs", "quick", "longest", "scale", "known_failing", "known_flaky")
    options = {name: config.getoption(name) for name in names}
    options["urls"] = (target,) if target else ()
    options |= {"wanted": tuple(config.getoption("wanted") or ()), "only": (), "skip": ()}
    options["plugins"] = tuple(config.getoption("dialect_plugins") or ())
    try:
        return make_plan(options), known_failures(options)
    except (DialectError, HookError, ValueError) as error:
        raise pytest.UsageError(str(error)) from None


def _number(kind: type[Number], least: float, most: float) -> Callable[[str], Number]:
    def read(text: str) -> Number:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"expected a number from {least:g} to {most:g}, got {text!r}")
        return value

    return read
