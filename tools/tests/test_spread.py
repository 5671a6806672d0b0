"""A sample is spread, fixed, and grows at its end."""

from __future__ import annotations

from collections import Counter

from tools.support.spread import spread

ITEMS = [(kind, number) for kind, count in (("many", 60), ("some", 30), ("few", 10)) for number in range(count)]


def drawn(seed: int, items: list[tuple[str, int]] = ITEMS) -> list[tuple[str, int]]:
    return spread(items, lambda item: item[0], str, seed)


def test_every_beginning_has_its_share_of_each_kind() -> None:
    for count in (20, 50):
        kinds = Counter(kind for kind, _ in drawn(1)[:count])
        assert abs(kinds["many"] - 0.6 * count) <= 1
        assert abs(kinds["few"] - 0.1 * count) <= 1


def test_the_seed_decides_and_nothing_else() -> None:
    assert drawn(1) == drawn(1, ITEMS[::-1])
    assert drawn(1) != drawn(2)
    assert sorted(drawn(1)) == sorted(ITEMS)
