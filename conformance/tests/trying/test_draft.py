"""A server that nothing is known of is explored, and the first dialect of it is right as far as it goes."""

from __future__ import annotations

from roomproof_conformance.dialects import built_in, load, parse
from roomproof_conformance.target import Target
from roomproof_conformance.trying.draft import draft
from roomproof_conformance.trying.probing import Known, explore
from roomproof_conformance.trying.trial import Trial

from .conftest import Handler, json_rooms, plain_text, serving


async def drafted(handler: Handler) -> tuple[Known, str, bool]:
    """What is found out, the draft, and whether two clients talk by it."""
    async with serving(handler) as url:
        known = await explore(url, lambda line: None)
        text = draft(url, known)
        found = await Trial(Target(url, parse(text, "draft.yaml"), scale=0.2), lambda line: None).run()
        return known, text, found.works


async def test_what_a_server_of_rooms_needs_is_found_and_nothing_else() -> None:
    known, text, works = await drafted(json_rooms())
    assert known.join == {"type": "join", "room": "{room}", "name": "{nick}"}
    assert known.send == {"type": "chat", "text": "{text}"}
    assert known.echo
    assert works, text


async def test_other_names_and_a_history_on_join() -> None:
    known, text, works = await drafted(json_rooms("enter", "publish", "content", history=True))
    assert known.send == {"type": "publish", "content": "{text}"}
    assert "entries: {list: messages, fields: {from: name, text: content}}" in text
    assert "malformed: {not_json: error, unknown_type: error}" in text
    assert works, text


async def test_plain_text_to_everybody() -> None:
    known, text, works = await drafted(plain_text())
    assert known.codec == "text"
    assert "echo: none" in text
    assert works, text


async def test_a_server_that_understands_nothing_gets_a_file_that_can_be_read() -> None:
    async def mute(socket: object) -> None:
        async for _ in socket:  # type: ignore[attr-defined]  # a ServerConnection
            pass

    known, text, works = await drafted(mute)
    assert known.send is None
    assert not works
    assert "Write what your clients send" in text


async def test_a_refused_handshake_is_told() -> None:
    async with serving(json_rooms(), process_request=lambda socket, _: socket.respond(403, "no\n")) as url:
        known = await explore(url, lambda line: None)
    assert known.status == 403
    assert "HTTP 403 instead of 101" in draft(url, known)
    parse(draft(url, known), "draft.yaml")


def test_the_draft_of_a_known_wire_begins_with_the_example_for_it() -> None:
    for name in built_in():
        codec = load(name).codec.name
        if codec != "json":
            text = draft("ws://127.0.0.1:1/", Known("ws://127.0.0.1:1/", 101, codec=codec, greeting=["hi\x1b[2J"]))
            assert parse(text, "draft.yaml").codec.name == codec
            assert "\x1b" not in text
