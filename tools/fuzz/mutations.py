"""Frames that are wrong in ways nobody thought of: mutations of the schemas' own examples.

Three levels, the deeper the more of a frame survives: bytes, JSON tokens, and the structure of the decoded
message. Everything comes from the random generator that is passed in, so a seed gives the same frames again.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable
from typing import Any

from roomproof_protocol import client_types, schema, server_types

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[{}\[\]:,]|[^\s{}\[\]:,"]+|\s+', re.DOTALL)

STRINGS = (
    "", " ", "\n", "\r", "\0", "\x7f", "\x85", "\ufeff", "\u2028", "\u202e", "\ufffe", "\ud800", "\udfff", "\U0010ffff",
    "é", "e\u0301", "\u200b", "\u0301", "a" * 64, "a" * 65, "lobby", "lobby\n", "LOBBY", "dm.x", ".a", "a.", "-", "..",
    "__proto__", "constructor", "x" * 4096, "x" * 4097, "é" * 2048, "é" * 2049, "\U0001f600" * 1024, '"' * 4096,
    "guest", "resume_guest", "jwt", "null", "NaN", "1", "../../etc/passwd", "%s%s%n", "{{7*7}}", "' OR 1=1--",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 1.0, 1.5, -0.0, 2**31, 2**53 - 1, 2**53, 2**63, 2**64, 10**30, 1e300, [], {}, [[]],
    [None], {"": None}, {"type": "send"}, [1, [2, [3]]],
)  # fmt: skip
TOKENS = (
    "null", "true", "NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "-0", "00", "01", "+1", ".5", "1.",
    "0x10", "9" * 19, "9" * 400, '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\\x"', '"', "'a'", "{", "}", "[", "]",
    ",", ":", "//", "/**/", "\x00", "\ufeff", "{" * 17, "[" * 17 + "]" * 17, "[" * 2000, '{"a":' * 100, "undefined",
)  # fmt: skip
MEMBERS = ("type", "id", "room", "text", "mid", "after", "history", "epoch", "seq", "before", "limit", "auth", "scheme",
           "token", "name", "client", "caps", "from", "ts", "user", "__proto__", "", "\ud800")  # fmt: skip

Message = dict[str, Any]


def examples() -> list[Message]:
    """Every valid and invalid example of a client's message, and the server's own as something out of place."""
    found: list[Message] = []
    for type_ in client_types():
        form = schema("client", type_)
        found += form["examples"]
        found += [row["value"] for row in form.get("x-invalid-examples", ()) if isinstance(row["value"], dict)]
    for type_ in server_types():
        found += schema("server", type_)["examples"][:1]
    return found


class Mutator:
    """Makes frames from ``seeds``; ``chance`` decides everything."""

    def __init__(self, chance: random.Random, seeds: list[Message] | None = None) -> None:
        self._chance = chance
        self._seeds = seeds or examples()
        self._texts = [dump(seed, ascii_only=False) for seed in self._seeds]

    def frame(self) -> bytes:
        """The next frame: one in ten untouched."""
        chance = self._chance
        level = chance.random()
        if level < 0.1:
            return chance.choice(self._texts).encode("utf-8", "surrogatepass")
        if level < 0.55:
            message = copy.deepcopy(chance.choice(self._seeds))
            for _ in range(chance.choice((1, 1, 1, 2, 3))):
                self._structure(message)
            text = dump(message, ascii_only=chance.random() < 0.3)
        else:
            text = chance.choice(self._texts)
        if 0.4 < level < 0.8:
            for _ in range(chance.choice((1, 1, 2))):
                text = self._tokens(text)
        data = text.encode("utf-8", "surrogatepass")
        if level > 0.7:
            for _ in range(chance.choice((1, 1, 2, 5))):
                data = self._bytes(data)
        return data

    def _structure(self, message: Message) -> None:
        """Change one thing in the message or in an object within it."""
        chance = self._chance
        objects = [message, *(value for value in message.values() if isinstance(value, dict))]
        target: Message = chance.choice(objects)
        name = chance.choice(list(target)) if target and chance.random() < 0.7 else chance.choice(MEMBERS)
        kind = chance.randrange(6)
        if kind == 0:
            target.pop(name, None)
        elif kind == 1:
            target[name] = copy.deepcopy(chance.choice(VALUES))
        elif kind == 2:
            target[name] = chance.choice(STRINGS)
        elif kind == 3:
            target[name] = target.pop(chance.choice(list(target)), None) if target else None
        elif kind == 4:
            value: Any = copy.deepcopy(chance.choice(VALUES))
            for _ in range(chance.choice((1, 3, 14, 15, 16, 17))):
                value = [value] if chance.random() < 0.5 else {name: value}
            target[name] = value
        else:
            message["type"] = chance.choice((*client_types(), *server_types(), chance.choice(STRINGS)))

    def _tokens(self, text: str) -> str:
        chance = self._chance
        tokens = TOKEN.findall(text) or [""]
        at = chance.randrange(len(tokens))
        kind = chance.randrange(5)
        if kind == 0:
            tokens[at] = chance.choice(TOKENS)
        elif kind == 1:
            tokens.insert(at, chance.choice(TOKENS))
        elif kind == 2:
            del tokens[at]
        elif kind == 3:
            other = chance.randrange(len(tokens))
            tokens[at], tokens[other] = tokens[other], tokens[at]
        else:
            end = min(len(tokens), at + chance.randrange(1, 6))
            tokens[at:at] = tokens[at:end] * chance.choice((1, 1, 2))
        return "".join(tokens)

    def _bytes(self, data: bytes) -> bytes:
        chance = self._chance
        raw = bytearray(data)
        at = chance.randrange(len(raw) + 1)
        ways: tuple[Callable[[], Any], ...] = (
            lambda: raw.insert(at, chance.randrange(256)),
            lambda: raw.__delitem__(slice(at, at + chance.randrange(1, 9))),
            lambda: raw.__delitem__(slice(at, None)),
            lambda: raw.__setitem__(slice(at, at + 1), bytes([chance.randrange(256)])),
            lambda: raw.__setitem__(slice(at, at), raw[at : at + chance.randrange(1, 40)]),
            lambda: raw.__setitem__(slice(at, at), chance.choice((b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90"))),
            lambda: raw.__setitem__(slice(at, None), chance.choice(self._texts).encode("utf-8", "replace")[at:]),
        )
        chance.choice(ways)()
        return bytes(raw)


def dump(message: object, *, ascii_only: bool) -> str:
    """The message as JSON text, infinities and lone surrogates included."""
    return json.dumps(message, ensure_ascii=ascii_only, separators=(",", ":"))
