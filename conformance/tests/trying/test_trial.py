"""A dialect is carried out, each frame is told, and the advice says what is missing."""

from __future__ import annotations

from roomproof_conformance.dialects import parse
from roomproof_conformance.target import Target
from roomproof_conformance.trying.trial import Findings, Trial

from .conftest import json_rooms, serving

RIGHT = """
dialect: 1
name: small
connect: {path: /}
codec: json
actions:
  join:
    - send: {type: join, room: "{room}", name: "{nick}"}
    - expect: {type: joined, room: "{room}"}
      timeout: 1s
  send: [{send: {type: chat, text: "{text}"}}]
events:
  - {as: message, match: {type: chat}, fields: {room: room, from: name, text: text}}
  - {as: joined, match: {type: joined}, fields: {room: room}}
echo: self
claims: {rooms: {isolated: true, many: false}}
"""


async def tried(dialect: str) -> tuple[Findings, str]:
    lines: list[str] = []
    async with serving(json_rooms()) as url:
        found = await Trial(Target(url, parse(dialect, "d.yaml"), scale=0.2), lines.append).run()
    return found, "\n".join(lines)


async def test_a_right_dialect_works_and_every_frame_is_told() -> None:
    found, told = await tried(RIGHT)
    assert found.works
    assert found.advice == []
    assert [step.ok for step in found.steps] == [True] * len(found.steps)
    assert 'a -> {"type":"join"' in told
    assert "message: room" in told


async def test_a_wrong_expectation_is_shown_beside_what_came() -> None:
    found, told = await tried(RIGHT.replace("expect: {type: joined,", "expect: {type: entered,"))
    assert not found.works
    assert "expected \"entered\", got 'joined'" in told.replace("'entered'", '"entered"')
    assert found.steps[-1].title.startswith("a joins")


async def test_an_event_without_a_rule_gets_one_proposed() -> None:
    line = "  - {as: message, match: {type: chat}, fields: {room: room, from: name, text: text}}\n"
    found, told = await tried(RIGHT.replace(line, ""))
    assert not found.works
    assert "UNCLASSIFIED" in told
    assert any(
        "{as: message, match: {type: chat}, fields: {text: text, from: name, room: room" in a for a in found.advice
    )


async def test_a_text_that_is_not_taken_is_told_apart_from_one_that_does_not_come() -> None:
    found, _ = await tried(RIGHT.replace("text: text}}", "text: content}}"))
    assert any("no rule `as: message` took it as `text`" in advice for advice in found.advice)
    found, _ = await tried(RIGHT.replace("send: {type: chat, text:", "send: {type: chat, body:"))
    assert any("nothing with the text" in advice for advice in found.advice)
