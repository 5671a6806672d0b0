"""IRC lines as they are on the wire, and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomproof_conformance.dialects.codecs import CODECS, Unreadable

IRC = CODECS["irc"]


@pytest.mark.parametrize(
    ("line", "tree"),
    [
        ("PING tok", {"tags": {}, "cmd": "PING", "params": ["tok"]}),
        ("ping :a b", {"tags": {}, "cmd": "PING", "params": ["a b"]}),
        (
            ":irc.x 001 ann :Welcome :) ann",
            {"tags": {}, "source": "irc.x", "nick": "irc.x", "cmd": "001", "params": ["ann", "Welcome :) ann"]},
        ),
        (
            "@time=2026-01-01T00:00:00.000Z;batch=7;+x=a\\:b\\sc\\\\d\\r\\n\\q\\;y :b!u@h  PRIVMSG  #r   :\u00a0hi ",
            {
                "tags": {"time": "2026-01-01T00:00:00.000Z", "batch": "7", "+x": "a;b c\\d\r\nq", "y": ""},
                "source": "b!u@h",
                "nick": "b",
                "cmd": "PRIVMSG",
                "params": ["#r", "\u00a0hi "],
            },
        ),
        ("JOIN #a\u00a0b", {"tags": {}, "cmd": "JOIN", "params": ["#a\u00a0b"]}),
        ("X a:b ::c", {"tags": {}, "cmd": "X", "params": ["a:b", ":c"]}),
        ("X :", {"tags": {}, "cmd": "X", "params": [""]}),
        ("X", {"tags": {}, "cmd": "X", "params": []}),
    ],
)
def test_lines(line: str, tree: Any) -> None:
    assert IRC.decode(line) == IRC.decode(f"{line}\r\n") == IRC.decode(line.encode()) == [tree]


def test_one_frame_may_hold_several_lines_or_none() -> None:
    assert [line["params"] for line in IRC.decode("A 1\r\nB 2\nC 3\r\n\r\n")] == [["1"], ["2"], ["3"]]
    assert IRC.decode("") == IRC.decode("\r\n") == []


@pytest.mark.parametrize("line", [" PING", ":x", "@a", "12 x", "P1NG x", "@a :b", "\x00", "{}"])
def test_what_is_no_line_stays_text(line: str) -> None:
    (tree,) = IRC.decode(line)
    assert isinstance(tree, Unreadable)
    assert tree == line


@given(st.binary() | st.text())
def test_decoding_never_raises(payload: str | bytes) -> None:
    IRC.decode(payload)


_WORD = st.text(st.characters(exclude_characters="\0\r\n ", exclude_categories=["Cs"]), min_size=1)
_MIDDLE = _WORD.filter(lambda word: not word.startswith(":"))
_LAST = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]))


@given(st.lists(_MIDDLE), _LAST, st.dictionaries(st.from_regex(r"\A[a-z]+\Z"), _LAST))
def test_round_trip(middle: list[str], last: str, tags: dict[str, str]) -> None:
    tree = {"tags": tags, "source": "a!b@c", "nick": "a", "cmd": "X", "params": [*middle, last]}
    written = IRC.encode({key: value for key, value in tree.items() if key != "nick"})
    assert IRC.decode(written) == [tree]


@pytest.mark.parametrize(
    "tree",
    [
        {"cmd": "PRIVMSG", "params": ["#r", "hi\nQUIT"]},
        {"cmd": "PRIVMSG", "params": ["a b", "hi"]},
        {"cmd": "PRIVMSG", "params": [":a", "hi"]},
        {"cmd": "PRIVMSG", "params": ["", "hi"]},
        {"params": []},
        {"cmd": "X", "param": []},
        {"cmd": "X", "params": "a"},
        ["X"],
    ],
)
def test_what_no_line_can_carry_is_not_written(tree: Any) -> None:
    with pytest.raises(ValueError, match=r"line|map|last parameter"):
        IRC.encode(tree)
