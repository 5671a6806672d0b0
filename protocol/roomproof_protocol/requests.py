"""From a client's frame to a request that can be acted upon, in the order of checks of section 4.

Permission, membership, quotas and what is fatal where come after it, in the server.
"""

from __future__ import annotations

from typing import Any

from roomproof_protocol.codec import decode
from roomproof_protocol.errors import ProtocolError
from roomproof_protocol.grammar import is_identifier, nfc
from roomproof_protocol.limits import DEFAULTS, Limits
from roomproof_protocol.messages import client_types, faults, schema
from roomproof_protocol.quick import quick_request


def parse_request(data: str | bytes, limits: Limits = DEFAULTS) -> dict[str, Any]:
    """Give the request in a text frame: known members only, integers as int, names in NFC.

    Checks in order: JSON, object, `type` a string, `type` known, `id`, other members. Raises ProtocolError,
    and nothing else: `invalid_json`, `invalid_message`, `unknown_type`, `invalid_room`, `invalid_name`,
    `invalid_text` or `text_too_long`; its `re` is the `id` wherever the frame was an object with a valid
    one, its `field` the JSON Pointer of the member at fault (ERR-1 to ERR-6, ERR-16).
    """
    if isinstance(data, str) and (request := quick_request(data, limits)) is not None:
        return request
    return check_frame(decode(data), limits)


def check_frame(frame: object, limits: Limits = DEFAULTS) -> dict[str, Any]:
    """Do what `parse_request` does, for a frame that is decoded already."""
    if not isinstance(frame, dict):
        raise ProtocolError("invalid_message", "a frame must be one JSON object", field="")
    frame_id = frame.get("id")
    re = frame_id if is_identifier(frame_id) else None
    type_ = frame.get("type")
    if not isinstance(type_, str):
        raise ProtocolError("invalid_message", "type must be a string", re=re, field="/type")
    if type_ not in client_types():
        raise ProtocolError("unknown_type", f"a client may send {', '.join(client_types())}", re=re, field="/type")
    if re is None:
        raise ProtocolError("invalid_message", "id must be 1-64 of A-Z a-z 0-9 . _ ~ -", field="/id")
    fault = next(faults("client", type_, frame, limits), None)
    if fault is not None:
        member = fault.pointer[1:].replace("/", ".")  # a pointer in a text for people looks like a path
        raise ProtocolError(fault.code, f"{member}: {fault.message}", re=re, field=fault.pointer)
    request: dict[str, Any] = _known(frame, schema("client", type_, limits))
    return request


def _known(value: Any, form: dict[str, Any]) -> Any:
    """Give what of a valid value the schema knows of, in the one form a server works with."""
    if isinstance(value, dict):
        members = form["properties"]
        return {name: _known(value[name], members[name]) for name in members if name in value}
    if isinstance(value, list):
        return [_known(item, form["items"]) for item in value]
    if isinstance(value, float):  # 1.0 is an integer to JSON Schema (ERR-5)
        return int(value)
    return nfc(value) if form.get("x-nfc") else value
