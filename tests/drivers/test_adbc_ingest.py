"""adbc_ingest: four modes, every kind of source, schemas, temporary tables, transactions."""

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi

from tests.e2e.client import Client, failure

Make = Callable[..., str]

ROWS = [(1, "a"), (2, None)]
DATA = {"id": [1, 2], "s": ["a", None]}
TABLE = pa.table(DATA)
SOURCES: dict[str, Callable[[], Any]] = {
    "table": lambda: TABLE,
    "batch": lambda: TABLE.to_batches()[0],
    "reader": TABLE.to_reader,
    "capsule": lambda: TABLE.to_reader().__arrow_c_stream__(),
    "pandas": lambda: pd.DataFrame(DATA),
    "pandas-arrow": lambda: pa.Table.from_pandas(pd.DataFrame(DATA)),
    "polars": lambda: pl.DataFrame(DATA),
}
MODES = ["create", "append", "replace", "create_append"]


def content(client: Client, table: str) -> list[tuple[Any, ...]]:
    """All rows."""
    return client.rows(f"SELECT id, s FROM {table} ORDER BY id")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("mode", MODES)
def test_every_source_in_every_mode(cursor: dbapi.Cursor, db: Client, t: str, mode: str, source: str) -> None:
    """Rows arrive, and their number is returned."""
    if mode == "append":
        db.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY, s TEXT)")
    assert cursor.adbc_ingest(t, SOURCES[source](), mode=mode) == 2
    assert content(db, t) == ROWS


@pytest.mark.parametrize(
    ("mode", "after"),
    [("create", [(9, "z")]), ("append", [*ROWS, (9, "z")]), ("replace", ROWS), ("create_append", [*ROWS, (9, "z")])],
)
def test_what_a_mode_does_with_a_table_that_exists(
    cursor: dbapi.Cursor, db: Client, make: Make, mode: str, after: list[tuple[Any, ...]]
) -> None:
    """Create refuses, append and create_append add, replace swaps."""
    t = make("id BIGINT PRIMARY KEY, s TEXT")
    db.run(f"INSERT INTO {t} VALUES (9, 'z')")
    if mode == "create":
        assert f"{t} exists already" in failure(lambda: cursor.adbc_ingest(t, TABLE, mode=mode))
    else:
        cursor.adbc_ingest(t, TABLE, mode=mode)
    assert content(db, t) == after


def test_create_is_the_default(cursor: dbapi.Cursor, t: str) -> None:
    """As the driver has it."""
    cursor.adbc_ingest(t, TABLE)
    assert "exists already" in failure(lambda: cursor.adbc_ingest(t, TABLE))


def test_append_to_nothing_is_not_found(cursor: dbapi.Cursor, t: str) -> None:
    """NOT_FOUND, by the name of the table."""
    with pytest.raises(dbapi.ProgrammingError, match=f"table public.{t} does not exist") as caught:
        cursor.adbc_ingest(t, TABLE, mode="append")
    assert caught.value.status_code == 3


def test_an_unknown_mode_is_the_drivers_error(cursor: dbapi.Cursor, t: str) -> None:
    """It never reaches the server."""
    with pytest.raises(ValueError, match="mode"):
        cursor.adbc_ingest(t, TABLE, mode="upsert")  # type: ignore[arg-type]


def test_an_empty_batch_makes_an_empty_table(cursor: dbapi.Cursor, db: Client, t: str) -> None:
    """With the columns of the batch."""
    assert cursor.adbc_ingest(t, pl.DataFrame(DATA).clear()) == 0
    assert db.arrow(f"SELECT * FROM {t}").schema.names == ["id", "s"]


def test_a_stream_without_a_batch_is_not_sent(cursor: dbapi.Cursor, db: Client, t: str) -> None:
    """The driver sends the schema with the first batch, so of a table with no batch the server learns nothing."""
    assert failure(lambda: cursor.adbc_ingest(t, TABLE.schema.empty_table()))
    assert "not found" in db.error(f"SELECT * FROM {t}")


def test_a_cursor_executes_after_an_ingest(cursor: dbapi.Cursor, db: Client, t: str) -> None:
    """And ingests after executing."""
    for mode in ("create", "append"):
        cursor.adbc_ingest(t, TABLE, mode=mode)  # type: ignore[arg-type]
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]
    assert db.count(t) == 4


def test_a_failed_ingest_leaves_the_cursor(cursor: dbapi.Cursor, t: str) -> None:
    """It can be used again."""
    assert failure(lambda: cursor.adbc_ingest(t, pa.table({"culprit": pa.array([1], pa.duration("s"))})))
    assert cursor.adbc_ingest(t, TABLE) == 2


def test_many_batches_are_one_commit(cursor: dbapi.Cursor, db: Client, make: Make) -> None:
    """A reader of many batches, the last of which does not fit, writes nothing."""
    t = make("id BIGINT PRIMARY KEY, s TEXT")
    schema = pa.schema([("id", pa.int64()), ("s", pa.string())])

    def batches(last: int | None) -> Iterator[pa.RecordBatch]:
        for number in [*range(20), last]:
            yield pa.record_batch([[number], ["x"]], schema=schema)

    assert "id" in failure(
        lambda: cursor.adbc_ingest(t, pa.RecordBatchReader.from_batches(schema, batches(None)), mode="append")
    )
    assert db.count(t) == 0
    assert cursor.adbc_ingest(t, pa.RecordBatchReader.from_batches(schema, batches(20)), mode="append") == 21


