"""What a chat server said, in the kit's own words.

A dialect turns frames of any wire syntax into these canonical events; scenarios and judges
of portable requirements read nothing else. Knows no socket, no dialect file and no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Kind = Literal[
    "welcome",  # identified: the server accepted who we are
    "joined",  # own join confirmed, or somebody else's noticed (then `sender` is set)
    "left",  # likewise for leaving
    "message",  # a live chat message
    "history",  # older messages: `entries` for a list in one frame, or one message of the past
    "ack",  # one's own message was accepted
    "rate_limited",  # refused for its rate
    "error",  # refused for any other reason
    "kicked",  # thrown out of a room
    "roster",  # who is in a room
    "heartbeat",  # a protocol-level sign of life from the server
    "pong",  # the answer to a protocol-level ping of ours
    "notice",  # anything else that the server says and that a client may ignore
    "closing",  # announces the end of the connection
    "ignore",  # recognised and without meaning for any check
    "unclassified",  # no rule of the dialect matched: kept and shown
]
KINDS: frozenset[str] = frozenset(get_args(Kind))


@dataclass(frozen=True, slots=True)
class Event:
    """One canonical event.

    `fields` holds what the dialect's rule extracted; the names in use are `room`, `from`, `text`,
    `id`, `ref` (the id of the request answered), `code`, `reason`, `seq`, `epoch`, `ts` (ms),
    `mid`, `retry_after_ms`, `count`, `who` and, for a history in one frame, `entries` (a list of
    such mappings, in the order of the wire). `tree` is the decoded event as the codec gave it.
    """

    kind: Kind
    fields: Mapping[str, Any] = field(default_factory=dict)
    tree: Any = None
    rule: str = ""

    @property
    def room(self) -> str | None:
        return self.fields.get("room")

    @property
    def sender(self) -> str | None:
        return self.fields.get("from")

    @property
    def text(self) -> str | None:
        return self.fields.get("text")

    @property
    def code(self) -> str | None:
        return self.fields.get("code")

    @property
    def ref(self) -> str | None:
        return self.fields.get("ref")

    @property
    def entries(self) -> list[Mapping[str, Any]]:
        """The messages of a `history` or of a `joined` that embeds one; a single past message is a list of one."""
        if "entries" in self.fields:
            return list(self.fields["entries"] or ())
        return [self.fields] if self.kind == "history" else []

    def as_json(self) -> dict[str, Any]:
        """The form kept in transcripts."""
        return {"kind": self.kind, "fields": dict(self.fields), "tree": self.tree, "rule": self.rule}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Event:
        return cls(data["kind"], data.get("fields", {}), data.get("tree"), data.get("rule", ""))
