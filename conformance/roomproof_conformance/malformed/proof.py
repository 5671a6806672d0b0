"""That a specimen is what it says it is, before anybody is judged by it.

The protocol package's decoder and validators are asked, which know nothing of how a specimen was made.
"""

from __future__ import annotations

import json
from typing import Any

from roomproof_protocol import Limits, ProtocolError
from roomproof_protocol.codec import decode
from roomproof_protocol.messages import check_request

from .specimens import Specimen


def unproven(specimen: Specimen, limits: Limits) -> str:
    """What speaks against the specimen in one line; empty when it is as bad, or as good, as it says."""
    if specimen.twin is not None and (fault := _fault(specimen.twin.encode(), limits)):
        return f"{specimen.id}: the twin is not valid: {fault}"
    if specimen.outcome in ("accepted", "understood"):
        fault = _fault(specimen.payload, limits) or ("too long" if len(specimen.payload) > limits.frame_bytes else "")
        return f"{specimen.id}: is not valid: {fault}" if fault else ""
    if specimen.outcome == "lenient":
        return _really_lenient(specimen, limits)
    if specimen.outcome == "closed":
        return _really_fatal(specimen, limits)
    if specimen.outcome == "either":
        return _really_twice(specimen, limits)
    return _really_refused(specimen, limits)


def _fault(payload: bytes, limits: Limits) -> str:
    try:
        found = check_request(decode(payload), limits)
    except ProtocolError as error:
        return str(error)
    return "; ".join(f"{fault.pointer} {fault.message}" for fault in found)


def _really_refused(specimen: Specimen, limits: Limits) -> str:
    if specimen.pieces[0][0] != 1:
        return "" if "unsupported_data" in specimen.codes else f"{specimen.id}: is no text frame"
    text = specimen.payload.decode("utf-8", "surrogatepass")
    try:
        found = check_request(decode(text), limits)
    except ProtocolError as error:
        return "" if error.code in specimen.codes else f"{specimen.id}: is {error.code}, not {specimen.codes}"
    if not found:
        return f"{specimen.id}: is valid"
    wrong = {fault.pointer for fault in found} - {specimen.pointer}
    others = {fault.code for fault in found} - set(specimen.codes)
    if wrong or others:
        return f"{specimen.id}: has other faults: {sorted(wrong | others)}"
    return ""


def _really_lenient(specimen: Specimen, limits: Limits) -> str:
    text = specimen.payload.decode()
    found: Any = check_request(json.loads(text), limits)
    return f"{specimen.id}: is not valid: {found[0].message}" if found else ""


def _really_twice(specimen: Specimen, limits: Limits) -> str:
    text = specimen.payload.decode()
    names: list[str] = []

    def noted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        names.extend(name for name, _ in pairs)
        if len(members) < len(pairs):
            names.append("")
        return members

    found = check_request(json.loads(text, object_pairs_hook=noted), limits)
    if "" not in names:
        return f"{specimen.id}: no member stands twice"
    return f"{specimen.id}: the last values are not valid: {found[0].message}" if found else ""


def _really_fatal(specimen: Specimen, limits: Limits) -> str:
    if specimen.close == 1009:
        return "" if len(specimen.payload) > limits.frame_bytes else f"{specimen.id}: is not too long"
    try:
        specimen.payload.decode()
    except UnicodeDecodeError:
        return ""
    return f"{specimen.id}: is UTF-8"
