"""What the log says, and above all what it does not."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from roomproof_server.counters import Counters
from roomproof_server.shell.log import REFUSALS_MS, LineFormatter, Refusals, loop_trouble

SECRETS = ("s3cret-text", "Mallory-Name", "s3cret-token-000000000000", "s3cret-reason", "s3cret-room")


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """All records as the JSON that standard error would get."""
    form = LineFormatter("json")
    return [json.loads(form.format(record)) for record in caplog.records if record.name.startswith("roomproof")]


async def test_a_session_leaves_two_lines_without_its_secrets(node: Any, caplog: pytest.LogCaptureFixture) -> None:
    text, name, token, reason, room = SECRETS
    with caplog.at_level(logging.DEBUG, "roomproof"):
        node = await node()
        client = await node.client()
        welcome = await client.ask("hello", name=name)
        await client.ask("join", room=room)
        await client.ask("send", room=room, text=text)
        await client.ws.send(f'{{"type": {text}')
        await client.ws.send(json.dumps({"type": "send", "id": "x", "room": room, "text": [text]}))
        await client.ask("ping")
        await client.ws.close(1000, reason)
        other = await node.client()
        await other.ask("hello", auth={"scheme": "resume_guest", "token": token})
        await other.ws.wait_closed()
        while node.server.connections:
            await asyncio.sleep(0.01)
        Refusals(node.server.hub.counters, 0).turn(REFUSALS_MS)
    told = lines(caplog)
    assert [line["event"] for line in told] == ["connected", "closed", "connected", "closed", "refused"]
    end = told[1]
    assert (end["user"], end["code"], end["by"], end["reason"]) == (welcome["user"]["id"], 1000, "client", "")
    assert end["conn"] == told[0]["conn"] == welcome["conn"]
    assert min(end["received"], end["sent"]) > 100
    assert end.keys() >= {"time", "level", "ms", "max_queue"}
    assert (told[3]["code"], told[3]["by"], told[3]["reason"]) == (4101, "server", "token_expired")
    assert told[4]["counts"] == {"invalid_json": 1, "invalid_message": 1, "token_expired": 1}
    assert told[4]["examples"]["invalid_json"] == end["conn"]
    everything = json.dumps(told) + caplog.text
    for secret in (*SECRETS, welcome["guest_token"]):
        assert secret not in everything


async def test_an_exception_is_told_by_type_and_place(
    node: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ERR-12: neither the client nor the log sees what was in it."""
    node = await node()
    client = await node.guest("lobby")

    def breaks(room: str, member: Any, text: str, *_: Any) -> None:
        raise KeyError(text)

    monkeypatch.setattr(node.server.engine, "publish", breaks)
    reply = await client.ask("send", room="lobby", text=SECRETS[0])
    assert reply["code"] == "internal"
    (line,) = [line for line in lines(caplog) if line["level"] == "error"]
    assert line["error"] == "KeyError"
    assert line["stack"][-1].startswith("test_log.py:")
    assert SECRETS[0] not in json.dumps(line)


def test_the_loop_tells_no_arguments(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.new_event_loop()
    for error in (ValueError(SECRETS[0]), ConnectionResetError(), OSError(24, "Too many open files")):
        loop_trouble(loop, {"message": f"Exception in callback f({SECRETS[0]!r})", "exception": error})
    loop.close()
    told = lines(caplog)
    assert [(line["level"], line["error"]) for line in told] == [("error", "ValueError"), ("warning", "OSError")]
    assert SECRETS[0] not in json.dumps(told)


def test_refusals_are_sampled(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "roomproof")
    counters = Counters()
    refusals = Refusals(counters, 0)
    for now in range(0, 2 * REFUSALS_MS + 1, 100):
        if now < REFUSALS_MS:
            counters.refuse("rate_limited", f"c{now}")
        refusals.turn(now)
    (line,) = lines(caplog)
    assert (line["counts"], line["examples"]) == ({"rate_limited": 100}, {"rate_limited": "c9900"})


def test_text_is_one_line_too() -> None:
    record = logging.LogRecord("roomproof.server", logging.INFO, "", 0, "closed", None, None)
    record.fields = {"conn": "c1", "reason": "a\nb"}
    line = LineFormatter("text").format(record)
    assert line.endswith('info    closed conn="c1" reason="a\\nb"')
