"""A sorted map says what a dict would say, costs what changes, and tells what differs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.sorted_map import BLOCK_ITEMS_MAX, Difference, SortedMap

Change = tuple[int, object | None]
KEYS = st.integers(0, 3 * BLOCK_ITEMS_MAX)
CHANGES = st.lists(st.tuples(KEYS, st.sampled_from([object(), object(), None])), max_size=40)
"""A key and its new value; None takes the key away."""

FILLED = st.sets(KEYS).map(lambda keys: {key: object() for key in keys})


def changed(map_: SortedMap[int, object], changes: list[Change]) -> SortedMap[int, object]:
    """The map after some changes."""
    for key, value in changes:
        map_ = map_.without(key) if value is None else map_.with_item(key, value)
    return map_


def as_dict(start: dict[int, object], changes: list[Change]) -> dict[int, object]:
    """The same with a dict."""
    found = dict(start)
    for key, value in changes:
        if value is None:
            found.pop(key, None)
        else:
            found[key] = value
    return found


@given(FILLED, CHANGES)
def test_it_holds_what_a_dict_would_hold(start: dict[int, object], changes: list[Change]) -> None:
    """Items, length, order and look-ups, after any changes."""
    found, expected = changed(SortedMap(start.items()), changes), as_dict(start, changes)
    assert list(found.items()) == sorted(expected.items())
    assert (list(found), list(found.values())) == (sorted(expected), [expected[key] for key in sorted(expected)])
    assert len(found) == len(expected)
    assert all(found.get(key) is expected.get(key) for key in range(3 * BLOCK_ITEMS_MAX))


@given(FILLED, CHANGES)
def test_a_change_leaves_the_old_map_alone(start: dict[int, object], changes: list[Change]) -> None:
    """Whoever holds a map keeps what it sees."""
    held = SortedMap(start.items())
    changed(held, changes)
    assert held == start


@given(FILLED, CHANGES)
def test_the_difference_is_what_changed(start: dict[int, object], changes: list[Change]) -> None:
    """Every key with another value than before, and no other."""
    before = SortedMap(start.items())
    after, expected = changed(before, changes), as_dict(start, changes)
    assert after.changes_since(before) == [
        Difference(key, start.get(key), expected.get(key))
        for key in sorted(start.keys() | expected.keys())
        if start.get(key) is not expected.get(key)
    ]


@given(FILLED, KEYS, KEYS)
def test_a_range_holds_its_start_and_not_its_end(start: dict[int, object], low: int, high: int) -> None:
    """`between` takes the keys from `low` to just before `high`, in order."""
    expected = [(key, start[key]) for key in sorted(start) if low <= key < high]
    assert list(SortedMap(start.items()).between(low, high)) == expected


def test_a_key_that_is_not_there_is_an_error() -> None:
    """As with every mapping."""
    with pytest.raises(KeyError):
        SortedMap([(1, "one")])[2]


class Counted(int):
    """A number that counts how often numbers are compared."""

    compared = 0

    def __lt__(self, other: int) -> bool:
        Counted.compared += 1
        return int(self) < int(other)


def comparisons_of_a_change(size: int) -> int:
    """How many comparisons it takes to add a key to a map and to find the difference."""
    before = SortedMap((Counted(2 * number), "x") for number in range(size))
    Counted.compared = 0
    after = before.with_item(Counted(size + 1), "y")
    assert [found.key for found in after.changes_since(before)] == [size + 1]
    return Counted.compared


def test_a_change_costs_what_changes() -> None:
    """A change of a map a thousand times larger compares hardly more keys."""
    assert comparisons_of_a_change(100_000) < 2 * comparisons_of_a_change(BLOCK_ITEMS_MAX) + 100
