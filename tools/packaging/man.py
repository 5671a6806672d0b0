"""Man pages of the three commands, docs/man/*.1, from their click definitions; they go into the wheel's share/man.

python -m tools.packaging.man            # write them
python -m tools.packaging.man --check    # exit 1 when one is not current

Knows roff and click; says nothing that the commands do not say of themselves.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Sequence

import click

from tools import ROOT

FOLDER = ROOT / "docs" / "man"


def commands() -> dict[str, click.Command]:
    """The installed commands by name."""
    from roomproof_conformance.cli.main import cli as kit
    from roomproof_loadtest.cli import cli as load
    from roomproof_server.cli import main as server

    return {"roomproof": kit, "roomproof-load": load, "roomproof-server": server}


def page(name: str, command: click.Command) -> str:
    """The whole page, in the macros of man(7)."""
    context = click.Context(command, info_name=name, **command.context_settings)
    summary, *rest = _paragraphs(command.help)
    lines = [
        f'.TH "{name.upper()}" 1 "" "roomproof" "roomproof"',
        *(".SH NAME", f"{_roff(name)} \\- {_roff(summary.rstrip('.'))}"),
        *(".SH SYNOPSIS", f".B {_roff(name)}", _roff(" ".join(command.collect_usage_pieces(context)))),
        ".SH DESCRIPTION",
        *_text([summary, *rest]),
        ".SH OPTIONS",
        *_options(command, context),
    ]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for path, one, inner in _below(command, context, ()):
            usage = " ".join(one.collect_usage_pieces(inner))
            lines += [f'.SS "{_roff(" ".join(path))} {_roff(usage)}"', *_text(_paragraphs(one.help))]
            lines += _options(one, inner)
    if command.epilog:
        lines += [".SH NOTES", *_text(_paragraphs(command.epilog))]
    return "\n".join(lines) + "\n"


def _below(
    group: click.Group, context: click.Context, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, parent=context, info_name=name, **command.context_settings)
        yield (*path, name), command, inner
        if isinstance(command, click.Group):
            yield from _below(command, inner, (*path, name))


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[1]:
            yield from (".TP", f".B {_roff(record[0])}", _roff(" ".join(record[1].split())))


def _paragraphs(text: str | None) -> list[str]:
    return [part for part in inspect.cleandoc(text or "").split("\f")[0].split("\n\n") if part.strip()]


def _text(paragraphs: Sequence[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        if paragraph.startswith("\b"):  # click's mark of lines that are not to be filled
            yield from (".PP", ".nf", *(_roff(line) for line in paragraph.splitlines()[1:]), ".fi")
        else:
            yield from (".PP", _roff(" ".join(paragraph.split())))


def _roff(text: str) -> str:
    """What stands for itself: backslashes, hyphens, and a control character at the beginning of a line."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...").replace('"', "\\(dq")
    return re.sub(r"^([.'])", r"\\&\1", escaped)


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with `--check` say which is not current."""
    stale = 0
    for name, command in commands().items():
        target, text = FOLDER / f"{name}.1", page(name, command)
        if list(arguments) != ["--check"]:
            target.parent.mkdir(exist_ok=True)
            target.write_text(text, encoding="utf-8")
        elif not target.exists() or target.read_text(encoding="utf-8") != text:
            print(f"docs/man/{target.name} is not that of its command; `make generate` writes it anew", file=sys.stderr)
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
