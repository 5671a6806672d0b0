"""A transcript as steps: what is repeated, what is waited for, what may be left out."""

from __future__ import annotations

from transcripts import Script

from roomproof_conformance.offline.conversation import Conversation, connections, frames_sent, said_by


def talk() -> Script:
    script = Script()
    script.add(0.1, "a", "open", url="ws://x/ws", headers=[], subprotocols=[])
    script.opened(0.11, "a")
    join = script.op(0.2, "a", "join", room="r")
    script.frame(0.2, "a", 1, "sent", op=join, text="{}")
    joined = script.event(0.21, "a", "joined", room="r")
    script.reply(0.21, "a", join, joined)
    script.frame(0.3, "a", 10, "sent", auto=True, text="")
    script.frame(0.4, "a", 1, "sent", role="heartbeat", text="")
    script.add(0.5, "", "mark", name="waiting 2.00 s: because", seconds=2.0)
    script.frame(2.5, "a", 1, "sent", text='{"type":"send","text":"hällo there"}')
    script.add(2.6, "", "statement", check="X-1.a", role="must", judge="stays", params={"conn": "a"}, says="")
    return script


def test_what_the_kit_did_by_itself_is_no_step_and_waits_are() -> None:
    steps = Conversation.of(talk().transcript).steps
    assert [step.kind for step in steps] == ["open", "op", "mark", "pause", "frame", "statement"]
    assert steps[3].seconds == 2.0


def test_a_step_awaits_what_had_come_before_it() -> None:
    steps = Conversation.of(talk().transcript).steps
    assert [record.kind for record in steps[2].awaits] == ["event", "reply"]


def test_what_a_step_left_out_had_waited_for_is_waited_for_by_the_next() -> None:
    conversation = Conversation.of(talk().transcript)
    fewer = conversation.without([conversation.steps[2]])
    assert [step.kind for step in fewer.steps] == ["open", "op", "pause", "frame", "statement"]
    assert [record.kind for record in fewer.steps[2].awaits] == ["event", "reply"]


def test_what_is_counted() -> None:
    transcript = talk().transcript
    assert (frames_sent(transcript), connections(transcript)) == (2, 1)


def test_texts_are_found_in_operations_and_in_frames_however_they_are_spelled() -> None:
    script = talk()
    send = script.send(3.0, "a", "spoken")
    script.event(3.1, "a", "message", text="hällo there")
    frame = next(step.index for step in Conversation.of(script.transcript).steps if step.kind == "frame")
    assert said_by(Conversation.of(script.transcript)) == {"spoken": [send], "hällo there": [frame]}


def test_a_server_that_comes_back_does_so_by_itself() -> None:
    script = Script()
    script.add(0.1, "", "mark", name="the server is started again", server="start")
    script.add(0.2, "", "mark", name="two clients can talk again", server="back")
    assert [step.kind for step in Conversation.of(script.transcript).steps] == ["server"]
