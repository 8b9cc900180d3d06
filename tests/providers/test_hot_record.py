"""A commit's bytes in the log."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.definition import Scope
from catalog.errors import DatabaseError, ErrorKind
from providers.hot.record import (
    HotRecord,
    decode,
    encode,
    prefix_end,
    record_key,
    scope_prefix,
    table_prefix,
    user_of,
)

ROWS = pa.record_batch({"k": pa.array([1, 2], pa.int64()), "s": ["x", None]})
SCOPES = st.builds(Scope, st.integers(1, 2**62), st.one_of(st.none(), st.text(max_size=20)))


def test_record_comes_back_as_it_was() -> None:
    """Rows and dead marks survive the way to bytes and back."""
    dead = {7: np.array([0, 5, 70_000]), 3: np.array([1])}
    found = decode(encode(HotRecord(ROWS, dead)))
    assert found.rows.equals(ROWS)
    assert {batch: positions.tolist() for batch, positions in found.dead.items()} == {3: [1], 7: [0, 5, 70_000]}


def test_record_of_nested_values_comes_back() -> None:
    """Lists, structs and decimals are Arrow like everything else."""
    rows = pa.record_batch({"l": [[1, None], None], "s": [{"a": 1}, {"a": None}]})
    assert decode(encode(HotRecord(rows, {}))).rows.equals(rows)


@given(st.integers(0, 10_000))
def test_cut_record_is_corrupt_and_never_fewer_rows(length: int) -> None:
    """A record that ends early is refused."""
    data = encode(HotRecord(ROWS, {1: np.array([1])}))
    cut = data[: length % (len(data) - 8)]
    with pytest.raises(DatabaseError) as caught:
        decode(cut)
    assert caught.value.kind is ErrorKind.CORRUPT


@pytest.mark.parametrize("data", [b"", b"FSHR", b"XXXX" + bytes(12), b"FSHR\x02\x00" + bytes(10)])
def test_bytes_that_are_no_record_are_corrupt(data: bytes) -> None:
    """Another magic, a newer format and a bare header are refused."""
    with pytest.raises(DatabaseError) as caught:
        decode(data)
    assert caught.value.kind is ErrorKind.CORRUPT


@given(SCOPES, SCOPES)
def test_no_scope_begins_another(one: Scope, two: Scope) -> None:
    """Prefixes of different scopes never begin each other, so a range scan never leaves its scope."""
    if one != two:
        assert not scope_prefix(one).startswith(scope_prefix(two))


@given(SCOPES, st.integers(0, 2**62), st.integers(0, 2**62))
def test_keys_sort_by_seq(scope: Scope, one: int, two: int) -> None:
    """A scan of a scope is in commit order."""
    assert (record_key(scope, one) < record_key(scope, two)) is (one < two)


@given(SCOPES, st.integers(0, 2**62))
def test_key_lies_within_its_scope_and_table(scope: Scope, seq: int) -> None:
    """Ranges over a scope and over a table hold exactly its keys."""
    key, prefix = record_key(scope, seq), scope_prefix(scope)
    assert prefix <= key < prefix_end(prefix)
    assert table_prefix(scope.table_id) <= key < prefix_end(table_prefix(scope.table_id))
    assert user_of(key) == scope.user


def test_prefix_end_passes_over_ff() -> None:
    """The end of a prefix that ends in 0xff bytes is the next shorter one."""
    assert prefix_end(b"a\xff\xff") == b"b"
    assert prefix_end(b"ab") == b"ac"
