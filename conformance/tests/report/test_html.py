from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import html5lib
import pytest

from roomproof_conformance.report.html import LARGEST, render, write_html
from roomproof_conformance.results import RunResult
from roomproof_conformance.transcript import Transcript, payload_fields
from roomproof_conformance.verdicts import Conclusion, Finding, Judged, Verdict
from roomproof_protocol import requirements

VOID = {"meta", "input", "br", "hr", "link", "img"}
ALLOWED = """
    html head meta title style body header footer main section article figure figcaption div span p b i em
    strong code h1 h2 h3 dl dt dd ul ol li a time details summary blockquote fieldset legend input label
    svg rect path text tspan
"""


class Page(HTMLParser):
    """Reads a page and complains about what is not balanced."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, name: str) -> list[str]:
        return [attributes[name] or "" for _, attributes in self.tags if name in attributes]


@pytest.fixture(scope="module")
def source(result: RunResult) -> str:
    return render(result)


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_only_harmless_elements_and_attributes(page: Page) -> None:
    assert {tag for tag, _ in page.tags} <= set(ALLOWED.split())
    names = {name for _, attributes in page.tags for name in attributes}
    assert not {name for name in names if name.startswith("on")}
    assert not names & {"src", "srcset", "action", "formaction", "data", "xlink:href"}


def test_it_needs_nothing_from_elsewhere(source: str, page: Page) -> None:
    assert all(href.startswith("#") for href in page.values("href"))
    assert "url(" not in source
    assert "@import" not in source
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")


def test_every_link_leads_somewhere_and_ids_are_unique(page: Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in page.values("href")} <= set(ids)
    assert set(page.values("for")) <= set(ids)


def test_hostile_texts_are_shown_and_do_nothing(source: str, page: Page) -> None:
    assert "<script" not in source
    assert "<img" not in source
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", source)
    for shown in (
        "<script>alert(1)</script>",
        "\\x1b[31mred",
        "\\u202egnp.exe",
        "{{ 7 * 7 }}{% raw %}",
        "[bold red]markup",
    ):
        assert shown in page.text
    assert source.count("</style>") == 1


def test_a_reader_finds_verdict_figures_and_findings(page: Page) -> None:
    for words in (
        "Not conformant",
        "4 of 122 judged requirements are broken.",
        "122 judged of 152 that a client can observe of 155 in the table",
        "Sum of waits 31:13 min",
        "a · 0.112 s · send",
        "Right would be no",
        "roomproof ws://127.0.0.1:4000/ws --timers short --only ROOM-5.other-room",
        "reason",
        "needs-hook needs a hook file with `start`",
        "(1,000,028 bytes)",
    ):
        assert words.lower() in page.text.lower()
    assert sum(tag == "svg" for tag, _ in page.tags) == 5


def test_the_filter_knows_every_verdict_of_the_ledger(source: str, page: Page) -> None:
    for chosen in page.values("for"):
        if chosen != "show-all":
            assert f"main:has(#{chosen}:checked)" in source


def test_a_conformant_run_has_no_findings(conformant: RunResult) -> None:
    page = Page(render(conformant))
    assert "Conformant No judged requirement is broken." in page.text
    assert "Findings" not in page.text


@pytest.mark.parametrize("interrupted", [False, True])
def test_an_empty_run_is_a_page_too(book: Any, interrupted: bool) -> None:
    book.result.interrupted = interrupted
    assert ("Interrupted" if interrupted else "Nothing judged") in Page(render(book.result)).text


def test_it_is_html_to_a_real_parser(source: str) -> None:
    """html5lib in its strict mode raises at the first fault that the standard names."""
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(source)
    assert {part.tag for part in tree.iter() if isinstance(part.tag, str)} >= {"main", "article"}
    assert not list(tree.iter("script"))
    text = "".join(tree.itertext())
    assert "<script>alert(1)</script>" in text


def test_every_finding_has_its_diagram_on_a_page_with_200_of_a_hostile_server(book: Any, result: RunResult) -> None:
    """The worst that fits: long conversations full of what must be escaped, a finding about the end of each."""
    transcript = Transcript(list(result.transcripts["RATE-3.steady"]))
    for _ in range(12):
        letters = payload_fields(b'<&\x1b"' * 15_000)
        transcript.add(9.0, "a", "received", opcode=1, fin=True, rsv=0, masked=False, **letters)
    found = Finding("broken", "<" * 9000, "\u202e" * 9000, (len(transcript) - 1,))
    rows = [row for row in requirements() if row.observable]
    for number in range(200):
        row = rows[number % len(rows)]
        judged = Judged("x", "must", "&" * 9000, found)
        book.result.transcripts[f"case-{number}"] = transcript
        book.add(f"{row.id}.{number}", "t", Conclusion(Verdict.FAIL, judged=judged), f"case-{number}")
    source = render(book.result)
    assert len(source.encode()) <= LARGEST
    assert source.count('<svg class="seq"') == 200
    assert "to keep this page small" not in source


def test_known_failures_are_shown_as_what_they_are(known: RunResult) -> None:
    page = Page(render(known))
    for words in (
        "Known known to be failing until 2027-01-31: being rewritten <b> (known.yaml:3)",
        "it passes, so the list is stale: remove the entry in known.yaml:6 (was broken)",
        "until 2026-02-28, which is over: should be done",
        "3 of 122 judged requirements are broken.",
    ):
        assert words in page.text
    classes = page.values("class")
    for state in ("stale", "known-failing", "known-flaky"):
        assert f"finding {state}" in classes


def test_what_was_tolerated_is_shown_too(book: Any) -> None:
    book.add("MSG-1.x", "t", Conclusion(Verdict.TOLERATED, explanation="a newline is gone"))
    assert "finding tolerated" in Page(render(book.result)).values("class")


def test_a_page_stays_small_when_everything_is_red(book: Any, result: RunResult) -> None:
    transcript = result.transcripts["RATE-3.steady"]
    for number in range(50):
        transcript.add(
            9.0,
            "a",
            "received",
            opcode=1,
            fin=True,
            rsv=0,
            masked=False,
            **payload_fields(b"<&\x1b" * 20_000),
        )
        book.result.transcripts[f"case-{number}"] = transcript
    found = Finding("broken", "<" * 9000, "\u202e" * 9000, (200,))
    for number in range(400):
        judged = Judged("x", "must", "s" * 9000, found)
        book.add(f"MSG-1.{number}", "t", Conclusion(Verdict.FAIL, judged=judged), f"case-{number % 50}")
    source = render(book.result)
    assert "to keep this page small" in source
    assert len(source.encode()) <= LARGEST


def test_the_file_is_written_with_the_folders_above_it(result: RunResult, tmp_path: Path) -> None:
    write_html(result, tmp_path / "new" / "report.html")
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["report.html"]
