"""Socket.IO packets (protocol 5) inside Engine.IO packets (protocol 4), one per text message.

A packet is `{eio}` (open, close, ping, pong, message, upgrade, noop) with `open` (what the server said of itself) or
`data` (the rest, as text, where there is any); a message adds `sio` (connect, disconnect, event, ack, connect_error,
binary_event, binary_ack), `ns`, `ack` (the id of an acknowledgement) where there is one, and `event` with `args`, or
`args` of an acknowledgement, or `data`. A binary message is an attachment, `{eio: message, binary: base64}`; putting
attachments into their packet needs a plug-in. Knows no chat.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from . import jsons
from .base import DEPTH, Codec, Unreadable

EIO: Final = ("open", "close", "ping", "pong", "message", "upgrade", "noop")
SIO: Final = ("connect", "disconnect", "event", "ack", "connect_error", "binary_event", "binary_ack")
_PACKET: Final = re.compile(r"([0-6])(?:([0-9]+)-)?(?:(/[^,]*),)?([0-9]+)?(.*)", re.DOTALL)
_KEYS: Final = frozenset({"eio", "sio", "ns", "ack", "event", "args", "data"})
_Packet = dict[str, Any]


def _decode(payload: str | bytes) -> list[Any]:
    if isinstance(payload, bytes):
        return [{"eio": "message", "binary": base64.b64encode(payload).decode()}]
    try:
        return [_packet(payload)]
    except (ValueError, RecursionError):
        return [Unreadable(payload)]


def _packet(text: str) -> _Packet:
    """Raises ValueError, RecursionError."""
    if text[:1] not in tuple("0123456"):
        raise ValueError
    kind, rest = EIO[int(text[0])], text[1:]
    if kind == "open":
        return {"eio": kind, "open": _json(rest)}
    if kind != "message":
        return {"eio": kind, "data": rest} if rest else {"eio": kind}
    found = _PACKET.fullmatch(rest)
    if found is None:
        raise ValueError
    number, attachments, namespace, ack, body = found.groups()
    sio = SIO[int(number)]
    packet: _Packet = {"eio": kind, "sio": sio, "ns": namespace or "/"}
    if attachments is not None:
        packet["attachments"] = _small(attachments)
    if ack is not None:
        packet["ack"] = _small(ack)
    data = _json(body) if body else None
    if sio.endswith("event"):
        if not isinstance(data, list) or not data:
            raise ValueError
        return packet | {"event": data[0], "args": data[1:]}
    if sio.endswith("ack"):
        if not isinstance(data, list):
            raise ValueError
        return packet | {"args": data}
    return packet | {"data": data} if body else packet


def _small(digits: str) -> int:
    if len(digits) > 18:
        raise ValueError
    return int(digits)


def _json(text: str) -> Any:
    tree = json.loads(text)
    if text.count("[") + text.count("{") > DEPTH and jsons.is_deep(tree):
        raise ValueError
    return tree


def _encode(tree: Any) -> str:
    """A packet of the form that `decode` gives; `{event: …, args: […]}` alone is an event of the main namespace."""
    if problem := _wrong(tree):
        raise ValueError(problem)
    kind = tree.get("eio", "message")
    if kind != "message":
        return f"{EIO.index(kind)}{tree.get('data', '')}"
    sio = tree.get("sio", "event")
    namespace = tree.get("ns", "/")
    head = f"4{SIO.index(sio)}{'' if namespace == '/' else f'{namespace},'}{tree.get('ack', '')}"
    if sio == "event":
        return head + jsons.encode([tree["event"], *tree.get("args", ())])
    if sio == "ack":
        return head + jsons.encode(list(tree.get("args", ())))
    return head + (jsons.encode(tree["data"]) if "data" in tree else "")


def _wrong(raw: Any) -> str:
    if isinstance(raw, str):
        return ""
    if not isinstance(raw, Mapping):
        return "expected a packet as text, or a map such as {event: chat, args: [hello]}"
    unknown = sorted(raw.keys() - _KEYS)
    if unknown:
        return f"a packet has {', '.join(sorted(_KEYS))}, not {unknown[0]!r}"
    kind, sio = raw.get("eio", "message"), raw.get("sio", "event")
    if kind not in EIO:
        return f"eio is one of {', '.join(EIO)}, not {kind!r}"
    if sio not in SIO[:5]:
        return f"sio is one of {', '.join(SIO[:5])}, not {sio!r}; binary packets need a plug-in"
    if kind == "message" and sio == "event" and "event" not in raw:
        return "an event needs its name: event"
    if not isinstance(raw.get("args", []), list):
        return "args is a list"
    return ""


SOCKETIO: Final = Codec("socketio", _decode, _encode, _wrong)
