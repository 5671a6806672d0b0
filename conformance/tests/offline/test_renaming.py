"""Old names as new ones, and what a statement is about in a conversation that lacks steps."""

from __future__ import annotations

from dataclasses import fields

import pytest

from roomproof_conformance.judges.base import all_judges
from roomproof_conformance.judging import load_judges
from roomproof_conformance.offline import renaming
from roomproof_conformance.offline.renaming import Renamer


def test_names_of_a_run_are_those_of_the_new_one_wherever_they_stand() -> None:
    renamer = Renamer("abcdef", "012345")
    assert renamer.value({"room": "rabcdef1", "list": ["t-abcdef-2", 3, None]}) == {
        "room": "r0123451",
        "list": ["t-012345-2", 3, None],
    }
    assert renamer.octets(b"\xff rabcdef1") == b"\xff r0123451"


def test_what_the_server_gives_is_learnt_from_its_answers() -> None:
    renamer = Renamer("abcdef", "012345")
    renamer.learn(
        {"user": {"id": "guest:1111"}, "token": "AAAABBBB", "n": 1, "same": "x", "list": ["e1e1"]},
        {"user": {"id": "guest:2222"}, "token": "CCCCDDDD", "n": 2, "same": "x", "list": ["f2f2"]},
    )
    assert renamer.text("guest:1111") == "guest:2222"
    assert renamer.text('{"token":"AAAABBBB"}') == '{"token":"CCCCDDDD"}'
    assert renamer.text("e1e1") == "f2f2"
    assert renamer.text("e1e1 in a sentence") == "e1e1 in a sentence"  # too short to be looked for


def test_what_a_value_meant_first_is_what_is_spoken_of() -> None:
    renamer = Renamer("abcdef", "012345")
    renamer.learn({"epoch": "aaaa1111"}, {"epoch": "bbbb2222"})
    renamer.learn({"epoch": "aaaa1111"}, {"epoch": "cccc3333"})
    assert renamer.text("aaaa1111") == "bbbb2222"


def test_times_are_those_of_today_and_small_numbers_are_what_they_are() -> None:
    renamer = Renamer("abcdef", "012345")
    renamer.learn({"ts": 1_795_471_173_170, "seq": 7}, {"ts": 1_795_471_175_382, "seq": 8})
    assert renamer.value({"ts": 1_795_471_173_170, "seq": 7, "ok": True}) == {
        "ts": 1_795_471_175_382,
        "seq": 7,
        "ok": True,
    }


def test_a_name_of_the_run_is_never_learnt_from_the_place_it_stands_in() -> None:
    renamer = Renamer("abcdef", "012345")
    renamer.learn(["t-abcdef-1", "t-abcdef-2"], ["t-012345-2", "t-012345-1"])
    assert renamer.text("t-abcdef-1") == "t-012345-1"


def made(params: dict[str, object], gone: set[str] | None = None) -> dict[str, object] | None:
    at = {5: 3, 8: 6}
    return renaming.statement(params, Renamer("abcdef", "012345"), at.get, lambda i: i - 2, gone or set(), {"a", "b"})


def test_numbers_of_records_are_those_of_the_new_transcript() -> None:
    assert made({"op": 5, "ok": True, "after": 7, "count": 5}) == {"op": 3, "ok": True, "after": 5, "count": 5}
    assert made({"ops": [5, 6, 8]}) == {"ops": [3, 6]}
    assert made({"until": None}) == {"until": None}


def test_texts_and_connections_that_were_left_out_are_not_spoken_of() -> None:
    assert made({"conn": "a", "texts": ["t-abcdef-1", "gone"]}, {"gone"}) == {"conn": "a", "texts": ["t-012345-1"]}
    assert made({"conns": ["a", "c"]}) == {"conns": ["a"]}


@pytest.mark.parametrize("params", [{"op": 6}, {"conn": "c"}, {"texts": ["gone"]}, {"ops": [6]}, {"conns": ["c"]}])
def test_a_statement_whose_object_is_gone_is_none(params: dict[str, object]) -> None:
    assert made(params, {"gone"}) is None


def test_every_number_that_a_judge_takes_is_known_as_a_record_or_not() -> None:
    load_judges()
    known = renaming.INDEX | renaming.SINCE | renaming.INDICES | renaming.NUMBERS
    unknown = {
        f"{judge.__name__}.{field.name}"
        for judge in all_judges()
        for field in fields(judge)
        if field.init and str(field.type) in ("int", "int | None", "list[int]") and field.name not in known
    }
    assert not unknown, "say in offline/renaming.py whether these are numbers of records"
