"""What must outlive a process."""

from __future__ import annotations

from transcripts import Script

from roomproof_conformance.judges.survival import ComesBack, Survives


def conversation(*after: str, epoch: str = "e") -> tuple[Script, int]:
    """Two acknowledged messages, a restart, and a history of what is given as `after`."""
    script = Script()
    for seq, text in enumerate(("one", "two"), 1):
        op = script.send(0.1, "a", text)
        event = script.event(0.2, "a", "ack", room="r", epoch="e", seq=seq)
        script.reply(0.2, "a", op, event)
    restart = script.mark(1.0)
    if after:
        entries = [{"seq": n, "text": text} for n, text in enumerate(after, 1)]
        script.event(1.1, "b", "joined", room="r", epoch=epoch, entries=entries)
    return script, restart


def test_a_server_comes_back_or_does_not() -> None:
    for became, outcome in (("back", "holds"), ("gone", "broken")):
        script = Script()
        start = script.add(1.0, "", "mark", name="the server is started again", server="start")
        assert script.judged(ComesBack(start)).outcome == "unclear"
        script.add(2.0, "", "mark", name="exit code 1: no space", server=became)
        finding = script.judged(ComesBack(start))
        assert finding.outcome == outcome
        assert finding.seen == "exit code 1: no space"


def test_what_was_acknowledged_is_there() -> None:
    script, restart = conversation("one", "two", "three")
    assert script.judged(Survives("r", restart, least=2)).outcome == "holds"


def test_one_is_missing() -> None:
    script, restart = conversation("one")
    finding = script.judged(Survives("r", restart))
    assert finding.outcome == "broken"
    assert "1 of 2" in finding.seen


def test_a_number_names_another_text() -> None:
    script, restart = conversation("one", "other")
    finding = script.judged(Survives("r", restart))
    assert finding.outcome == "broken"
    assert "names two, then other" in finding.seen


def test_another_epoch_has_lost_everything() -> None:
    script, restart = conversation("one", "two", epoch="f")
    assert script.judged(Survives("r", restart)).outcome == "broken"


def test_no_history_proves_no_survival() -> None:
    script, restart = conversation()
    assert script.judged(Survives("r", restart)).outcome == "broken"


def test_too_few_acknowledgements_prove_nothing() -> None:
    script, restart = conversation("one", "two")
    assert script.judged(Survives("r", restart, least=3)).outcome == "unclear"
