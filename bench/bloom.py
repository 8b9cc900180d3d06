"""How fast, how small and how honest the bloom filters are: `python -m bench.bloom`.

Prints Markdown tables: row hashes per type; build, probe, false positives and bytes per key for each rate, of
the chosen design and of the rejected ones, next to pybloom-live in the same run; and one probe of 1,000
filters. Times are the best of several runs on one thread, keys are random.
"""

import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pybloom_live import BloomFilter as PybloomFilter

from bloom import BloomFilter, SlicedFilters, decode, encode, hash_rows

KEYS = 1_000_000
STRANGERS = 4_000_000
PYBLOOM_KEYS = 50_000
GROUP = 1_000
GROUP_KEYS = 20_000
RATES = (0.5, 0.1, 0.01, 0.001, 0.0001)
RANDOM = np.random.default_rng(20_240_101)

Hashes = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Figures:
    """One line of the table of designs; rates in million keys per second."""

    design: str
    fpp: float
    probes: int
    bytes_per_key: float
    build: float
    probe_strangers: float
    probe_members: float
    false_positives: float

    def __str__(self) -> str:
        return (
            f"| {self.design} | {self.fpp} | {self.probes} | {self.bytes_per_key:.2f} | {self.build:.1f} "
            f"| {self.probe_strangers:.1f} | {self.probe_members:.1f} | {self.false_positives / self.fpp:.2f} |"
        )


def best_seconds(work: Callable[[], Any], runs: int = 5) -> float:
    """Run some work several times and give the shortest time."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def millions(count: int, work: Callable[[], Any], runs: int = 5) -> float:
    """Give the rate of some work in millions per second."""
    return count / best_seconds(work, runs) / 1e6


def random_hashes(count: int) -> Hashes:
    """Draw hashes as a good hash function would give them."""
    return RANDOM.integers(0, 2**64, count, dtype=np.uint64)


def measure_classic(fpp: float, members: Hashes, strangers: Hashes) -> Figures:
    """Measure the design of the package."""
    one = BloomFilter.build(members, fpp)
    return Figures(
        "classic, double hashing (chosen)",
        fpp,
        one.probes,
        one.bits.nbytes / len(members),
        millions(len(members), lambda: BloomFilter.build(members, fpp)),
        millions(len(strangers), lambda: one.may_contain(strangers), 2),
        millions(len(members), lambda: one.may_contain(members)),
        float(one.may_contain(strangers).mean()),
    )


@functools.cache
def smallest_blocked_size(fpp: float, width: int) -> tuple[float, int]:
    """Give the fewest bits per key for a blocked filter, and the number of probes that needs them."""
    return min((blocked_bits_per_key(fpp, width, probes), probes) for probes in range(1, 15))


def blocked_bits_per_key(fpp: float, width: int, probes: int) -> float:
    """Solve for the size at which Poisson-loaded blocks keep the rate."""

    def rate(size: float) -> float:
        load = np.arange(int(4 * width / size + 60))
        logs = np.concatenate([[0.0], np.cumsum(np.log(load[1:]))])
        share = np.exp(load * math.log(width / size) - width / size - logs)
        return float((share * (1 - (1 - 1 / width) ** (load * probes)) ** probes).sum())

    low, high = 0.5, 400.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if rate(middle) > fpp else (low, middle)
    return high


class BlockedFilter:
    """A rejected design: all bits of a key in one block of `width` bits (Putze, Sanders, Singler, 2007)."""

    FACTORS = random_hashes(64) | np.uint64(1)

    def __init__(self, hashes: Hashes, fpp: float, width: int) -> None:
        self.width = width
        bits_per_key, self.probes = smallest_blocked_size(fpp, width)
        self.blocks = math.ceil(bits_per_key * len(hashes) / width)
        self.bits = self.set_bits(hashes)

    def set_bits(self, hashes: Hashes) -> npt.NDArray[Any]:
        """Scatter and pack, like the chosen design."""
        flags = np.zeros(self.blocks * self.width, dtype=np.bool_)
        for start in range(0, len(hashes), 16_384):
            block = hashes[start : start + 16_384]
            for factor in self.FACTORS[: self.probes]:
                flags[self.positions(block, factor)] = True
        return np.packbits(flags, bitorder="little")

    def positions(self, hashes: Hashes, factor: np.uint64) -> Positions:
        """Give the bit of each hash for one probe."""
        bits_in_block = np.uint64(self.width.bit_length() - 1)
        blocks = (hashes >> np.uint64(32)) * np.uint64(self.blocks) >> np.uint64(32)
        within = hashes * factor >> (np.uint64(64) - bits_in_block)
        return (blocks << bits_in_block | within).view(np.int64)

    def may_contain(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Answer for each hash, dropping losers every other probe like the chosen design."""
        answers = np.zeros(len(hashes), dtype=np.bool_)
        for start in range(0, len(hashes), 16_384):
            indices = np.arange(start, min(start + 16_384, len(hashes)))
            for probe, factor in enumerate(self.FACTORS[: self.probes]):
                positions = self.positions(hashes[indices], factor)
                found = self.bits.take(positions >> 3) >> (positions.astype(np.uint8) & np.uint8(7))
                indices = indices[(found & np.uint8(1)).view(np.bool_)]
                if probe + 1 == self.probes:
                    answers[indices] = True
        return answers


