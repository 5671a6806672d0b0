"""The catalogue of forbidden frames: each breaks RFC 6455 where it says, by the kit's own reader."""

from __future__ import annotations

import pytest

from roomproof_conformance.frames import Fault, Frame, FrameReader, serialize
from roomproof_conformance.malformed.raw import GROUPS, Group, RawCase, too_long_by_length

VALID = b'{"type":"ping","id":"n1"}'

FAULTS = {
    "reserved-bits": "reserved-bits",
    "reserved-opcodes": "reserved-opcode",
    "fragmented-controls": "control-fragmented",
    "long-controls": "control-too-long",
    "close-codes": "close-code-reserved",
    "continuations": "bad-continuation",
    "messages-inside": "unfinished-fragment",
    "top-bit": "length-64-bit-sign",
    "utf8-forms": "text-utf8",
}
"""What the reader of frames finds in each entry of a group, beside the mask: it reads what servers write."""


def wire(case: RawCase) -> bytes:
    return b"".join(part if isinstance(part, bytes) else serialize(part, b"\0\0\0\0") for part in case.make(VALID))


def found(case: RawCase) -> set[str]:
    return {item.name for item in FrameReader().feed(wire(case)) if isinstance(item, Fault)}


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_each_entry_breaks_what_its_group_says(group: Group) -> None:
    for case in group.cases:
        if group.name == "unmasked-frames":
            parts = [part for part in case.make(VALID) if isinstance(part, Frame)]
            assert not parts[-1].masked, case.id
        elif group.name == "close-payloads":
            assert found(case) & {"close-payload-short", "close-reason-utf8"}, case.id
        else:
            assert FAULTS[group.name] in found(case), case.id


def test_ids_are_distinct_and_the_catalogue_is_large_enough() -> None:
    ids = [case.id for group in GROUPS for case in group.cases]
    assert len(set(ids)) == len(ids) >= 50


@pytest.mark.parametrize("frame_bytes", [100, 16384, 70000])
def test_a_length_over_the_limit_is_announced_and_nothing_follows(frame_bytes: int) -> None:
    for case in too_long_by_length(frame_bytes):
        assert found(case) <= {"masked-by-server"}, case.id
        last = case.make(VALID)[-1]
        assert isinstance(last, bytes)
        assert len(last) <= 14
