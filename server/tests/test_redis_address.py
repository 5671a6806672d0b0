"""The address of a Redis: what is read from it, what is refused, and that no password is shown."""

from __future__ import annotations

import pytest

from roomproof_server.engine.cluster.address import Times, is_redis, parse_redis


def test_what_an_address_says() -> None:
    store = parse_redis("rediss://ann:s%40cret@host:7000/3?durability=replicated&prefix=x:&check_ms=1000")
    assert (store.kind, store.hosts, store.db, store.tls) == ("single", (("host", 7000),), 3, True)
    assert (store.username, store.password, store.prefix) == ("ann", "s@cret", "x:")
    assert (store.durability, store.times) == ("replicated", Times(check_ms=1000))
    assert "cret" not in f"{store} {store!r}"
    assert parse_redis("redis+sentinel://a,b:1/main").hosts == (("a", 26379), ("b", 1))
    assert parse_redis("redis+sentinel://a,b:1/main").master == "main"
    assert parse_redis("redis+cluster://[::1]:7,b").hosts == (("::1", 7), ("b", 6379))
    assert parse_redis("redis+unix:///run/redis.sock").path == "/run/redis.sock"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("redis+other://h", "not a kind of Redis"),
        ("redis://h/x", "number of a database"),
        ("redis://h:99999", "no HOST:PORT"),
        ("redis+sentinel://h", "the name that Sentinels know"),
        ("redis+cluster://h/1", "no databases"),
        ("redis://h?chek_ms=1", "unknown option 'chek_ms'"),
        ("redis://h?check_ms=1", "from 10 to 3600000"),
        ("redis://h?durability=disk", "engine or replicated"),
        ("redis://h?prefix={a}", "without braces"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    assert is_redis(text)
    with pytest.raises(ValueError, match=words.replace("+", r"\+")) as fault:
        parse_redis(text)
    assert "\n" not in str(fault.value)