# -- where to


@pytest.mark.parametrize("where", [{}, {"catalog_name": "main"}, {"db_schema_name": "public"}])
def test_the_place_may_be_left_out(cursor: dbapi.Cursor, db: Client, t: str, where: dict[str, str]) -> None:
    """It is the connection's."""
    cursor.adbc_ingest(t, TABLE, **where)
    assert content(db, f"main.public.{t}") == ROWS


@pytest.mark.parametrize("mode", MODES)
def test_a_schema_is_named(cursor: dbapi.Cursor, db: Client, t: str, mode: str) -> None:
    """In every mode, beside a table of the same name elsewhere."""
    db.run(f"CREATE NAMESPACE ns_{t}")
    for name in (t, f"ns_{t}.{t}"):
        if name == t or mode in {"append", "replace"}:
            db.run(f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, s TEXT)")
    cursor.adbc_ingest(t, TABLE, mode=mode, db_schema_name=f"ns_{t}", catalog_name="main")  # type: ignore[arg-type]
    assert (content(db, f"ns_{t}.{t}"), content(db, t)) == (ROWS, [])


def test_the_connections_schema_is_meant(own: Client, db: Client, t: str) -> None:
    """After it was set."""
    db.run(f"CREATE NAMESPACE ns_{t}")
    own.connection.adbc_current_db_schema = f"ns_{t}"
    own.ingest(t, TABLE, mode="create")
    assert content(db, f"ns_{t}.{t}") == ROWS


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("where", [{"catalog_name": "nope"}, {"db_schema_name": "nope"}])
def test_a_place_that_there_is_not(cursor: dbapi.Cursor, t: str, mode: str, where: dict[str, str]) -> None:
    """NOT_FOUND, by its name."""
    with pytest.raises(dbapi.ProgrammingError, match="nope") as caught:
        cursor.adbc_ingest(t, TABLE, mode=mode, **where)  # type: ignore[arg-type]
    assert caught.value.status_code == 3


@pytest.mark.parametrize("name", ["Mixed", "with space", "dot.ted", 'quo"te', "per%cent", "1st", "select"])
def test_a_name_is_taken_as_it_is(cursor: dbapi.Cursor, db: Client, t: str, name: str) -> None:
    """It is no SQL: nothing is folded, split or escaped, in names of tables and of columns."""
    cursor.adbc_ingest(f"{name} {t}", pa.table({name: [1]}))
    quoted = name.replace('"', '""')
    assert db.arrow(f'SELECT * FROM "{quoted} {t}"').to_pylist() == [{name: 1}]


# -- temporary tables


@pytest.mark.parametrize("mode", MODES)
def test_a_temporary_table_in_every_mode(own: Client, db: Client, t: str, mode: str) -> None:
    """Its connection's alone."""
    if mode in {"append", "replace"}:
        own.ingest(t, TABLE.slice(0, 1), mode="create", temporary=True)
    own.ingest(t, TABLE.slice(1), mode=mode, temporary=True)
    assert content(own, t) == (ROWS if mode == "append" else ROWS[1:])
    assert "not found" in db.error(f"SELECT * FROM {t}")


# -- transactions


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("mode", MODES)
def test_an_ingest_is_a_part_of_the_transaction(tx: Client, db: Client, make: Make, mode: str, source: str) -> None:
    """Seen inside at once; rolled back it leaves what was there, committed it is what others see."""
    t = make("id BIGINT PRIMARY KEY, s TEXT")
    db.run(f"INSERT INTO {t} VALUES (9, 'z')")
    name = f"{t}_new" if mode == "create" else t
    expected = [*ROWS, (9, "z")] if mode in {"append", "create_append"} else ROWS
    for end in (tx.connection.rollback, tx.connection.commit):
        with tx.connection.cursor() as cursor:
            assert cursor.adbc_ingest(name, SOURCES[source](), mode=mode) == 2  # type: ignore[arg-type]
        assert content(tx, name) == expected
        assert content(db, t) == [(9, "z")]
        end()
    assert content(db, name) == expected


def test_ingests_and_statements_are_one_transaction(tx: Client, db: Client, make: Make) -> None:
    """In any order, over several tables."""
    t = make("id BIGINT PRIMARY KEY, s TEXT")
    tx.run(f"INSERT INTO {t} VALUES (1, 'old'), (9, 'z')")
    tx.ingest(t, TABLE)
    tx.ingest(f"{t}_b", TABLE, mode="create")
    tx.run(f"DELETE FROM {t} WHERE id IN (SELECT id FROM {t}_b WHERE s IS NULL)")
    assert content(tx, t) == [(1, "a"), (9, "z")]
    tx.connection.commit()
    assert (content(db, t), db.count(f"{t}_b")) == ([(1, "a"), (9, "z")], 2)


def test_a_failed_ingest_leaves_the_transaction(tx: Client, db: Client, make: Make) -> None:
    """What was done before is there to be committed."""
    t = make("id BIGINT PRIMARY KEY, s TEXT")
    tx.ingest(t, TABLE)
    assert "nope" in failure(lambda: tx.ingest(t, pa.table({"id": [3], "nope": [1]})))
    tx.connection.commit()
    assert content(db, t) == ROWS
