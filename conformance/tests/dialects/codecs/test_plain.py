"""Plain text: a message is a string, and so is what is sent."""

from __future__ import annotations

import pytest

from roomproof_conformance.dialects import DialectError, Session, parse
from roomproof_conformance.dialects.codecs import CODECS

TEXT = CODECS["text"]
SPEAKING = """
dialect: 1
name: plain
connect: {path: /}
codec: text
actions:
  join: [{send: "/join {room}"}, {expect: {re: "^\\\\* now in "}}]
  send: [{send: "{text}"}]
events:
  - {as: joined, match: {re: "^\\\\* now in "}, fields: {room: ". | after('* now in ')"}}
  - as: message
    match: {re: "^[a-z]+: "}
    fields: {from: ". | re('^([a-z]+): ')", text: ". | re('(?s)^[a-z]+: (.*)')"}
"""


def test_a_message_is_itself() -> None:
    assert TEXT.decode("a\nb") == TEXT.decode(b"a\nb") == ["a\nb"]
    assert TEXT.decode(b"\xff") == ["\\xff"]
    assert TEXT.encode("a") == "a"
    with pytest.raises(ValueError, match="no maps"):
        TEXT.encode({})


def test_a_dialect_takes_text_apart() -> None:
    session = Session(parse(SPEAKING), nick="ann")
    join = session.begin("join", room="r")
    assert [out.payload for out in join.outgoing] == ["/join r"]
    assert join.step(session.receive("* now in r")[0])
    (said,) = session.receive("bob: hi: you\nthere")
    assert (said.kind, dict(said.fields)) == ("message", {"from": "bob", "text": "hi: you\nthere"})
    assert session.receive("?")[0].kind == "unclassified"


def test_a_map_is_no_frame_of_plain_text() -> None:
    with pytest.raises(DialectError, match=r"dialect:\d+: actions.send\[0\].send: no frame of codec text"):
        parse(SPEAKING.replace('send: "{text}"', "send: {text: 1}"))
