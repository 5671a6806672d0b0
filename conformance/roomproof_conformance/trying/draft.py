"""A first dialect file from what is known of a server, with comments on what to look at.

Pure: what `probing` found, and YAML as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from roomproof_conformance.dialects import built_in, load
from roomproof_conformance.dialects.loading import find

from .advice import discriminator, fields_of, flow, kind_of, leaves
from .probing import Known, Shape, trees

WIDTH = 120


def draft(url: str, known: Known) -> str:
    """The whole file."""
    if (example := _example(known.codec)) is not None:
        return _from_example(url, known, example)
    return "\n".join([*_head(url, known), *_actions(known), *_events(known), *_tail(known)]) + "\n"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in text.splitlines()]


def _shown(frame: str) -> str:
    return json.dumps(frame if len(frame) <= 200 else frame[:200] + "…")


def _connect(url: str, known: Known) -> list[str]:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = ["connect:", f"  path: {json.dumps(path)}"]
    if known.origin:
        lines.append('  headers: {Origin: "http://{host}"}  # without one it refuses')
    if known.subprotocol:
        lines.append(f"  subprotocols: [{known.subprotocol}]")
    return lines


def _head(url: str, known: Known) -> list[str]:
    lines = [
        f"# A first draft for {url}, made by asking it. Look at each line; then: roomproof dialect try FILE {url}",
        "dialect: 1",
        f"name: server at {urlsplit(url).netloc}",
    ]
    if known.status != 101:
        lines += _comment(
            f"The server answered HTTP {known.status} instead of 101. Is the path right? Does it want the room or the "
            'name in the address\n(path: "/ws/{room|path}?user={nick|query}"), a header, a subprotocol?'
        )
    lines += _connect(url, known)
    if not known.codec:
        lines += _comment(
            "It said nothing of its own and understood nothing; if it does not speak JSON: text, irc, xml."
        )
    return [*lines, f"codec: {known.codec or 'json'}"]


def _frame(shape: Shape | str) -> str:
    return flow(shape) if isinstance(shape, dict) else json.dumps(shape)


def _actions(known: Known) -> list[str]:
    lines = ["actions:"]
    if known.send is None:
        return [
            "# None of the common ways to join and to talk was understood. Write what your clients send:",
            *lines,
            '  join: [{send: {type: join, room: "{room}", name: "{nick}"}}]',
            '  send: [{send: {type: message, room: "{room}", text: "{text}"}}]',
        ]
    if known.identify is not None:
        lines.append(f"  identify: [{{send: {_frame(known.identify)}}}]")
    if known.join is not None:
        lines += ["  join:", f"    - send: {_frame(known.join)}"]
        if (answer := _confirmation(known)) is not None:
            match, _ = discriminator(answer)
            lines.append(f"    - expect: {flow(match)}  # came: {_shown(json.dumps(answer))}")
        else:
            lines.append("    # No answer to it was recognised; with `expect` the kit waits for one.")
    elif "{room}" not in str(known.send):
        lines += _comment(
            "Everybody hears everybody: where is the room? In the address, perhaps: {room|path}, {room|query}"
        )
    lines.append(f"  send: [{{send: {_frame(known.send)}}}]")
    return lines


def _confirmation(known: Known) -> dict[str, Any] | None:
    """The frame that most likely says to a newcomer that the join took effect."""
    told = [tree for tree in trees(known.later) if known.token not in json.dumps(tree)]
    return next((tree for tree in told if kind_of(discriminator(tree)[1]) in ("joined", "welcome")), None)


def _events(known: Known) -> list[str]:
    rules = list(dict.fromkeys(_rules(known)))
    if not rules:
        rules = [
            "  # what a chat message looks like when it comes:",
            "  - {as: message, match: {type: message}, fields: {room: room, from: name, text: text}}",
        ]
    return ["events:  # the first rule that matches counts", *rules]


def _rules(known: Known) -> Iterator[str]:
    if known.heard is not None:
        heard = next(trees([known.heard]), None)
        yield from _message(known, heard) if heard is not None else [_sentence(known)]
    seen: set[str] = set()
    if known.heard is not None:
        seen.update(flow(discriminator(tree)[0]) for tree in trees([known.heard]))
    for told, rule in _history(known):
        seen.add(told)
        yield rule
    frames = [*known.later, *known.errors.values(), *known.beside, *known.greeting]
    for tree in trees([frame for frame in frames if not known.token or known.token not in frame]):
        match, word = discriminator(tree)
        if flow(match) in seen:
            continue
        seen.add(flow(match))
        kind = kind_of(word or " ".join(tree))
        fields = fields_of(tree) if kind in ("error", "rate_limited", "joined", "left") else {}
        held = f", fields: {flow(fields)}" if fields else ""
        yield f"  - {{as: {kind}, match: {flow(match)}{held}}}  # came: {_shown(json.dumps(tree))}"


def _message(known: Known, heard: dict[str, Any]) -> Iterator[str]:
    match, _ = discriminator(heard)
    by_value = {known.token: "text", known.nick: "from", known.room: "room"}
    fields = {by_value[value]: path for path, value in leaves(heard) if isinstance(value, str) and value in by_value}
    guessed = {name: path for name, path in fields_of(heard).items() if name in ("id", "ts") and path not in fields}
    yield f"  - as: message\n    match: {flow(match)}\n    fields: {flow({**fields, **guessed})}"
    if "from" not in fields:
        yield "    # It does not say from whom: then some checks of senders do not apply."


def _history(known: Known) -> Iterator[tuple[str, str]]:
    """How a newcomer was told what had been said: what tells such a frame, and its rule."""
    for tree in trees([frame for frame in known.later if known.token and known.token in frame]):
        match, _ = discriminator(tree)
        for path, value in leaves(tree):
            if isinstance(value, list) and known.token in json.dumps(value):
                entry = next((e for e in value if isinstance(e, dict) and known.token in json.dumps(e)), None)
                if entry is None:
                    continue
                by_value = {known.token: "text", known.nick: "from", known.room: "room"}
                fields = {by_value[v]: p for p, v in leaves(entry) if isinstance(v, str) and v in by_value}
                yield (
                    flow(match),
                    f"  - as: history\n    match: {flow(match)}\n    entries: {{list: {path}, fields: {flow(fields)}}}",
                )
                return


def _sentence(known: Known) -> str:
    """A rule for a message of plain text, with the sender where it stands before the text."""
    assert known.heard is not None
    before, _, after = known.heard.partition(known.token)
    pattern = re.escape(before).replace(re.escape(known.nick), "(?P<from>.+?)") if known.nick else re.escape(before)
    whole, end = "^" + pattern, re.escape(after) + "$"
    quote = '"' if "'" in known.heard else "'"
    taken = f". | re({quote}{whole}(?P<text>.*){end}{quote}, 'text')"
    return (
        f"  - as: message  # came: {_shown(known.heard)}\n"
        f"    match: {{re: {json.dumps(f'{whole}.*{end}')}}}\n"
        f"    fields: {{text: {json.dumps(taken)}}}"
    )


def _tail(known: Known) -> list[str]:
    lines = [f"echo: {'self' if known.echo or known.heard is None else 'none'}"]
    if known.heard is not None and not known.echo:
        lines[0] += "  # whoever says something does not hear it"
    lines += [
        "claims:  # what the server promises; what is not claimed is not held against it. More: docs/dialects.md",
        "  rooms: {isolated: true"
        + (", many: false}" if isinstance(known.send, dict) and "{room}" not in known.send.values() else "}"),
    ]
    if known.heard is not None and any(known.token in frame for frame in known.later):
        lines.append("  # history: {when: join, bound: 100, order: oldest-first}  # how many does it keep?")
    lines.append("  # rate_limit: {scope: user, model: window, allow: 5, per: 1s, effect: error}")
    if known.pings:
        lines.append(f"  # heartbeat: it sent a WebSocket Ping after {known.pings[0]:.1f} s")
    claims = {
        what: flow({"close": int(v[6:])}) if v.startswith("close ") else v if v == "tcp-close" else "error"
        for what, v in known.errors.items()
    }
    if claims:
        lines.append("  malformed: {" + ", ".join(f"{what}: {how}" for what, how in claims.items()) + "}")
    return lines


def _example(codec: str) -> str | None:
    """The dialect that ships for a wire which is no JSON of one's own: a server of that wire needs mostly the same."""
    if codec in ("", "json", "text"):
        return None
    return next((name for name in built_in() if load(name).codec.name == codec), None)


def _from_example(url: str, known: Known, example: str) -> str:
    """What ships for the same wire, to be changed where this server differs."""
    text, label = find(example)
    said = [f"# It said: {_shown(frame)}" for frame in known.greeting[:5]]
    head = [
        f"# A first draft for {url}: it speaks {known.codec}, so this begins with {label}, the example for that wire.",
        "# Change the address, the names of what is sent, and the claims: those are of another server. Then:",
        f"# roomproof dialect try FILE {url}",
        *said,
    ]
    return "\n".join(head) + "\n" + text
