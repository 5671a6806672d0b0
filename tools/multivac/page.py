"""docs/results/multivac.md from the figures of the last run.

python -m tools.multivac.page            # write it
python -m tools.multivac.page --check    # exit 1 when the page is not current
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from roomproof_conformance.report.markdown import cell, code, prose
from tools.support.results import made

STATES = {
    "judged": "runs",
    "lets-nobody-in": "starts, lets nobody in",
    "not-started": "does not start",
    "not-set-up": "could not be set up",
    "kit-error": "the kit failed",
}
MARKS = {
    "pass": "✓",
    "tolerated": "✓",
    "fail": "✗",
    "warn": "✗",
    "not-applicable": "",
    "not-judged": "?",
    "inconclusive": "?",
}


def page(data: Mapping[str, Any]) -> str:
    """The page, from the figures."""
    return (
        "\n\n".join([*_top(data), *_table(data), *_correlation(data), *_mission(data), *_rows(data), *_findings(data)])
        + "\n"
    )


def _top(data: Mapping[str, Any]) -> Iterator[str]:
    yield "# Ten answers to one question, run"
    yield (
        "In a public evaluation (The Multivac, EVAL-20260402-133034, question CODE-015) ten language models were "
        "asked for "
        "a production-ready chat server over WebSocket, and a jury of the same models scored the answers by reading "
        "them. "
        "Here they are run: each is unpacked byte for byte, started on loopback, and judged by the kit. This page is "
        "made "
        f"by `make multivac` from `multivac.json` ({data['date'][:10]}, commit `{str(data['commit'])[:12]}`, "
        f"{data['machine']}; {data['wall_seconds']:.0f} s); no number is written by hand. How each is "
        "started stands in a [servers file](../../examples/multivac/servers.yaml), as of any [matrix](../matrix.md)."
    )


def _table(data: Mapping[str, Any]) -> Iterator[str]:
    total = len(data["rows"])
    yield "## What became of them"
    yield (
        f"*Kept* counts the requirements of the question ([below](#the-question-as-requirements)) out of {total}; "
        f"*broken* "
        "those that were judged and do not hold; the rest could not be judged on this answer, or it does not offer "
        "them."
    )
    yield _answers(data["answers"])
    yield "### Repaired"
    yield (
        "A second set, apart from the first: where one small change lets the rest be judged, it is made in the copy "
        "that "
        "is started. Nobody completes an answer that was cut off."
    )
    yield _answers(data["repaired"])
    for answer in data["repaired"]:
        yield f"{prose(answer['title'])}: {prose(answer['remark'])}."
    yield "### On which versions"
    lines = [
        f"- {prose(a['title'])}: Python {a['python']}; {', '.join(a['packages'])}"
        for a in data["answers"]
        if a["packages"]
    ]
    yield "\n".join(lines)


def _answers(answers: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| rank | jury | answer | code | run | kept | broken |", "| ---: | ---: | --- | --- | --- | ---: | ---: |"]
    for a in answers:
        broken = a["broken"] if a["state"] == "judged" else ""
        lines.append(
            f"| {a['rank']} | {a['score']:.2f} | {prose(a['title'])} | {_code(a)} | {_run(a)} | {a['kept']} | "
            f"{broken} |"
        )
    return "\n".join(lines)


def _code(answer: Mapping[str, Any]) -> str:
    """Whether the code is whole, or where it ends."""
    lines, off = answer["lines"], answer["cut_off"]
    if off is not None:
        ends = (
            ""
            if answer["fence_closed"]
            else "; the response ends there"
            if off["line"] >= lines - 1
            else f"; the response ends at line {lines}"
        )
        return f"does not parse: line {off['line']} of {lines}: {cell(off['message'], 80)}{ends}"
    return f"{lines} lines, parses" + (
        "" if answer["entry_point"] else "; starts nothing: one module of a project that was not written"
    )


def _run(answer: Mapping[str, Any]) -> str:
    said = STATES[answer["state"]]
    if answer["exception"] and answer["state"] != "judged":
        said += f": {cell(answer['exception'], 120)}"
    if answer["killers"]:
        said += f"; brought down {len(answer['killers'])} times"
    return said


def _correlation(data: Mapping[str, Any]) -> Iterator[str]:
    rho = data["correlation"]
    yield "## The jury's order and the kit's"
    yield (
        f"Rank correlation (Spearman, ties averaged, n = {rho['n']}) of the jury's score and the number of "
        f"requirements "
        f"kept: **{rho['given']:+.2f}** as given, **{rho['repaired']:+.2f}** with the repaired answer in place of "
        f"the given one."
    )
    yield (
        f"That is all that can be read from it: {rho['n']} points, of which {rho['n'] - rho['running']} are tied at "
        f"nothing "
        "kept because nobody can use them, so that it says mostly whether the jury put what runs before what does "
        "not. The "
        "repaired figure speaks of code that nobody handed in."
    )


def _mission(data: Mapping[str, Any]) -> Iterator[str]:
    shown = _judged(data)
    yield "## The question as requirements"
    yield (
        "Each phrase of the question stands for the MUSTs of an area of the [protocol](../protocol/reference.md), as "
        "far "
        "as some answer could be judged by them; what they mean on an answer's own wire is said by its dialect file."
    )
    lines = [
        f"| the question asks to | rows | {' | '.join(_name(a) for a in shown)} |",
        f"| --- | ---: |{' ---: |' * len(shown)}",
    ]
    for phrase in data["mission"]:
        kept = " | ".join(str(phrase["kept"][a["name"]]) for a in shown)
        lines.append(f"| {prose(phrase['asks'])} | {len(phrase['rows'])} | {kept} |")
    sums = " | ".join(str(a["kept"]) for a in shown)
    yield "\n".join([*lines, f"| together | {len(data['rows'])} | {sums} |"])


def _rows(data: Mapping[str, Any]) -> Iterator[str]:
    shown = _judged(data)
    yield (
        "✓ kept, ✗ broken, ? could not be judged, empty: not offered. DISC-8 hangs on how much the system's buffers "
        "take before a stalled reader is felt: an answer may keep it in one run and break it in the next."
    )
    lines = [
        f"| row | {' | '.join(_name(a) for a in shown)} | what it demands |",
        f"| --- |{' :---: |' * len(shown)} --- |",
    ]
    for row, said in data["rows"].items():
        marks = " | ".join(MARKS.get(said["states"].get(a["name"], ""), "?") for a in shown)
        lines.append(f"| {row} | {marks} | {prose(said['text'], 130).replace(chr(92) + chr(96), '')} |")
    yield "\n".join(lines)


def _findings(data: Mapping[str, Any]) -> Iterator[str]:
    yield "## The most telling findings"
    yield "Five of each answer that runs, as the kit saw them. Times count from a case's beginning; ◄: the evidence."
    for answer in _judged(data):
        yield f"### {_name(answer)}"
        for finding in data["findings"][answer["name"]]:
            yield f"**{prose(finding['says'][:1].upper() + finding['says'][1:])}.** {code(finding['check'])}"
            yield f"> {prose(finding['sentence'], 600)}"
            seen, expected = code(finding["seen"] or "nothing", 400), code(finding["expected"] or "", 300)
            yield f"Came: {seen}; right would be {expected}."
            shown = [line.replace("```", "'''") for line in finding["transcript"]]
            yield "\n".join(["```text", *shown, "```"])


def _judged(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [answer for answer in (*data["answers"], *data["repaired"]) if answer["state"] == "judged"]


def _name(answer: Mapping[str, Any]) -> str:
    return prose(answer["title"]) + (" (repaired)" if answer["remark"] else "")


def main(arguments: list[str]) -> int:
    return made("multivac", page, arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
