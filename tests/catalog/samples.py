"""Definitions to try things on, and the one way to expect a refusal."""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pytest

from catalog.definition import ColumnSpec, TableDef, TableKind
from catalog.errors import DatabaseError, ErrorKind
from catalog.evolution import create_table
from catalog.identifiers import TableName

ORDERS = TableName("public", "orders")


def refused(kind: ErrorKind, attempt: Callable[[], object]) -> str:
    """Try what must be refused, and return the line that says why."""
    with pytest.raises(DatabaseError) as caught:
        attempt()
    assert caught.value.kind is kind, caught.value
    assert "\n" not in caught.value.message
    return caught.value.message


def table_of(*names: str, key: Sequence[str] = ("k",), name: TableName = ORDERS, table_id: int = 1) -> TableDef:
    """A table of BIGINT columns."""
    specs = [ColumnSpec(column, pa.int64()) for column in (names or ("k", "v"))]
    return create_table(table_id, name, TableKind.SHARED, specs, key)
