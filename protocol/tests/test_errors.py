from __future__ import annotations

import pytest

from roomproof_protocol import CLOSES, ERRORS, ProtocolError, check_message


def test_the_table_of_section_4() -> None:
    assert len(ERRORS) == 25
    assert {row.code for row in ERRORS.values() if row.retryable} == {
        "rate_limited",
        "too_many_connections",
        "unavailable",
        "draining",
        "internal",
    }
    assert {row.code for row in ERRORS.values() if row.malformed} == {
        "invalid_json",
        "unsupported_data",
        "invalid_message",
        "unknown_type",
    }
    assert [row.code for row in ERRORS.values() if row.reserved] == ["banned"]
    assert {row.hello_close for row in ERRORS.values()} <= set(CLOSES)


@pytest.mark.parametrize("code", [code for code in ERRORS if code != "rate_limited"])
def test_every_error_is_a_right_message(code: str) -> None:
    message = ProtocolError(code, "no", re="1", field="/room").to_message()
    assert check_message(message) == []
    assert message["retryable"] is ERRORS[code].retryable


def test_a_rate_limit() -> None:
    quota = {"count": 5, "window_ms": 1000, "scope": "user"}
    message = ProtocolError("rate_limited", "slow down", re="1", retry_after_ms=3, limit=quota).to_message()
    assert check_message(message) == []
    assert message["limit"] == quota


def test_what_is_not_known_is_absent_and_re_is_null() -> None:
    message = ProtocolError("invalid_json", "no").to_message()
    assert message.keys() == {"type", "re", "code", "message", "fatal", "retryable"}
    assert message["re"] is None


def test_the_text_is_cut() -> None:
    error = ProtocolError("internal", "m" * 300)
    assert len(error.message) == 256
    assert str(error).startswith("internal: m")
