"""An immutable mapping in key order: a change makes a new one, which shares nearly everything with the old.

Items lie in blocks of at most `BLOCK_ITEMS_MAX`. A change copies one block and the list of blocks, so it costs about
the same for ten items and for ten thousand. What two maps share they share as blocks, so their difference is found in
the blocks that only one of them has. None is no value.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, Sequence, ValuesView
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, overload

BLOCK_ITEMS_MAX = 128


class Ordered(Protocol):
    """What can be sorted."""

    def __lt__(self, other: Any, /) -> bool: ...


Key = TypeVar("Key", bound=Ordered)
Value = TypeVar("Value")
Other = TypeVar("Other")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Difference(Generic[Key, Value]):
    """What a key stands for in an older and in a newer map: None where it is not there."""

    key: Key
    before: Value | None
    after: Value | None


class _Block(Generic[Key, Value]):
    """Neighbouring items, at least one, and what was made of their keys."""

    __slots__ = ("keys", "made", "values")

    def __init__(self, keys: tuple[Key, ...], values: tuple[Value, ...]) -> None:
        self.keys = keys
        self.values = values
        self.made: dict[object, Any] = {}

    def pairs(self) -> Iterator[tuple[Key, Value]]:
        return zip(self.keys, self.values, strict=True)

    def with_item(self, key: Key, value: Value) -> "_Block[Key, Value]":
        place = bisect_left(self.keys, key)
        after = place + (place < len(self.keys) and self.keys[place] == key)
        return _Block(
            (*self.keys[:place], key, *self.keys[after:]), (*self.values[:place], value, *self.values[after:])
        )

    def without(self, place: int) -> "_Block[Key, Value]":
        return _Block((*self.keys[:place], *self.keys[place + 1 :]), (*self.values[:place], *self.values[place + 1 :]))

    def joined(self, following: "_Block[Key, Value]") -> "_Block[Key, Value]":
        return _Block(self.keys + following.keys, self.values + following.values)

    def parts(self) -> "Sequence[_Block[Key, Value]]":
        """The block in pieces of the size that blocks may have; none of an empty one."""
        if len(self.keys) <= BLOCK_ITEMS_MAX:
            return [self] if self.keys else []
        half = BLOCK_ITEMS_MAX // 2  # as full as that, so that each takes more
        starts = range(0, len(self.keys), half)
        return [_Block(self.keys[start : start + half], self.values[start : start + half]) for start in starts]


class SortedMap(Mapping[Key, Value]):
    """Values by key, in key order."""

    __slots__ = ("_blocks", "_firsts", "_length")

    def __init__(self, items: Iterable[tuple[Key, Value]] = ()) -> None:
        """Of several items of one key, the last one counts."""
        found = sorted(dict(items).items(), key=lambda item: item[0])
        whole = _Block(tuple(key for key, _ in found), tuple(value for _, value in found))
        self._blocks = tuple(whole.parts())
        self._firsts = tuple(block.keys[0] for block in self._blocks)
        self._length = len(found)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Key]:
        for block in self._blocks:
            yield from block.keys

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None  # type: ignore[call-overload]

    def __getitem__(self, key: Key) -> Value:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    @overload
    def get(self, key: Key, /) -> Value | None: ...
    @overload
    def get(self, key: Key, /, default: Value | Other) -> Value | Other: ...

    def get(self, key: Key, /, default: Any = None) -> Any:
        """The value of `key`, or `default`."""
        block = self._blocks[self._place_of(key)] if self._blocks else None
        if block is None:
            return default
        place = bisect_left(block.keys, key)
        return block.values[place] if place < len(block.keys) and block.keys[place] == key else default

    def __repr__(self) -> str:
        return f"SortedMap({list(self.pairs())!r})"

    def items(self) -> ItemsView[Key, Value]:
        """All items in key order."""
        return _Items(self)

    def values(self) -> ValuesView[Value]:
        """All values in key order."""
        return _Values(self)

    def pairs(self) -> Iterator[tuple[Key, Value]]:
        """All items in key order, one after another."""
        for block in self._blocks:
            yield from block.pairs()

    def between(self, low: Key, high: Key) -> Iterator[tuple[Key, Value]]:
        """The items with `low <= key < high`, in key order."""
        for block in self._blocks[self._place_of(low) :]:
            if not block.keys[0] < high:
                return
            start, end = bisect_left(block.keys, low), bisect_left(block.keys, high)
            yield from zip(block.keys[start:end], block.values[start:end], strict=True)

    def with_item(self, key: Key, value: Value) -> "SortedMap[Key, Value]":
        """The map in which `key` stands for `value`."""
        if not self._blocks:
            return SortedMap([(key, value)])
        place = self._place_of(key)
        return self._replaced(place, place + 1, self._blocks[place].with_item(key, value))

    def without(self, key: Key) -> "SortedMap[Key, Value]":
        """The map that does not have `key`."""
        if key not in self:
            return self
        place = self._place_of(key)
        block = self._blocks[place]
        rest = block.without(bisect_left(block.keys, key))
        if len(rest.keys) > BLOCK_ITEMS_MAX // 4 or len(self._blocks) == 1:
            return self._replaced(place, place + 1, rest)
        if place == 0:
            return self._replaced(0, 2, rest.joined(self._blocks[1]))
        return self._replaced(place - 1, place + 1, self._blocks[place - 1].joined(rest))

    def changes_since(self, before: "SortedMap[Key, Value]") -> list[Difference[Key, Value]]:
        """Where this map differs from an earlier one, by identity of the values, in key order."""
        if before is self:
            return []
        old, new = before.unshared(self), self.unshared(before)
        changed = [key for key, value in new.items() if old.get(key) is not value]
        gone = [key for key in old if key not in new]
        return [Difference(key, old.get(key), new.get(key)) for key in sorted(changed + gone)]

    def unshared(self, other: "SortedMap[Key, Value]") -> dict[Key, Value]:
        """The items of the blocks that another map does not have."""
        theirs = {id(block) for block in other.blocks()}
        mine = (block for block in self._blocks if id(block) not in theirs)
        return {key: value for block in mine for key, value in block.pairs()}

    def made_of_keys(self, make: Callable[[Sequence[Key]], Made]) -> list[Made]:
        """What `make` makes of some neighbouring keys at a time, in key order; of all but those that changed once."""
        for block in self._blocks:
            if make not in block.made:
                block.made[make] = make(block.keys)
        return [block.made[make] for block in self._blocks]

    def blocks(self) -> tuple[_Block[Key, Value], ...]:
        """What it is made of."""
        return self._blocks

    def _replaced(self, start: int, end: int, block: _Block[Key, Value]) -> "SortedMap[Key, Value]":
        """The map with the items of `block` instead of those of some blocks."""
        parts, gone = block.parts(), self._blocks[start:end]
        found: SortedMap[Key, Value] = SortedMap()
        found._blocks = (*self._blocks[:start], *parts, *self._blocks[end:])
        found._firsts = (*self._firsts[:start], *(part.keys[0] for part in parts), *self._firsts[end:])
        found._length = self._length + len(block.keys) - sum(len(old.keys) for old in gone)
        return found

    def _place_of(self, key: Key) -> int:
        """Which block has `key`, if one has it."""
        return max(bisect_right(self._firsts, key) - 1, 0)


class _Items(ItemsView[Key, Value]):
    _mapping: SortedMap[Key, Value]

    def __iter__(self) -> Iterator[tuple[Key, Value]]:
        return self._mapping.pairs()


class _Values(ValuesView[Value]):
    _mapping: SortedMap[Any, Value]

    def __iter__(self) -> Iterator[Value]:
        return (value for _, value in self._mapping.pairs())
