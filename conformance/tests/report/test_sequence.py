from __future__ import annotations

from xml.etree import ElementTree

from roomproof_conformance.report.sequence import LANES, sequence
from roomproof_conformance.report.story import Line, story
from roomproof_conformance.results import RunResult

FIGURE = "ROOM-5.other-room"


def drawn(lines: list[Line], **options: int) -> tuple[ElementTree.Element, list[str]]:
    svg = ElementTree.fromstring(sequence(lines, **options))
    return svg, ["".join(text.itertext()) for text in svg.iter("text")]


def lines_of(result: RunResult, check: str) -> list[Line]:
    found = next(r for r in result.results if r.check == check)
    return story(result.transcripts[check], found.conclusion.judged)


def classes(svg: ElementTree.Element, name: str) -> int:
    return sum(name in (part.get("class") or "").split() for part in svg.iter())


def test_lanes_arrows_and_evidence(result: RunResult) -> None:
    svg, texts = drawn(lines_of(result, FIGURE))
    assert texts[:4] == ["a", "b", "c", "server"]
    assert classes(svg, "band") == 2
    assert classes(svg, "cross") == 3
    assert any(text.startswith("message“secret-1”{") for text in texts)
    assert "a speaks in r1, where b is not" in texts


def test_a_flood_is_cut_and_says_how_much_is_missing(result: RunResult) -> None:
    svg, texts = drawn(lines_of(result, "RATE-3.steady"), arrows=20)
    assert sum(float(text) >= 0 for text in texts if text.replace(".", "").isdigit()) == 20
    assert any(text.startswith("… ") and text.endswith(" more …") for text in texts)
    assert int(svg.get("height", "0")) < 700


def test_hostile_texts_are_escaped_and_stay_inside(result: RunResult) -> None:
    source = sequence(lines_of(result, "MSG-3.echo"))
    svg = ElementTree.fromstring(source)
    assert "<script" not in source
    assert {part.tag for part in svg.iter()} <= {"svg", "rect", "path", "text", "tspan"}
    assert not any(character in source for character in "\x1b\x00\u202e\ud800")
    assert max(len("".join(text.itertext())) for text in svg.iter("text")) < 130


def test_many_connections_draw_those_with_evidence() -> None:
    lines = [Line(i, i / 10, f"c{i}", "in", "message", {}, evidence=i == 90) for i in range(100)]
    _, texts = drawn(lines)
    assert "c90" in texts
    assert f"{100 - LANES} more connections not drawn" in texts


def test_an_empty_story_can_be_drawn() -> None:
    _, texts = drawn([])
    assert texts == ["server"]
