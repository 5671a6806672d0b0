"""What the pages say is held against the tables, the tree and the programs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from roomproof_protocol import CLOSES, ERRORS, check_message, check_request, client_types, requirements, server_types
from roomproof_server.config.options import OPTIONS
from tools import ROOT
from tools.docs.drawings import MACHINES
from tools.docs.ledger import liars
from tools.docs.pages import sections

DOCS = ROOT / "docs"
ROOTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
PAGES = [*ROOTS, *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
BY_NAME = [path.relative_to(ROOT).as_posix() for path in PAGES]


def blocks(path: Path, *languages: str) -> list[str]:
    return [body for language, body in FENCE.findall(path.read_text("utf-8")) if language in languages]


@pytest.mark.parametrize("name", BY_NAME)
def test_links_lead_to_files(name: str) -> None:
    path = ROOT / name
    text = FENCE.sub("", path.read_text("utf-8"))
    for target in re.findall(r"\]\(([^)#\s:]+)(?:#[^)\s]*)?\)", text):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("name", BY_NAME)
def test_ids_are_those_of_the_table(name: str) -> None:
    groups = {row.id.partition("-")[0] for row in requirements()}
    known = {row.id for row in requirements()}
    for group, number in re.findall(r"\b([A-Z]{2,7})-(\d{1,2})\b(?![-\d])", (ROOT / name).read_text("utf-8")):
        assert group not in groups or f"{group}-{number}" in known


def test_examples_of_the_protocol_are_valid() -> None:
    examples = [
        json.loads(body) for page in ("index", "reference") for body in blocks(DOCS / f"protocol/{page}.md", "json")
    ]
    assert len(examples) > 20
    for example in examples:
        assert (check_request if "id" in example else check_message)(example) == [], example


def test_everything_has_its_place() -> None:
    reference = (DOCS / "protocol/reference.md").read_text("utf-8")
    ledger = (DOCS / "protocol/requirements.md").read_text("utf-8")
    configuration = (DOCS / "configuration.md").read_text("utf-8")
    told = (DOCS / "protocol/index.md").read_text("utf-8")
    assert [row.id for row in requirements()] == re.findall(r"^### ([A-Z]+-\d+)$", ledger, re.MULTILINE)
    assert all(row.text in ledger for row in requirements())
    assert all(f"| `{code}` |" in reference for code in ERRORS)
    assert all(f"| {code} |" in reference for code in CLOSES)
    assert all(f"`{liar['name']}`" in ledger for rows in liars().values() for liar in rows)
    assert all(f"`--{option.name.replace('_', '-')}" in configuration for option in OPTIONS.values())
    assert all(f"`{kind}`" in told for kind in [*client_types(), *server_types()])


def test_the_drawn_states_know_every_sentence_and_code() -> None:
    known = {row.id for row in requirements()}
    for states, steps in MACHINES.values():
        for begin, end, _, said, ids in steps:
            assert {begin, end} <= set(states)
            assert set(ids.split()) <= known
            assert {int(code) for code in re.findall(r"\b[14]\d{3}\b", said)} <= set(CLOSES)


def test_tests_and_liars_of_the_threat_model_exist() -> None:
    text = (DOCS / "security.md").read_text("utf-8")
    there = {
        name
        for folder in ("server/tests", "conformance/tests", "protocol/tests")
        for path in (ROOT / folder).rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }
    named = set(re.findall(r"`(test_\w+)`", text))
    assert len(named) > 10
    assert named <= there
    every = {liar["name"] for rows in liars().values() for liar in rows}
    assert set(re.findall(r"`([a-z]+-\d+-[a-z0-9-]+)`", text)) <= every


def test_every_page_is_in_the_list() -> None:
    listed = {page for _, pages in sections() for page in pages} | {"index.md", "README.md"}
    assert {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} <= listed


def test_targets_of_make_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    there = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for path in PAGES:
        for body in blocks(path, "sh", "console"):
            for target in re.findall(r"(?:^|&& )make ([a-z-]+)", body, re.MULTILINE):
                assert target in there, f"{path.name}: make {target}"


@pytest.mark.parametrize("name", ["docs/architecture.md"])
def test_files_that_are_named_exist(name: str) -> None:
    for path in re.findall(r"`((?:server|protocol|conformance)/[\w./]+)`", (ROOT / name).read_text("utf-8")):
        assert (ROOT / path).exists(), path
