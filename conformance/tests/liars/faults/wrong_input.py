"""What several faults need: a second chance for frames that an honest server refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from roomproof_protocol import ProtocolError
from roomproof_server.rules import session

from .lying import instead_of

Frame = dict[str, Any]


def repair(mend: Callable[[Frame], Frame], *codes: str, restore: str | None = None) -> None:
    """Accept what `mend` makes right of a frame that was refused with one of `codes`.

    `mend` gives a changed copy. The member `restore` of the accepted request is then the client's own again.
    """

    @instead_of(session, "parse_request")
    def parse_request(honest: Callable[..., Frame], data: str, limits: Any) -> Frame:
        try:
            return honest(data, limits)
        except ProtocolError as refusal:
            frame = as_object(data)
            if refusal.code not in codes or frame is None:
                raise
            try:
                request = honest(json.dumps(mend(frame)), limits)
            except ProtocolError:
                raise refusal from None
            if restore is not None:
                request[restore] = frame[restore]
            return request


def as_object(data: str | None) -> Frame | None:
    """The frame as an object, None when it is none."""
    try:
        frame = json.loads(data or "")
    except ValueError:
        return None
    return frame if isinstance(frame, dict) else None
