"""Seeded rows: five columns as fact tables have them, an int64 key first."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bench.scale import SEED

Integers = npt.NDArray[np.int64]

COLUMNS = "k BIGINT NOT NULL PRIMARY KEY, a DOUBLE NOT NULL, b DOUBLE NOT NULL, g INT NOT NULL, s TEXT NOT NULL"
GROUPS = 100
NAMES = 1_000


def random(stream: int = 0) -> np.random.Generator:
    """A generator that gives the same numbers in every run."""
    return np.random.default_rng([SEED, stream])


def rows(keys: Integers, stream: int = 0) -> pa.Table:
    """Rows with these keys: two floats, an integer of few values, a short text."""
    generator, count = random(stream), len(keys)
    names = pa.array([f"name {number:04d}" for number in range(NAMES)])
    return pa.table(
        {
            "k": keys,
            "a": generator.random(count),
            "b": generator.normal(100.0, 15.0, count),
            "g": generator.integers(0, GROUPS, count, dtype=np.int32),
            "s": names.take(pa.array(generator.integers(0, NAMES, count))),
        }
    )


def sorted_keys(count: int, start: int = 0) -> Integers:
    """Ascending keys without gaps."""
    return np.arange(start, start + count, dtype=np.int64)


def shuffled_keys(count: int, stream: int = 0) -> Integers:
    """The same keys in random order."""
    return random(stream).permutation(count).astype(np.int64)
