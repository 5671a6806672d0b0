from __future__ import annotations

import re
from collections import Counter

import pytest

from roomproof_protocol import UnknownRequirement, capabilities, requirement, requirements

ROWS = requirements()
GROUPS = {
    "CONN": 14,
    "ROOM": 13,
    "MSG": 18,
    "HIST": 11,
    "RESUME": 12,
    "RATE": 14,
    "BEAT": 9,
    "ERR": 16,
    "DISC": 12,
    "PRES": 7,
    "AUTH": 13,
    "LIMIT": 8,
    "CLUSTER": 8,
}


def test_the_count_of_the_specification() -> None:
    assert Counter(row.group for row in ROWS) == GROUPS
    assert len(ROWS) == 155
    assert {row.id for row in ROWS if row.reserved} == {"ROOM-10", "RES-9", "AUTH-9"}
    assert sum(row.core for row in ROWS) == 128


def test_ids_are_unique_and_counted_within_their_group() -> None:
    short = {"RESUME": "RES", "CLUSTER": "CL"}
    expected = [f"{short.get(g, g)}-{n}" for g, count in GROUPS.items() for n in range(1, count + 1)]
    assert [row.id for row in ROWS] == expected


def test_the_level_is_the_strongest_keyword_of_the_sentence() -> None:
    for row in ROWS:
        words = set(re.findall(r"\b(?:MUST|SHOULD|MAY)\b", row.text))
        strongest = next((word for word in ("MUST", "SHOULD", "MAY") if word in words), "MAY")
        assert row.level == strongest
        assert row.reserved is not bool(words)


def test_tags_are_not_in_the_text_and_cluster_rows_need_two_nodes() -> None:
    for row in ROWS:
        assert not re.search(r"\[(?:cfg|hook|2n|auth)\]", row.text)
        if row.group == "CLUSTER":
            assert "2n" in row.tags
    assert Counter(tag for row in ROWS for tag in row.tags) == {"hook": 11, "2n": 9, "auth": 5, "cfg": 4}


def test_needs_are_capabilities_and_every_capability_is_needed() -> None:
    assert set().union(*(row.needs for row in ROWS)) == capabilities().keys()


def test_what_is_not_observable_says_why() -> None:
    assert [row.id for row in ROWS if not row.observable] == ["ROOM-10", "RES-9", "AUTH-9"]
    for row in ROWS:
        assert row.observable is (row.why_not is None)
        assert not (row.unseen and row.why_not)


def test_portable_rows() -> None:
    portable = {row.id for row in ROWS if row.portable}
    assert {"ROOM-3", "ROOM-6", "MSG-2", "HIST-2", "RATE-1", "BEAT-4", "ERR-1", "DISC-2"} <= portable
    assert not {"CONN-1", "MSG-3", "RES-1", "RATE-6", "ROOM-10"} & portable


def test_an_unknown_id_is_named_with_the_nearest() -> None:
    assert requirement("RES-1").group == "RESUME"
    with pytest.raises(UnknownRequirement, match=r"no requirement CONN-99; did you mean CONN-9\?") as caught:
        requirement("CONN-99")
    assert isinstance(caught.value, LookupError)
