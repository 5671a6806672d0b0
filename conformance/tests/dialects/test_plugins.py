"""Plug-ins: codecs and handshakes of other packages, imported by name only."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from roomproof_conformance.dialects import Codec, DialectError, Plugin, Refused, Session, parse
from roomproof_conformance.dialects.plugins import load_plugins

SPEAKING = """
dialect: 1
name: secret
connect: {path: /}
codec: rot
captured: [proof]
actions:
  identify:
    - run: challenge
  send: [{send: {say: "{text}", proof: "{proof}"}}]
events: [{as: message, match: {say: {exists: true}}, fields: {text: say}}]
"""


def challenge(variables: Mapping[str, Any]) -> Generator[Any, Any, Mapping[str, Any]]:
    yield {"hello": variables["nick"]}
    asked = yield None
    if "ask" not in asked:
        raise Refused("no challenge")
    yield {"answer": asked["ask"][::-1]}
    last = yield None
    return {"proof": last["proof"]}


def turned(codec: Codec) -> Codec:
    return Codec(
        "rot",
        lambda payload: codec.decode(bytes(payload)[::-1] if isinstance(payload, bytes) else payload[::-1]),
        lambda tree: str(codec.encode(tree))[::-1].encode(),
    )


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with the entry points `rot` (a plug-in), `broken` (raises) and `odd` (something else)."""
    module = "from roomproof_tests_rot_pieces import PLUGIN\nODD = 7\n"
    (tmp_path / "roomproof_tests_rot.py").write_text(module)
    (tmp_path / "roomproof_tests_broken.py").write_text("raise RuntimeError('boom')\n")
    info = tmp_path / "rot-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rot\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[roomproof.dialects]\nrot = roomproof_tests_rot:PLUGIN\nbroken = roomproof_tests_broken:X\n"
        "odd = roomproof_tests_rot:ODD\n"
    )
    import sys
    from types import ModuleType

    from roomproof_conformance.dialects.codecs import CODECS

    pieces = ModuleType("roomproof_tests_rot_pieces")
    pieces.PLUGIN = Plugin(turned(CODECS["json"]), {"challenge": challenge})  # type: ignore[attr-defined]  # made here
    monkeypatch.setitem(sys.modules, "roomproof_tests_rot_pieces", pieces)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("installed")
def test_nothing_runs_unless_it_was_allowed() -> None:
    with pytest.raises(DialectError, match=r"5: codec: the plug-in 'rot' runs code .* allow it with --plugin rot"):
        parse(SPEAKING)
    with pytest.raises(DialectError, match=r"9: actions.identify\[0\].run: no handshake 'challenge'; name the plug-in"):
        parse(SPEAKING.replace("codec: rot", "codec: json"))


@pytest.mark.usefixtures("installed")
def test_a_codec_and_a_handshake() -> None:
    session = Session(parse(SPEAKING, plugins=["rot"]), nick="ann")
    identify = session.begin("identify")
    assert [(out.payload, out.binary) for out in identify.outgoing] == [(b'}"nna":"olleh"{', True)]
    identify.outgoing.clear()
    assert identify.step(session.receive(b'}"cba":"ksa"{')[0])
    assert [out.payload for out in identify.outgoing] == [b'}"abc":"rewsna"{']
    assert identify.step(session.receive(b'}"p":"foorp"{')[0])
    assert identify.ok
    assert session.begin("send", text="hi").outgoing[0].payload == b'}"p":"foorp","ih":"yas"{'


@pytest.mark.usefixtures("installed")
def test_a_handshake_may_be_refused() -> None:
    session = Session(parse(SPEAKING, plugins=["rot"]), nick="ann")
    identify = session.begin("identify")
    identify.step(session.receive(b'}1:"on"{')[0])
    assert (identify.done, identify.ok) == (True, False)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("rott", "no plug-in 'rott' is installed .*; did you mean 'rot'?"),
        ("broken", "plug-in 'broken' cannot be imported: RuntimeError: boom"),
        ("odd", "plug-in 'odd' is a int, expected a dialects.Plugin"),
    ],
)
def test_a_plugin_that_is_none_is_one_line(name: str, told: str) -> None:
    with pytest.raises(DialectError, match=told):
        load_plugins([name])
