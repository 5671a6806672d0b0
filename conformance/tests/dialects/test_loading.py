"""Dialect files that are wrong: each fault is one line with file, line, path and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from roomproof_conformance.dialects import DialectError, load, parse
from roomproof_conformance.dialects.dialect import NUMBERS, TEXTS
from roomproof_conformance.dialects.errors import BadPart
from roomproof_conformance.dialects.loading import duration, read, schema
from roomproof_conformance.events import KINDS, Kind

GOOD = """\
dialect: 1
name: small
connect:
  path: "/ws"
codec: json
actions:
  join:
    - send: {type: join, room: "{room}"}
    - expect: {type: joined}
      timeout: 3s
  send:
    - send: {type: say, text: "{text}"}
events:
  - {as: message, match: {type: say}, fields: {text: text}}
  - {as: error, match: {type: error}}
claims:
  rate_limit: {scope: user, model: window, allow: 5, per: 1s, effect: error}
"""

MISTAKES = [
    ("name: small", "nam: small", "2: nam: unknown key 'nam'; did you mean 'name'?"),
    ("dialect: 1", "dialect: 2", "1: dialect: expected 1, got 2"),
    ("  path:", "  pth:", "4: connect.pth: unknown key 'pth'; did you mean 'path'?"),
    ('"/ws"', '"ws"', "4: connect.path: expected a path that begins with /, got 'ws'"),
    (
        '  path: "/ws"',
        "  url: tcp://x",
        "4: connect.url: expected ws://{host}:{port}/… as it stands here, got 'tcp://x'",
    ),
    (
        "codec: json",
        "codec: irc",
        "8: actions.join[0].send: no frame of codec irc: expected a line as text, or a map",
    ),
    ("codec: json", "codec: jsn", "5: codec: unknown codec 'jsn'; did you mean 'json'?"),
    (
        "  send:\n    - send",
        "  sent:\n    - send",
        "11: actions.sent: unknown key 'sent'; did you mean 'send'?",
    ),
    ("    - send: {type: join", "    - sent: {type: join", "8: actions.join[0].sent: unknown key 'sent'"),
    ("{room}", "{rom}", "8: actions.join[0].send.room: unknown placeholder {rom}; did you mean 'room'?"),
    ("{room}", "{text}", "8: actions.join[0].send.room: unknown placeholder {text}"),
    ("{text}", "{text|jso}", "12: actions.send[0].send.text: unknown filter 'jso'; did you mean 'json'?"),
    (
        "timeout: 3s",
        "timeout: 3",
        "10: actions.join[1].timeout: expected a duration such as 250ms, 4s or 2m, got 3",
    ),
    ("timeout: 3s", "timeout: 3 sec", "10: actions.join[1].timeout: expected a duration such as"),
    (
        "    - expect: {type: joined}\n",
        "    - fail: {a: 1}\n",
        "9: actions.join[1]: a step has either 'send' or 'expect'",
    ),
    ("{type: joined}", "{type: {re: '['}}", "9: actions.join[1].expect.type.re: bad regular expression '['"),
    (
        "      timeout: 3s",
        "      when: rom",
        "10: actions.join[1].when: unknown variable 'rom'; did you mean 'room'?",
    ),
    ("as: message", "as: mesage", "14: events[0].as: expected one of welcome, joined"),
    ("as: message", "as: mesage", "got 'mesage'; did you mean 'message'?"),
    (
        "fields: {text: text}",
        "fields: {txt: text}",
        "14: events[0].fields.txt: unknown key 'txt'; did you mean 'text'?",
    ),
    ("fields: {text: text}", "fields: {text: a..b}", "14: events[0].fields.text: bad path 'a..b'"),
    (
        "match: {type: say}, ",
        "",
        "15: events[1]: can never apply: events[0] on line 14 matches all of it; move it up",
    ),
    ("{type: error}", "{type: say, x: 1}", "15: events[1]: can never apply: events[0] on line 14"),
    (
        "per: 1s",
        "per: 1sec",
        "17: claims.rate_limit.per: expected a duration such as 250ms, 4s or 2m, got '1sec'",
    ),
    ("allow: 5", "allow: many", "17: claims.rate_limit.allow: expected a whole number, or a {placeholder}"),
    ("allow: 5", "allow: '{limts.x}'", "17: claims.rate_limit.allow: unknown placeholder {limts.x}"),
    (
        "scope: user",
        "scope: users",
        "17: claims.rate_limit.scope: expected one of connection, user, address, room, got",
    ),
    ("scope: user, ", "", "17: claims.rate_limit: lacks 'scope'"),
    ("claims:", "clams:", "16: clams: unknown key 'clams'; did you mean 'claims'?"),
    ("claims:", "http: {}\nclaims:", "16: http: expected a list, got a map"),
    ("claims:", "room_label: lobby\nclaims:", "16: room_label: must hold {room}"),
    ("claims:", "names: {room: '('}\nclaims:", "16: names.room: bad regular expression '('"),
    (
        "claims:",
        "keepalive: {every: 0s, send: {}}\nclaims:",
        "16: keepalive.every: must be longer than nothing",
    ),
    ("claims:", "name: again\nclaims:", "16: name: stands twice, first on line 2"),
    ("claims:", "404: x\nclaims:", "16: the file: a key must be text: write it in quotes"),
    ("codec: json", "codec: [json", "6: not YAML: "),
]


@pytest.mark.parametrize(("old", "new", "told"), MISTAKES)
def test_mistakes(old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(DialectError) as caught:
        parse(GOOD.replace(old, new, 1), "small.yaml")
    text = str(caught.value)
    assert text.startswith("small.yaml:")
    assert told in text
    assert "\n" not in text


def test_the_good_one_is_good() -> None:
    assert parse(GOOD).actions == {"join", "send"}


def test_all_schema_faults_are_told() -> None:
    with pytest.raises(DialectError) as caught:
        parse(GOOD.replace("name:", "nam:").replace("claims:", "clams:"), "x.yaml")
    assert [line.partition(": ")[2] for line in caught.value.problems] == [
        "nam: unknown key 'nam'; did you mean 'name'?",
        "clams: unknown key 'clams'; did you mean 'claims'?",
        "the file: lacks 'name'",
    ]


@pytest.mark.parametrize("text", ["", "just text", "- a list"])
def test_not_a_map(text: str) -> None:
    with pytest.raises(DialectError, match="expected a map with dialect, name"):
        parse(text)


def test_yaml_is_read_as_json_is() -> None:
    text = "{a: on, b: no, c: 2026-01-01, d: 12:30, e: 001, f: 1e3, g: ~, h: true, i: 7, j: '', k: 0x1f}"
    assert read(text, "x").data == {
        "a": "on", "b": "no", "c": "2026-01-01", "d": "12:30", "e": "001", "f": 1000.0, "g": None, "h": True,
        "i": 7, "j": "", "k": "0x1f",
    }  # fmt: skip


def test_anchors_and_merges_work() -> None:
    assert read("a: &x {b: 1}\nc: {<<: *x, d: 2}\n", "x").data["c"] == {"b": 1, "d": 2}
    with pytest.raises(DialectError, match="x:1: an alias inside what it stands for"):
        read("a: &x [*x]", "x")


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        DialectError, match="nativ: no built-in dialect and no file of this name; did you mean 'native'"
    ):
        load("nativ")
    with pytest.raises(DialectError, match=r"none\.yaml: no such file"):
        load(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: \xff")
    with pytest.raises(DialectError, match="not UTF-8"):
        load(tmp_path / "latin.yaml")
    with pytest.raises(DialectError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize(("text", "seconds"), [("250ms", 0.25), ("4s", 4.0), ("1.5m", 90.0), ("2h", 7200.0)])
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "4", "4 s", "-1s", "4s\n", "s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(BadPart):
        duration(text)


def test_schema_lists_what_the_code_knows() -> None:
    whole: dict[str, Any] = schema()
    kinds = whole["properties"]["events"]["items"]["properties"]["as"]["enum"]
    assert set(kinds) == KINDS - {"unclassified"} == set(get_args(Kind)) - {"unclassified"}
    assert set(whole["$defs"]["fields"]["properties"]) == TEXTS | NUMBERS | {"duplicate", "fatal", "members"}
