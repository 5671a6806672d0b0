from __future__ import annotations

import pytest

from roomproof_protocol import CLOSES, close_advice, close_blocks, retry_after


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (1000, "stop"),
        (1001, "moved"),
        (1012, "moved"),
        (1002, "fix_client"),
        (1009, "not_that_frame"),
        (1013, "slow_backoff"),
        (None, "backoff"),
        (1006, "backoff"),
        (1015, "backoff"),
        (3000, "backoff"),
        (4001, "backoff"),
        (4099, "backoff"),
        (4100, "credentials"),
        (4199, "credentials"),
        (4229, "wait"),
        (4299, "wait"),
        (4300, "backoff"),
        (4400, "show_user"),
        (4499, "show_user"),
        (4999, "backoff"),
    ],
)
def test_every_code_carries_advice(code: int | None, advice: str) -> None:
    assert close_advice(code).name == advice


def test_a_listed_private_code_has_the_advice_of_its_block() -> None:
    for code in (code for code in CLOSES if code >= 4000):
        (block,) = [block for block in close_blocks() if block.first <= code <= block.last]
        assert CLOSES[code].advice == block.advice


def test_what_the_server_does_not_begin() -> None:
    assert {code for code, row in CLOSES.items() if not row.initiated_by_server} == {1003, 1006, 4403, 4409}
    assert {code for code, row in CLOSES.items() if row.reserved} == {4403, 4409}


@pytest.mark.parametrize("code", CLOSES)
def test_reasons_fit_into_a_close_frame_and_can_be_read(code: int) -> None:
    row = CLOSES[code]
    assert len(row.reason(10**12).encode()) <= 123
    assert retry_after(row.reason(1500)) == 1500
    assert retry_after(row.reason()) is None


@pytest.mark.parametrize(
    "reason",
    ["", "retry_after_ms=5", "flood; retry_after_ms=", "flood; retry_after_ms=5\n", "x; retry_after_ms=-1"],
)
def test_reasons_that_name_no_wait(reason: str) -> None:
    assert retry_after(reason) is None
