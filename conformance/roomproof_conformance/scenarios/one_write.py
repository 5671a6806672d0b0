"""Several frames in one write, as a client that does not wait sends them: each stands in the transcript by itself.

Must not know what the frames mean: the dialect makes them.
"""

from __future__ import annotations

from typing import Any

from roomproof_conformance.actors import Client
from roomproof_conformance.frames import BINARY, CLOSE, TEXT, Frame, serialize
from roomproof_conformance.transcript import Record, payload_fields


def acting(client: Client, action: str, **args: Any) -> list[Frame]:
    """The frames that the dialect writes for an action; nothing waits for their answers."""
    return [
        Frame(
            BINARY if outgoing.binary else TEXT,
            outgoing.payload.encode() if isinstance(outgoing.payload, str) else outgoing.payload,
            masked=True,
        )
        for outgoing in client.session.begin(action, **args).outgoing
    ]


def closing(code: int = 1000) -> Frame:
    """A Close frame of a client."""
    return Frame(CLOSE, code.to_bytes(2, "big"), masked=True)


def in_one_write(client: Client, *frames: Frame) -> Record:
    """Write all frames at once; the record of the first of them."""
    records = [
        client.case.note(
            client.name,
            "sent",
            opcode=frame.opcode,
            fin=frame.fin,
            rsv=frame.rsv,
            masked=frame.masked,
            **({"code": frame.close_code} if frame.opcode == CLOSE else {}),
            **payload_fields(frame.payload),
        )
        for frame in frames
    ]
    if client.connection is not None:
        client.connection.raw(b"".join(serialize(frame) for frame in frames))
    return records[0]
