"""The drawings of the site: conversations as they were recorded, and the states of a connection and a membership.

The states are a table here, with the sentences they rest on; a test holds it against the protocol's tables.
"""

from __future__ import annotations

import json
from html import escape

from roomproof_conformance.report.sequence import sequence
from roomproof_conformance.report.story import story
from roomproof_conformance.transcript import Transcript
from tools import ROOT
from tools.docs import terminal
from tools.docs.record import CONVERSATIONS, FOLDER

# What the drawings look like as files of their own; the site has the same rules, in its theme's colours.
STYLE = """<style>
svg{background:#fff;font:11.5px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace}text{fill:#1d2126}
.time,.dim,.body{fill:#5c646d}.what,.name{font-weight:700}.note,.quiet{font-style:italic;fill:#5c646d}
.head,.state{fill:#f3f1eb;stroke:#6c747c}.life{stroke:#999;stroke-dasharray:2 3;fill:none}
.arrow{stroke:#2f6690;fill:none;stroke-width:1.4}.tip{fill:#2f6690}.arrow.in{stroke:#1d2126}.tip.in{fill:#1d2126}
.arrow.open{stroke:#6c747c;stroke-dasharray:4 3}.tip.open{fill:#6c747c}.arrow.bad,.cross{stroke:#b3261e;fill:none}
.tip.bad{fill:#b3261e}.mark{stroke:#6c747c;stroke-dasharray:1 4;fill:none}.gap{fill:#eee}
</style>"""

# machine: states from top to bottom, and steps (from, to, what is heard, what is said, sentences).
MACHINES: dict[str, tuple[tuple[str, ...], tuple[tuple[str, str, str, str, str], ...]]] = {
    "connection": (
        ("handshake", "unknown", "known", "closing", "over"),
        (
            ("handshake", "unknown", "101", "", "CONN-1"),
            ("handshake", "over", "unknown subprotocol, foreign origin", "HTTP 400, 403", "CONN-2 CONN-3"),
            ("unknown", "known", "hello", "welcome", "CONN-6"),
            ("unknown", "closing", "anything else, or a hello that fails", "error (fatal), Close", "CONN-4 CONN-13"),
            ("unknown", "closing", "nothing for hello_ms", "Close 4408", "CONN-5"),
            ("known", "known", "a request", "its reply", "CONN-11"),
            ("known", "known", "a frame that is no request", "error (not fatal)", "ERR-1 ERR-10"),
            ("known", "closing", "nothing for T to I + T", "Close 4001", "BEAT-4"),
            ("known", "closing", "does not read", "Close 4002", "DISC-7"),
            ("known", "closing", "floods", "Close 4229, 4400", "RATE-12 ERR-13"),
            ("known", "closing", "the token expires", "Close 4101", "AUTH-5"),
            ("known", "closing", "the server drains", "notice, Close 1001 or 1012", "DISC-5"),
            ("known", "closing", "Close", "Close", "DISC-1"),
            ("closing", "over", "TCP ends, at the latest after 10 s", "", "DISC-11"),
        ),
    ),
    "membership": (
        ("outside", "member", "reset"),
        (
            ("outside", "member", "join", "joined", "HIST-1"),
            ("outside", "outside", "leave", "left", "ROOM-7"),
            ("outside", "outside", "send, history, presence", "error not_joined", "HIST-9"),
            ("member", "member", "join", "joined (already)", "ROOM-5"),
            ("member", "member", "", "message, presence_event", "MSG-5 PRES-2"),
            ("member", "outside", "leave, the connection ends", "left", "ROOM-6 PRES-3"),
            ("member", "reset", "the stream changes", "reset", "ROOM-12"),
            ("reset", "member", "join", "joined (already)", "ROOM-12"),
            ("reset", "outside", "leave, the connection ends", "left", "ROOM-6"),
        ),
    ),
}
RED_LINE = ROOT / "docs" / "drawings" / "red-line.ansi"
LANE, ROW, TOP, LEFT = 92, 30, 44, 60


def conversation(name: str) -> str:
    """The drawing of a recorded conversation."""
    transcript = Transcript()
    for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        transcript.add(record["t"], record["conn"], record["kind"], **record["data"])
    return _styled(sequence(story(transcript)))


def machine(name: str) -> str:
    """States as lanes, each step an arrow from the state it begins in to the one it ends in."""
    states, steps = MACHINES[name]
    x = {state: LEFT + LANE * place for place, state in enumerate(states)}
    beside = LEFT + LANE * (len(states) - 1) + 60
    width, height = beside + 530, TOP + ROW * len(steps) + 8
    parts = []
    for state in states:
        parts.append(f'<path class="life" d="M{x[state]} 30V{height - 8}"/>')
        parts.append(f'<rect class="head" x="{x[state] - 40}" y="6" width="80" height="24" rx="12"/>')
        parts.append(f'<text class="name" x="{x[state]}" y="22" text-anchor="middle">{state}</text>')
    for place, (begin, end, heard, said, ids) in enumerate(steps):
        y = TOP + ROW * place + ROW // 2
        parts += _step(x[begin], x[end], y, "bad" if end in ("closing", "over", "reset") else "out")
        words = f'<tspan class="what">{escape(heard)}</tspan>' if heard else ""
        words += f'<tspan dx="{7 if heard else 0}">{escape(("→ " if heard else "") + said)}</tspan>' if said else ""
        parts.append(f'<text x="{beside}" y="{y + 4}">{words}<tspan class="body" dx="9">{ids}</tspan></text>')
    body = "\n".join(parts)
    return _styled(
        f'<svg class="seq" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="States: {", ".join(states)}">\n{body}\n</svg>'
    )


def _step(x1: int, x2: int, y: int, kind: str) -> list[str]:
    if x1 == x2:
        return [
            f'<path class="arrow {kind}" d="M{x1} {y - 7}h22v14h-16"/>',
            f'<path class="tip {kind}" d="M{x1} {y + 7}l6 -3.5v7z"/>',
        ]
    point = 6 if x2 > x1 else -6
    return [
        f'<circle class="tip {kind}" cx="{x1}" cy="{y}" r="2.5"/>',
        f'<path class="arrow {kind}" d="M{x1} {y}H{x2 - point}"/>',
        f'<path class="tip {kind}" d="M{x2} {y}l{-point} -3.5v7z"/>',
    ]


def _styled(svg: str) -> str:
    head, _, rest = svg.partition(">")
    return f'{head} xmlns="http://www.w3.org/2000/svg">\n{STYLE}{rest}\n'


def drawings() -> dict[str, str]:
    """Name and text of every drawing."""
    talk = {name: conversation(name) for name in CONVERSATIONS}
    return talk | {name: machine(name) for name in MACHINES} | {"red-line": terminal.drawn(RED_LINE)}
