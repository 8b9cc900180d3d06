"""Bloom filters over Arrow columns: which batches can be ruled out for a key.

The contract: a filter answers "may contain" for every hash it was built from, always; for any other hash it
does so at no more than the rate it was asked for (`fpp`), on average. So a "no" is certain and a "yes" is
only a reason to look. Hashes come from `hash_rows`, whose definition is named `HASH_NAME`; the name is part
of the file format, and a file that was written with another hash is refused, because its answers would be
false negatives. Everything works on whole NumPy and Arrow arrays: no row passes through Python.
"""

from bloom.codec import decode, encode
from bloom.errors import BloomCorrupt
from bloom.filter import BloomFilter
from bloom.hashing import HASH_NAME, NULL_HASH, hash_rows, is_exact
from bloom.sliced import SlicedFilters

__all__ = [
    "HASH_NAME",
    "NULL_HASH",
    "BloomCorrupt",
    "BloomFilter",
    "SlicedFilters",
    "decode",
    "encode",
    "hash_rows",
    "is_exact",
]
