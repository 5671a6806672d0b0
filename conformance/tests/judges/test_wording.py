"""Judges of what a server of roomproof.v1 says."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from transcripts import Script

from roomproof_conformance.judges import CleanErrors, FramesWithin, OneReply, Uncompressed, Valid
from roomproof_conformance.judges.connection import Compressed
from roomproof_protocol import schema


def _error(message: Any, code: str = "invalid_json") -> Script:
    script = Script()
    script.send(0.0, "b", "my secret text")
    script.event(0.0, "b", "welcome", {"type": "welcome", "user": {"name": "Zoe Doe"}, "guest_token": "tok-123456"})
    script.frame(0.1, "a", 1, "sent", text='{"type": "frobnicate"}')
    script.event(0.2, "a", "error", {"type": "error", "code": code, "message": message})
    return script


@pytest.mark.parametrize(
    "message",
    [
        "the frame is not JSON: Expecting value at character 0",
        "a type that no client may send: frobnicate",
        "id must be 1-64 of A-Z a-z 0-9 . _ ~ -; see https://example.org/errors/id",
        "expected one of join/leave at /room",
        "x" * 256,
    ],
)
def test_clean_errors(message: str) -> None:
    assert _error(message).judged(CleanErrors()).outcome == "holds"


@pytest.mark.parametrize(
    "message",
    [
        "x" * 257,
        None,
        'Traceback (most recent call last):\n  File "server.py", line 3, in f',
        "TypeError: undefined at handle (server.js:12:5)",
        "cannot open /usr/lib/chat/server.py",
        r"cannot open C:\chat\server.ini",
        "Zoe Doe said it already",
        "not my secret text again",
        "token tok-123456 is not yours",
    ],
)
def test_errors_that_tell_too_much(message: Any) -> None:
    assert _error(message).judged(CleanErrors()).outcome == "broken"


def test_error_codes() -> None:
    assert _error("x", "E_OOPS").judged(CleanErrors()).outcome == "broken"
    assert Script().judged(CleanErrors()).outcome == "unclear"


def test_what_the_client_wrote_itself_may_be_repeated() -> None:
    script = _error("unknown text: my secret text")
    script.frame(0.1, "a", 1, "sent", text='{"text": "my secret text"}')
    assert script.judged(CleanErrors()).outcome == "holds"


def test_one_reply() -> None:
    script = Script()
    assert script.judged(OneReply()).outcome == "unclear"
    script.frame(0.0, "a", 1, "sent", text='{"type":"ping","id":"x","y":' + "9" * 5000 + "}")
    script.event(0.1, "a", "pong", {"type": "pong", "re": "x"})
    assert script.judged(OneReply()).outcome == "holds"
    script.event(0.2, "a", "pong", {"type": "pong", "re": "x"})
    assert script.judged(OneReply()).outcome == "broken"
    script.frame(0.3, "a", 1, "sent", text='{"type":"ping","id": "x"}')
    assert script.judged(OneReply()).outcome == "holds"
    script.event(0.4, "b", "pong", {"type": "pong", "re": "x"})
    assert script.judged(OneReply()).outcome == "broken"
    cut = base64.b64encode(b'{"type":"ping","id":"x","y":"\xc3').decode()
    script.frame(0.5, "b", 1, "sent", fin=False, rsv=0, base64=cut)
    assert script.judged(OneReply()).outcome == "holds"
    script.event(0.6, "b", "pong", {"type": "pong", "re": "x"})
    assert script.judged(OneReply()).outcome == "broken"
    script.frame(0.7, "b", 1, "sent", rsv=4, base64="8g==")
    assert script.judged(OneReply()).outcome == "holds"


@pytest.mark.parametrize("frame", [r'{"type":"ping","\u0069d":"x"}', r'{"type":"ping","id":"\u0078"}'])
def test_ids_written_as_escapes(frame: str) -> None:
    script = Script()
    script.frame(0.0, "a", 1, "sent", text=frame)
    script.event(0.1, "a", "pong", {"type": "pong", "re": "x"})
    assert script.judged(OneReply()).outcome == "holds"
    script.event(0.2, "a", "pong", {"type": "pong", "re": "x"})
    assert script.judged(OneReply()).outcome == "broken"


def test_valid() -> None:
    left = schema("server", "left")["examples"][0]
    script = Script()
    assert script.judged(Valid("a", "left")).outcome == "broken"
    script.event(0.0, "a", "left", left)
    assert script.judged(Valid("a", "left")).outcome == "holds"
    script.event(0.0, "b", "left", {**left, "room": 7})
    finding = script.judged(Valid("b", "left"))
    assert finding.outcome == "broken"
    assert "/room" in finding.seen


def test_frames_within() -> None:
    script = Script()
    assert script.judged(FramesWithin()).outcome == "unclear"
    script.event(0.0, "a", "welcome", {"type": "welcome", "limits": {"server_frame_bytes": 1000}})
    script.frame(0.0, "a", 1, length=1000)
    assert script.judged(FramesWithin()).outcome == "holds"
    assert script.judged(FramesWithin(least=1001)).outcome == "unclear"
    script.frame(0.0, "a", 9, length=2000)
    assert script.judged(FramesWithin()).outcome == "holds"
    script.frame(0.0, "a", 0, length=1001)
    assert script.judged(FramesWithin()).outcome == "broken"


def test_uncompressed() -> None:
    script = Script()
    assert script.judged(Uncompressed("a")).outcome == "unclear"
    script.add(0.0, "a", "handshake", status=101, headers=[["Upgrade", "websocket"]])
    assert script.judged(Uncompressed("a")).outcome == "holds"
    script.add(0.0, "b", "handshake", status=101, headers=[["sec-websocket-extensions", "permessage-deflate"]])
    assert script.judged(Uncompressed("b")).outcome == "broken"
    assert script.judged(Uncompressed("b", tolerated=True)).outcome == "tolerated"


def test_compressed() -> None:
    script = Script()
    assert script.judged(Compressed("a")).outcome == "unclear"
    script.add(0.0, "a", "handshake", status=101, headers=[["sec-websocket-extensions", "permessage-deflate"]])
    assert script.judged(Compressed("a")).outcome == "holds"
    script.add(0.0, "b", "handshake", status=101, headers=[["Upgrade", "websocket"]])
    assert script.judged(Compressed("b")).outcome == "broken"
