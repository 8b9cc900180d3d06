"""What may happen to the bytes of a file, and the parts of each kind of file that it may happen to. Pure."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Region = Callable[[int], tuple[int, int]]
"""From where to where a part of a file goes, by the file's size."""

PAGE_BYTES = 512


def between(start: int, end: int) -> Region:
    """From one place to another; negative ones count from the end, 0 is the end itself."""

    def region(size: int) -> tuple[int, int]:
        first = start if start >= 0 else size + start
        last = end if end > 0 else size + end
        return max(min(first, size - 1), 0), max(min(last, size), 1)

    return region


WHOLE = between(0, 0)

REGIONS: Mapping[str, Sequence[Region]] = {
    r"tables/.*\.parquet": [between(0, 4), between(4, -1500), between(-1500, -8), between(-8, -4), between(-4, 0)],
    r"tables/.*\.arrow": [between(0, 8), between(8, 600), between(600, -500), between(-500, -10), between(-10, 0)],
    r"tables/.*\.bloom": [between(0, 64), between(64, 128), between(128, 0)],
    r"tables/.*\.dv": [between(0, 40), between(40, -4), between(-4, 0)],
    r"tables/.*/manifest\.json": [WHOLE, between(0, 40), between(-120, 0)],
    r"tables/.*/part-.*\.json": [WHOLE],
    r"FORMAT": [WHOLE],
    r"rocksdb\.mark": [between(0, 100), between(4096, 4196), WHOLE],
    r"rocksdb/.*\.sst": [between(0, -600), between(-600, -53), between(-53, 0)],
    r"rocksdb/.*\.log": [between(0, 64), WHOLE, between(-200, 0)],
    r"rocksdb/MANIFEST-.*": [between(0, 64), WHOLE, between(-100, 0)],
    r"rocksdb/(CURRENT|IDENTITY|OPTIONS-.*)": [WHOLE],
}
"""The parts of files by their paths in a data folder: a header, a footer, what is between."""


def regions_of(path: str) -> Sequence[Region]:
    """The parts of a file; none for one that is not looked at."""
    return next((regions for pattern, regions in REGIONS.items() if re.fullmatch(pattern, path)), ())


def kind_of(path: str) -> str:
    """What kind of file it is."""
    return next(pattern for pattern in REGIONS if re.fullmatch(pattern, path))


@dataclass(frozen=True)
class Spot:
    """A place in the bytes of a file."""

    data: bytes
    at: int
    end: int


def flipped(spot: Spot, rng: random.Random) -> bytes:
    """One bit is another."""
    changed = bytearray(spot.data)
    changed[spot.at] ^= 1 << rng.randrange(8)
    return bytes(changed)


def zeroed(spot: Spot, rng: random.Random) -> bytes:
    """Some bytes are zeros, a whole page at most."""
    count = min(rng.choice([1, 8, 64, PAGE_BYTES]), max(spot.end - spot.at, 1))
    return spot.data[: spot.at] + bytes(count) + spot.data[spot.at + count :]


def overwritten(spot: Spot, rng: random.Random) -> bytes:
    """Some bytes are any others."""
    count = min(rng.choice([1, 4, 100]), max(spot.end - spot.at, 1))
    return spot.data[: spot.at] + rng.randbytes(count) + spot.data[spot.at + count :]


def cut(spot: Spot, _: random.Random) -> bytes:
    """The file ends early."""
    return spot.data[: spot.at]


def left_out(spot: Spot, rng: random.Random) -> bytes:
    """Some bytes are missing in between."""
    return spot.data[: spot.at] + spot.data[spot.at + rng.choice([1, 16, PAGE_BYTES]) :]


def repeated(spot: Spot, rng: random.Random) -> bytes:
    """Some bytes stand there twice."""
    count = rng.choice([1, 16, PAGE_BYTES])
    return spot.data[: spot.at] + spot.data[max(spot.at - count, 0) : spot.at] + spot.data[spot.at :]


def all_zeros(spot: Spot, _: random.Random) -> bytes:
    """The file has its size, and nothing in it."""
    return bytes(len(spot.data))


def gone(_: Spot, __: random.Random) -> None:
    """There is no such file."""


INJURIES: Sequence[Callable[[Spot, random.Random], bytes | None]] = (
    *(flipped, zeroed, overwritten, cut, left_out, repeated, flipped, all_zeros, gone),
)


def injured(
    data: bytes, region: Region, injury: Callable[[Spot, random.Random], bytes | None], rng: random.Random
) -> bytes | None:
    """The bytes of a file after something has happened to a part of it; None when there is no file any more."""
    first, last = region(len(data))
    return injury(Spot(data, rng.randrange(first, max(last, first + 1)), last), rng)
