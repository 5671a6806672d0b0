"""What the author of a dialect should write next, from what a trial saw.

Pure: an exchange that was not answered, or an event that no rule matched, and a line of words or YAML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from roomproof_conformance.dialects import Exchange
from roomproof_conformance.events import Event
from roomproof_conformance.report.escaping import visible

DISCRIMINATORS = ("type", "action", "event", "kind", "cmd", "command", "op", "msg", "t", "sio", "eio")
"""Members whose value commonly says what a frame is."""
NAMES: Mapping[str, tuple[str, ...]] = {
    "text": ("text", "content", "message", "msg", "body"),
    "from": ("from", "username", "user", "nick", "sender", "author", "name"),
    "room": ("room", "room_id", "roomId", "channel"),
    "id": ("id", "message_id", "messageId"),
    "ts": ("ts", "timestamp", "time", "date"),
    "code": ("code", "error_code"),
    "reason": ("reason", "error", "detail", "message"),
}
"""What servers commonly call the fields of an event, the likeliest first."""
KINDS: Sequence[tuple[str, str]] = (
    ("error|fail|denied|invalid", "error"),
    ("rate|limit|slow.?down|throttl", "rate_limited"),
    ("hist|backlog|recent", "history"),
    ("leave|left|part|quit|disconnect", "left"),
    ("join|enter|connect", "joined"),
    ("users|roster|members|presence|online", "roster"),
    ("ping|heartbeat|keepalive", "heartbeat"),
    ("pong", "pong"),
    ("ack|sent|delivered", "ack"),
    ("welcome|hello|ready", "welcome"),
    ("chat|message|msg|broadcast", "message"),
)
"""What the value of a discriminator commonly means; the first that is found."""


def unanswered(exchange: Exchange, events: Sequence[Event]) -> str:
    """Why an action did not succeed, with the difference of each frame that came from what was expected."""
    if exchange.done:
        refusal = exchange.event.tree if exchange.event else None
        return f"the server refused (`fail` matched): {visible(json.dumps(refusal, default=str), 200)}"
    if not exchange.expected:
        return "the connection ended before"
    wanted = f"`expect` waited for {exchange.expected}"
    if not events:
        return f"{wanted}, and nothing came; does the server answer at all? Without `expect` nothing is waited for"
    missed = "; ".join(dict.fromkeys(exchange.misses(event.tree) for event in events[-3:]))
    return f"{wanted}; of what came: {missed}"


def missing_rule(event: Event) -> str:
    """A rule for an event that none matched: its kind and fields guessed from the names that it uses."""
    if not isinstance(event.tree, dict):
        return f"a rule for {visible(json.dumps(event.tree, default=str), 120)}: the codec made no map of it"
    match, word = discriminator(event.tree)
    kind = kind_of(word or " ".join(event.tree))
    fields = fields_of(event.tree) if kind not in ("heartbeat", "ignore") else {}
    held = f", fields: {{{', '.join(f'{name}: {path}' for name, path in fields.items())}}}" if fields else ""
    return f"a rule such as - {{as: {kind}, match: {flow(match)}{held}}}"


def discriminator(tree: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The pattern that tells such a frame from others, and the word in it."""
    for name in DISCRIMINATORS:
        if isinstance(value := tree.get(name), str) and len(value) <= 40:
            return {name: value}, value
    name = next(iter(tree), "")
    return {name: {"exists": True}}, ""


def kind_of(words: str) -> str:
    """The kind of event that such words commonly stand for; `ignore` when none is known."""
    return next((kind for pattern, kind in KINDS if re.search(pattern, words, re.IGNORECASE)), "ignore")


def fields_of(tree: Mapping[str, Any], *, leaving: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Field and path for what the tree seems to hold; `leaving` are the members that a pattern has used already."""
    paths = dict(leaves(tree))
    found: dict[str, str] = {}
    for field, names in NAMES.items():
        for name in names:
            path = next((path for path in paths if path.rpartition(".")[2] == name), None)
            if path is not None and path not in found.values() and path not in (leaving or {}):
                found[field] = path
                break
    return found


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no map, with its path as dialects write it."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from leaves(value, f"{path}.{name}" if path else str(name))
    elif path:
        yield path, tree


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", value)
    reserved = isinstance(value, str) and value.lower() in ("true", "false", "null", "yes", "no", "on", "off")
    return value if plain and not reserved else json.dumps(value)
