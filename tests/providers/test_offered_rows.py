"""Rows that a client offers, brought into a table's form."""

import uuid

import numpy as np
import pyarrow as pa
import pytest

from catalog.definition import ColumnSpec, Default, TableDef
from catalog.errors import DatabaseError, ErrorKind
from providers.rows.conversion import Strictness
from providers.rows.offered import admitted, tombstones
from tests.storage_fixtures import Database

COLUMNS = [
    ColumnSpec("v", pa.int32()),
    ColumnSpec("k", pa.int64()),
    ColumnSpec("s", pa.string(), nullable=False, default=Default(literal="'none'")),
    ColumnSpec("u", pa.uuid()),
    ColumnSpec("d", pa.decimal128(6, 2)),
    ColumnSpec("f", pa.float32()),
]


@pytest.fixture
def definition(db: Database) -> TableDef:
    """A table with a column of each interesting kind."""
    return db.create(COLUMNS).definition


def offer(
    db: Database, definition: TableDef, strictness: Strictness = Strictness.STREAM, **columns: object
) -> pa.Table:
    """Offer columns (values or arrays) and return what would be stored."""
    offered = {name: pa.array(values) if isinstance(values, list) else values for name, values in columns.items()}
    return admitted(definition, pa.table(offered), "ann", db.store.allocator, strictness).rows


def refusal(db: Database, definition: TableDef, **columns: object) -> str:
    """The message of an offer that must be refused."""
    with pytest.raises(DatabaseError) as caught:
        offer(db, definition, **columns)
    assert caught.value.kind in {ErrorKind.INVALID, ErrorKind.NOT_FOUND}
    return caught.value.message


def test_columns_that_are_not_offered_get_their_default(db: Database, definition: TableDef) -> None:
    """A literal default, or NULL."""
    rows = offer(db, definition, k=[1, 2])
    assert rows["s"].to_pylist() == ["none", "none"]
    assert rows["v"].to_pylist() == [None, None]


def test_columns_are_taken_by_name_in_any_order(db: Database, definition: TableDef) -> None:
    """Stored columns are in the table's order and types."""
    rows = offer(db, definition, s=["x"], k=pa.array([1], pa.int8()), v=pa.array([2], pa.int64()))
    assert rows.schema == pa.schema([(column.physical, column.storage) for column in definition.columns])
    assert rows.to_pylist()[0] | {"v": 2, "k": 1, "s": "x"} == rows.to_pylist()[0]


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"k": [1, None]}, "column k .*in the key.*row 2"),
        ({"v": [1]}, "column k .*in the key"),
        ({"k": [1], "s": pa.array([None], pa.string())}, "column s .*NOT NULL.*row 1"),
        ({"k": [1], "nothing": [1]}, "nothing"),
        ({"k": ["1"]}, "column k .*BIGINT"),
        ({"k": [1], "v": [2**40]}, "column v .*INT"),
        ({"k": [1], "v": [1.5]}, "column v"),
        ({"k": [1], "d": [123456]}, "column d"),
        ({"k": [1], "f": [1e300]}, "column f .*too large"),
        ({"k": [1], "u": ["no uuid"]}, "column u.*not a UUID"),
        ({"k": [1], "_deleted": [1]}, "_deleted .*boolean"),
    ],
    ids=["null key", "no key", "null", "unknown", "type", "overflow", "fraction", "digits", "infinite", "uuid", "flag"],
)
def test_fault_names_the_column(db: Database, definition: TableDef, columns: dict[str, object], named: str) -> None:
    """Every refusal says which column it was, and the row where that helps."""
    with pytest.raises(DatabaseError, match=named):
        offer(db, definition, **columns)


def test_column_offered_twice_is_refused(db: Database, definition: TableDef) -> None:
    """Two columns of one name are ambiguous."""
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["k", "k"])
    with pytest.raises(DatabaseError, match="k is offered twice"):
        admitted(definition, twice, "ann", db.store.allocator, Strictness.STREAM)


def test_nan_in_a_key_is_refused(db: Database) -> None:
    """NaN equals nothing, so it cannot be a key."""
    definition = db.create([("k", pa.float64())]).definition
    assert "NaN" in refusal(db, definition, k=[1.0, float("nan")])


def test_statement_reads_text_as_values(db: Database, definition: TableDef) -> None:
    """In SQL a literal takes the type of its column; in a typed stream it does not."""
    rows = offer(db, definition, Strictness.STATEMENT, k=["7"], v=["8"], s=[9])
    assert (rows["k"].to_pylist(), rows["v"].to_pylist(), rows["s"].to_pylist()) == ([7], [8], ["9"])
    refusal(db, definition, k=[1], s=[9])


def test_tombstone_needs_only_its_key(db: Database, definition: TableDef) -> None:
    """A row that deletes may leave NOT NULL columns empty, but never its key."""
    change = admitted(
        definition,
        pa.table({"k": [1, 2], "s": pa.array([None, "x"]), "_deleted": [True, None]}),
        "ann",
        db.store.allocator,
        Strictness.STREAM,
    )
    assert change.deleted.tolist() == [True, False]
    assert "in the key" in refusal(db, definition, k=pa.array([None], pa.int64()), _deleted=[True])


def test_tombstones_of_keys(definition: TableDef) -> None:
    """Tombstones are made of key columns alone."""
    change = tombstones(definition, pa.table({"k": pa.array([3, 4], pa.int64())}))
    assert np.all(change.deleted)
    assert change.rows["k"].to_pylist() == [3, 4]
    assert change.rows["s"].null_count == 2


def test_uuid_in_every_form_is_canonical_text(db: Database, definition: TableDef) -> None:
    """Bytes, Arrow's type, upper case, braces and no dashes are one value."""
    one = uuid.UUID("0198c0de-0000-7000-8000-0123456789ab")
    forms = [
        pa.array([one.bytes], pa.binary(16)),
        pa.array([one.bytes], pa.uuid()),
        pa.array([str(one).upper()]),
        pa.array([one.hex]),
        pa.array([f"{{{one}}}"]),
    ]
    for form in forms:
        assert offer(db, definition, k=[1], u=form)["u"].to_pylist() == [str(one)]


def test_encoded_columns_are_decoded(db: Database, definition: TableDef) -> None:
    """Dictionaries and run-end encodings are ways of sending plain values."""
    names = pa.array(["a", "b", "a"]).dictionary_encode()
    numbers = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([5, 6], pa.int32()))
    rows = offer(db, definition, k=[1, 2, 3], s=names, v=numbers)
    assert rows["s"].to_pylist() == ["a", "b", "a"]
    assert rows["v"].to_pylist() == [5, 5, 6]


def test_stream_cannot_delete_from_a_table_without_a_key(db: Database) -> None:
    """Rows of an append-only table have no name by which to delete them."""
    definition = db.create([("a", pa.int64())], []).definition
    assert "no key" in refusal(db, definition, a=[1], _deleted=[True])


def test_hidden_key_is_filled(db: Database) -> None:
    """Every row of a table without a key gets a number of its own."""
    definition = db.create([("a", pa.int64())], []).definition
    rows = offer(db, definition, a=[1, 1, 1])
    assert len(set(rows["_row"].to_pylist())) == 3
