from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from roomproof_conformance.known import Entry, KnownChecks, KnownError, load, parse, schema
from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.verdicts import Conclusion, Reason, Verdict

CHECKS = ("MSG-1.echo", "MSG-1.other", "RATE-1.burst", "RATE-10.window")
FILE = """\
known: 1
checks:
  - check: MSG-1.echo
    reason: >
      dropped under load,
      see the plan
    until: 2027-01-31
  - {check: RATE-*, reason: counted per connection}
"""


def run(*verdicts: tuple[str, Verdict]) -> RunResult:
    result = RunResult("ws://h/ws", "roomproof.v1", "0.1.0", datetime(2026, 12, 1, tzinfo=UTC))
    for check, verdict in verdicts:
        row = check.partition(".")[0]
        conclusion = Conclusion(verdict, Reason.NOISE if verdict is Verdict.INCONCLUSIVE else None)
        result.results.append(CheckResult(check, row, row[:3], "MUST", "t", "s", conclusion))
    return result


def marked(verdict: Verdict, entry: Entry) -> RunResult:
    result = run((entry.check, verdict))
    KnownChecks((entry,)).mark(result)
    return result


def test_a_file_is_read_with_its_lines() -> None:
    first, second = parse(FILE, "known.yaml", "failing", CHECKS)
    assert first == Entry(
        "failing", "MSG-1.echo", "dropped under load, see the plan", "known.yaml:3", date(2027, 1, 31)
    )
    assert (second.check, second.where, second.until) == ("RATE-*", "known.yaml:8", None)


def test_a_list_may_be_empty() -> None:
    assert parse("known: 1\nchecks: []\n", "k", "flaky", CHECKS) == []


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("check: MSG-1.ehco, reason: r", "[0].check: no check is called 'MSG-1.ehco'; did you mean 'MSG-1.echo'?"),
        ("check: XYZ-*, reason: r", "no check is called 'XYZ-*'; `roomproof list` shows all"),
        ("check: MSG-1.echo", "k:2: checks[0]: lacks 'reason'"),
        ("check: MSG-1.echo, reason: ' '", "k:2: checks[0].reason: expected the reason in words, got ' '"),
        ("check: MSG-1.echo, reason: r, untill: x", "unknown key 'untill'; did you mean 'until'?"),
        ("check: MSG-1.echo, reason: r, until: soon", "expected a date such as 2027-01-31, got 'soon'"),
        ("check: MSG-1.echo, reason: r, until: 2027-02-30", "2027-02-30 is no date: day"),
    ],
)
def test_a_bad_entry_is_one_clear_line(entry: str, words: str) -> None:
    refused(f"known: 1\nchecks: [{{{entry}}}]\n", words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("known: 2\nchecks: []", "k:1: known: expected 1, got 2"),
        ("known: 1\n", "lacks 'checks'"),
        ("- MSG-1.echo\n", "expected a map"),
        ("known: [\n", "k:2: not YAML"),
    ],
)
def test_a_bad_file_is_one_clear_line(text: str, words: str) -> None:
    refused(text, words)


