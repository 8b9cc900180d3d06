"""Hard values through every library and back: what is written by one is read by all, in rows and in parameters."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sqlalchemy as sa
from adbc_driver_flightsql import dbapi
from pyarrow import flight

from tests.drivers.hard_values import HARD, same
from tests.server_process import ServerProcess

pytestmark = pytest.mark.proof

Make = Callable[..., str]
Rows = list[tuple[int, Any]]

every_type = pytest.mark.parametrize(("declared", "arrow_type", "values"), HARD, ids=[case[0] for case in HARD])


def table_of(rows: Rows, arrow_type: pa.DataType) -> pa.Table:
    """The rows in Arrow's form."""
    return pa.table({"id": pa.array([k for k, _ in rows], pa.int64()), "c": pa.array([v for _, v in rows], arrow_type)})


def bound(server: ServerProcess, t: str, rows: Rows, _: pa.DataType) -> None:
    """Parameters of ADBC, one row after another."""
    with server.connect() as connection, connection.cursor() as cursor:
        for row in rows:
            cursor.execute(f"INSERT INTO {t} VALUES (?, ?)", row)


def ingested(server: ServerProcess, t: str, rows: Rows, arrow_type: pa.DataType) -> None:
    """ADBC's bulk load."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.adbc_ingest(t, table_of(rows, arrow_type).to_reader(max_chunksize=1), mode="append")


def put(server: ServerProcess, t: str, rows: Rows, arrow_type: pa.DataType) -> None:
    """pyarrow.flight's DoPut."""
    with flight.connect(server.uri) as client:
        table = table_of(rows, arrow_type)
        writer, answers = client.do_put(flight.FlightDescriptor.for_path("public", t), table.schema)
        writer.write_table(table, max_chunksize=1)
        writer.done_writing()
        answers.read()
        writer.close()


def polars_frame(server: ServerProcess, t: str, rows: Rows, arrow_type: pa.DataType) -> None:
    """The write_database of polars."""
    frame = pl.DataFrame(pl.from_arrow(table_of(rows, arrow_type)))
    with server.connect() as connection:
        for row in frame.iter_slices(1):
            row.write_database(t, connection, engine="adbc", if_table_exists="append")


def pandas_frame(server: ServerProcess, t: str, rows: Rows, arrow_type: pa.DataType) -> None:
    """The to_sql of pandas, with columns of Arrow's types."""
    frame = table_of(rows, arrow_type).to_pandas(types_mapper=pd.ArrowDtype)
    with server.connect() as connection:
        for number in range(len(frame)):
            frame[number : number + 1].to_sql(t, connection, index=False, if_exists="append")


def engine_of(server: ServerProcess) -> sa.Engine:
    """SQLAlchemy's way to the server."""
    return sa.create_engine(server.uri.replace("grpc://", "flightserver://"))


def sqlalchemy_insert(server: ServerProcess, t: str, rows: Rows, _: pa.DataType) -> None:
    """SQLAlchemy, with the types that it finds."""
    engine = engine_of(server)
    table = sa.Table(t, sa.MetaData(), autoload_with=engine)
    with engine.begin() as connection:
        for key, value in rows:
            connection.execute(table.insert(), {"id": key, "c": value})
    engine.dispose()


def by_adbc(connection: dbapi.Connection, t: str) -> list[Any]:
    """Tuples of the DB-API."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT c FROM {t} ORDER BY id")
        return [value for (value,) in cursor.fetchall()]


def by_polars(connection: dbapi.Connection, t: str) -> list[Any]:
    """A frame of polars."""
    return pl.read_database(f"SELECT c FROM {t} ORDER BY id", connection)["c"].to_list()


def by_pandas(connection: dbapi.Connection, t: str) -> list[Any]:
    """A frame of pandas, with columns of Arrow's types."""
    frame = pd.read_sql(f"SELECT c FROM {t} ORDER BY id", connection, dtype_backend="pyarrow")
    return pa.array(frame["c"]).to_pylist()


def by_sqlalchemy(server: ServerProcess, t: str) -> list[Any]:
    """Rows of SQLAlchemy, with the types that it finds."""
    engine = engine_of(server)
    table = sa.Table(t, sa.MetaData(), autoload_with=engine)
    with engine.connect() as connection:
        found = connection.scalars(sa.select(table.c.c).order_by(table.c.id)).all()
    engine.dispose()
    return list(found)


WRITERS = [bound, ingested, put, polars_frame, pandas_frame, sqlalchemy_insert]


@every_type
@pytest.mark.parametrize("write", WRITERS, ids=[write.__name__ for write in WRITERS])
def test_what_one_library_writes_all_of_them_read(
    server: ServerProcess,
    make: Make,
    write: Callable[[ServerProcess, str, Rows, pa.DataType], None],
    declared: str,
    arrow_type: pa.DataType,
    values: list[Any],
) -> None:
    """To the last bit, and NULL stays NULL."""
    t = make(f"id BIGINT PRIMARY KEY, c {declared}")
    expected = [*values, None]
    write(server, t, list(enumerate(expected)), arrow_type)
    with server.connect() as connection:
        found = {read.__name__: read(connection, t) for read in (by_adbc, by_polars, by_pandas)}
    found["by_sqlalchemy"] = by_sqlalchemy(server, t)
    for name, read in found.items():
        assert len(read) == len(expected), name
        assert [n for n, pair in enumerate(zip(read, expected, strict=True)) if not same(*pair)] == [], name
