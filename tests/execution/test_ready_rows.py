"""Results that are in memory as a whole when a statement has run: what counts as one."""

import pyarrow as pa

from flightserver.execution.rows import READY_BYTES, Rows


def test_a_few_rows_in_memory_are_ready() -> None:
    """Nobody works for them any more."""
    assert Rows.of_table(pa.table({"a": [1, 2]})).is_ready


def test_more_than_a_few_bytes_are_read_like_any_result() -> None:
    """They take a place and are a stream while they are sent."""
    assert not Rows.of_table(pa.table({"a": range(READY_BYTES // 8 + 1)})).is_ready


def test_a_few_rows_that_keep_many_in_memory_are_not_ready() -> None:
    """A slice keeps all of what it was cut from."""
    many = pa.table({"a": range(READY_BYTES)})
    assert not Rows.of_table(many.slice(5, 1)).is_ready