def refused(text: str, words: str) -> None:
    with pytest.raises(KnownError) as error:
        parse(text, "k", "failing", CHECKS)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_read_or_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(KnownError, match=r"nowhere.yaml: cannot be read: No such file"):
        load(tmp_path / "nowhere.yaml", None, CHECKS)
    (tmp_path / "odd.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(KnownError, match="not UTF-8 text"):
        load(None, tmp_path / "odd.yaml", CHECKS)
    (tmp_path / "known.yaml").write_text(FILE)
    with pytest.raises(KnownError, match=r"known.yaml:3: MSG-1.echo stands twice, first at .*known.yaml:3"):
        load(tmp_path / "known.yaml", tmp_path / "known.yaml", CHECKS)


def test_an_entry_that_names_the_check_goes_before_patterns() -> None:
    pattern, exact = Entry("failing", "MSG-1*", "p", "k:1"), Entry("flaky", "MSG-1.echo", "e", "k:2")
    known = KnownChecks((pattern, exact))
    assert known.find("MSG-1.echo") is exact
    assert known.find("MSG-1.other") is pattern
    assert known.find("MSG-10.x") is pattern
    assert known.find("RATE-1.burst") is None
    assert KnownChecks((Entry("failing", "MSG-1", "row", "k:3"),)).find("MSG-1.other") is not None


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.WARN])
@pytest.mark.parametrize("kind", ["failing", "flaky"])
def test_what_is_known_to_fail_does_not_make_the_run_red(kind: str, verdict: Verdict) -> None:
    result = marked(verdict, Entry("flaky" if kind == "flaky" else "failing", "MSG-1.echo", "r", "k:1"))
    assert result.exit_code == 0
    assert result.results[0].state == f"known-{kind}"


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.TOLERATED])
def test_a_known_failure_that_passes_is_red_and_a_flaky_check_that_passes_is_not(verdict: Verdict) -> None:
    result = marked(verdict, Entry("failing", "MSG-1.echo", "r", "k:1"))
    assert (result.exit_code, result.results[0].state) == (1, "stale")
    result = marked(verdict, Entry("flaky", "MSG-1.echo", "r", "k:1"))
    assert (result.exit_code, result.results[0].state) == (0, verdict.value)


def test_an_entry_excuses_until_its_last_day() -> None:
    for until, code in ((date(2026, 11, 30), 1), (date(2026, 12, 1), 0), (date(2026, 12, 2), 0)):
        assert marked(Verdict.FAIL, Entry("failing", "MSG-1.echo", "r", "k:1", until)).exit_code == code
    assert marked(Verdict.PASS, Entry("failing", "MSG-1.echo", "r", "k:1", date(2026, 1, 1))).exit_code == 1


@pytest.mark.parametrize("verdict", [Verdict.NOT_JUDGED, Verdict.NOT_APPLICABLE])
def test_what_was_not_judged_is_neither_stale_nor_excused(verdict: Verdict) -> None:
    result = marked(verdict, Entry("failing", "MSG-1.echo", "r", "k:1"))
    assert (result.results[0].stale, result.results[0].excused, result.results[0].state) == (False, False, verdict)


def test_noise_is_excused_by_the_flaky_list_only_and_an_error_of_the_kit_by_none() -> None:
    assert marked(Verdict.INCONCLUSIVE, Entry("failing", "MSG-1.echo", "r", "k:1")).exit_code == 4
    result = run(("MSG-1.echo", Verdict.INCONCLUSIVE), ("RATE-1.burst", Verdict.PASS))
    KnownChecks((Entry("flaky", "MSG-1.echo", "r", "k:1"),)).mark(result)
    assert result.exit_code == 0
    assert marked(Verdict.KIT_ERROR, Entry("flaky", "MSG-1.echo", "r", "k:1")).exit_code == 3


def test_a_failure_beside_a_known_one_is_red() -> None:
    result = run(("MSG-1.echo", Verdict.FAIL), ("MSG-1.other", Verdict.FAIL))
    KnownChecks((Entry("failing", "MSG-1.echo", "r", "k:1"),)).mark(result)
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ((), 3),
        ((Verdict.NOT_JUDGED,), 3),
        ((Verdict.PASS, Verdict.WARN, Verdict.TOLERATED, Verdict.NOT_APPLICABLE), 0),
        ((Verdict.PASS, Verdict.FAIL, Verdict.KIT_ERROR, Verdict.INCONCLUSIVE), 1),
        ((Verdict.PASS, Verdict.KIT_ERROR, Verdict.INCONCLUSIVE), 3),
        ((Verdict.PASS, Verdict.INCONCLUSIVE), 4),
    ],
)
def test_exit_codes(verdicts: tuple[Verdict, ...], code: int) -> None:
    result = run(*((f"MSG-{number}.x", verdict) for number, verdict in enumerate(verdicts)))
    assert result.exit_code == code
    result.interrupted = True
    assert result.exit_code == 130


def test_the_schema_is_one_and_closed() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema()["additionalProperties"] is False