class RegisterFilter(BlockedFilter):
    """A rejected design: a block is one 64-bit word, set and tested with one mask of all bits of a key."""

    def words_and_masks(self, hashes: Hashes) -> tuple[Positions, Hashes]:
        """Give the word of each hash, and the bits in it."""
        words = (hashes >> np.uint64(32)) * np.uint64(self.blocks) >> np.uint64(32)
        masks = np.zeros(len(hashes), dtype=np.uint64)
        for factor in self.FACTORS[: self.probes]:
            masks |= np.uint64(1) << (hashes * factor >> np.uint64(58))
        return words.view(np.int64), masks

    def set_bits(self, hashes: Hashes) -> npt.NDArray[Any]:
        """OR each mask into its word."""
        bits = np.zeros(self.blocks, dtype=np.uint64)
        for start in range(0, len(hashes), 16_384):
            words, masks = self.words_and_masks(hashes[start : start + 16_384])
            np.bitwise_or.at(bits, words, masks)
        return bits

    def may_contain(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Answer for each hash with one read."""
        answers = np.empty(len(hashes), dtype=np.bool_)
        for start in range(0, len(hashes), 16_384):
            words, masks = self.words_and_masks(hashes[start : start + 16_384])
            answers[start : start + 16_384] = (self.bits[words] & masks) == masks
        return answers


def measure_blocked(design: type[BlockedFilter], fpp: float, width: int, members: Hashes, strangers: Hashes) -> Figures:
    """Measure a rejected design."""
    one = design(members, fpp, width)
    assert one.may_contain(members).all()
    return Figures(
        f"{design.__name__.removesuffix('Filter').lower()}, {width} bits",
        fpp,
        one.probes,
        one.bits.nbytes / len(members),
        millions(len(members), lambda: design(members, fpp, width), 3),
        millions(len(strangers), lambda: one.may_contain(strangers), 2),
        millions(len(members), lambda: one.may_contain(members), 3),
        float(one.may_contain(strangers).mean()),
    )


def measure_pybloom(fpp: float) -> Figures:
    """Measure pybloom-live, key by key as it works."""
    members, strangers = range(PYBLOOM_KEYS), range(PYBLOOM_KEYS, 3 * PYBLOOM_KEYS)

    def build() -> PybloomFilter:
        one = PybloomFilter(capacity=PYBLOOM_KEYS, error_rate=fpp)
        for key in members:
            one.add(key)
        return one

    one = build()
    return Figures(
        "pybloom-live",
        fpp,
        one.num_slices,
        one.num_bits / 8 / PYBLOOM_KEYS,
        millions(len(members), build, 2),
        millions(len(strangers), lambda: [key in one for key in strangers], 2),
        millions(len(members), lambda: [key in one for key in members], 2),
        sum(key in one for key in strangers) / len(strangers),
    )


def key_columns() -> dict[str, list[Any]]:
    """Make columns of keys as they occur."""
    numbers = RANDOM.integers(0, 2**62, KEYS)
    names = [f"customer-{number}" for number in RANDOM.integers(0, 10**7, KEYS).tolist()]
    few = [f"status {number}" for number in RANDOM.integers(0, 50, KEYS).tolist()]
    return {
        "int64": [pa.array(numbers)],
        "timestamp": [pa.array(numbers, pa.timestamp("us"))],
        "float64": [pa.array(RANDOM.random(KEYS))],
        "decimal128": [pa.array(numbers).cast(pa.decimal128(38, 0))],
        "string, 8 hex digits": [pa.array([f"{number:08x}" for number in (numbers >> 30).tolist()])],
        "string, customer-1234567": [pa.array(names)],
        "string_view, customer-1234567": [pa.array(names, pa.string_view())],
        "string, 36 characters": [pa.array([f"{number:036d}" for number in numbers.tolist()])],
        "string, 50 distinct values": [pa.array(few)],
        "string, 50 distinct values, as dictionary": [pa.array(few).dictionary_encode()],
        "(int64, string)": [pa.array(numbers), pa.array(names)],
    }


def print_hashing() -> None:
    """Print the rates of the row hash."""
    print("| key | hash, M rows/s | dictionary_encode alone, M rows/s |\n|---|---|---|")
    for name, columns in key_columns().items():
        encoding = "-"
        if len(columns) == 1 and columns[0].type == pa.string():
            encoding = f"{millions(KEYS, columns[0].dictionary_encode, 3):.1f}"
        print(f"| {name} | {millions(KEYS, lambda columns=columns: hash_rows(columns)):.1f} | {encoding} |")


def print_designs() -> None:
    """Print size, rates and honesty of each design at each asked rate."""
    members, strangers = random_hashes(KEYS), random_hashes(STRANGERS)
    print("| design | fpp | probes | bytes/key | build, M/s | probe strangers, M/s | probe members, M/s", end="")
    print(" | false positives / fpp |\n|---|---|---|---|---|---|---|---|")
    for fpp in RATES:
        print(measure_classic(fpp, members, strangers))
        print(measure_blocked(BlockedFilter, fpp, 512, members, strangers))
        print(measure_blocked(RegisterFilter, fpp, 64, members, strangers))
        print(measure_pybloom(fpp))


def print_groups() -> None:
    """Print the cost of asking a thousand filters."""
    filters = [BloomFilter.build(random_hashes(GROUP_KEYS), 0.01) for _ in range(GROUP)]
    build_seconds = best_seconds(lambda: SlicedFilters(filters), 2)
    group, hashes = SlicedFilters(filters), random_hashes(1_000)
    one = int(hashes[0])
    looped = best_seconds(lambda: [each.may_contain(hashes[:1]) for each in filters], 3)
    oracle = PybloomFilter(capacity=GROUP_KEYS, error_rate=0.01)
    pybloom = best_seconds(lambda: [one in oracle for _ in range(GROUP)], 5)
    data = encode({0: filters[0]})
    print(f"| {GROUP} filters of {GROUP_KEYS} keys | |\n|---|---|")
    print(f"| transpose | {build_seconds * 1e3:.0f} ms, {group.nbytes / 1e6:.1f} MB |")
    print(f"| one hash, sliced | {best_seconds(lambda: group.may_contain(one), 2_000) * 1e6:.0f} µs |")
    print(f"| ten hashes, any | {best_seconds(lambda: group.any_of(hashes[:10]), 500) * 1e6:.0f} µs |")
    print(f"| 1,000 hashes, any | {best_seconds(lambda: group.any_of(hashes), 5) * 1e3:.1f} ms |")
    print(f"| one hash, filter by filter | {looped * 1e3:.1f} ms |")
    print(f"| one hash, pybloom-live in a loop | {pybloom * 1e3:.1f} ms |")
    print(f"| decode one file of {len(data)} bytes | {best_seconds(lambda: decode(data), 200) * 1e6:.0f} µs |")


def main() -> None:
    """Print all tables."""
    print_hashing()
    print()
    print_designs()
    print()
    print_groups()


if __name__ == "__main__":
    main()
