"""polars: read_database, read_database_uri and write_database with the adbc engine."""

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from adbc_driver_flightsql import dbapi

from tests.e2e.client import Client, failure
from tests.server_process import ServerProcess

NOON = dt.datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=dt.UTC)
FRAME = pl.DataFrame(
    {
        "id": [1, 2, 3],
        "u8": pl.Series([1, 2, None], dtype=pl.UInt8),
        "f32": pl.Series([1.5, None, -2.5], dtype=pl.Float32),
        "b": [True, None, False],
        "s": ["a", None, "ü"],
        "y": [b"\x00", None, b""],
        "d": [dt.date(2024, 2, 29), None, dt.date(1969, 12, 31)],
        "t": [dt.time(1, 2, 3, 4), None, dt.time(0)],
        "at": [NOON.replace(tzinfo=None), None, NOON.replace(tzinfo=None)],
        "ms": pl.Series([1, 2, None]).cast(pl.Datetime("ms")),
        "tz": [NOON, None, NOON],
        "n": [Decimal("1.5"), None, Decimal("-2.5")],
        "l": [[1], [], None],
        "ls": [["a", None], None, []],
        "st": [{"a": 1, "b": "x"}, {"a": None, "b": None}, {"a": 3, "b": None}],
    }
)


@pytest.fixture(params=[True, False], ids=["autocommit", "transactions"])
def client(request: pytest.FixtureRequest, own: Client, tx: Client) -> Client:
    """Both kinds of connection."""
    return own if request.param else tx


@pytest.fixture
def stored(client: Client, t: str) -> str:
    """A table that write_database made."""
    assert FRAME.write_database(t, client.connection, engine="adbc") == 3
    return t


def flightsql(server: ServerProcess) -> str:
    """The URI by which polars finds the driver."""
    return server.uri.replace("grpc://", "flightsql://") + "?transport=tcp"


def test_a_frame_goes_there_and_back(client: Client, stored: str) -> None:
    """Every type but lists, which have a fixed place in Arrow and a large one in polars, keeps its own."""
    found = pl.read_database(f"SELECT * FROM {stored} ORDER BY id", client.connection)
    assert found.equals(FRAME)
    assert found.schema == FRAME.schema


@pytest.mark.parametrize(
    "values",
    [
        pl.Series(["u", None, "u"], dtype=pl.Categorical),
        pl.Series(["u", None, "v"], dtype=pl.Enum(["u", "v"])),
        pl.Series([], dtype=pl.Categorical),
    ],
)
def test_categories_become_text(client: Client, t: str, values: pl.Series) -> None:
    """Dictionaries of views, as polars sends them."""
    pl.DataFrame({"c": values}).write_database(t, client.connection, engine="adbc")
    found = pl.read_database(f"SELECT c FROM {t}", client.connection)["c"]
    assert found.dtype == pl.String
    assert sorted(found, key=str) == sorted(values, key=str)


def test_arrays_become_lists(client: Client, t: str) -> None:
    """The length is not kept."""
    frame = pl.DataFrame({"a": pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int8, 2))})
    frame.write_database(t, client.connection, engine="adbc")
    found = pl.read_database(f"SELECT * FROM {t}", client.connection)
    assert (found.schema, found["a"].to_list()) == ({"a": pl.List(pl.Int8)}, [[1, 2], [3, 4]])


def test_write_database_fails_on_a_table_that_exists(client: Client, stored: str) -> None:
    """if_table_exists='fail' is the default."""
    assert "exists already" in failure(lambda: FRAME.write_database(stored, client.connection, engine="adbc"))


@pytest.mark.parametrize(("if_exists", "rows"), [("append", 6), ("replace", 3)])
def test_write_database_into_a_table_that_exists(
    client: Client, db: Client, stored: str, if_exists: Any, rows: int
) -> None:
    """Rows are added, or the table is swapped."""
    FRAME.write_database(stored, client.connection, engine="adbc", if_table_exists=if_exists)
    assert db.count(stored) == rows


def test_write_database_into_a_schema(client: Client, db: Client, t: str) -> None:
    """With the catalog in front or without."""
    db.run(f"CREATE NAMESPACE ns_{t}")
    for name in (f"ns_{t}.{t}", f"main.ns_{t}.{t}"):
        FRAME.write_database(name, client.connection, engine="adbc", if_table_exists="append")
    assert db.count(f"ns_{t}.{t}") == 6


def test_an_empty_frame_makes_a_table(client: Client, db: Client, t: str) -> None:
    """With its columns."""
    FRAME.clear().write_database(t, client.connection, engine="adbc")
    assert db.arrow(f"SELECT * FROM {t}").schema.names == FRAME.columns


def test_a_type_that_cannot_be_stored_is_named(client: Client, t: str) -> None:
    """NotSupportedError, with the column."""
    frame = pl.DataFrame({"culprit": [dt.timedelta(seconds=1)]})
    with pytest.raises(dbapi.NotSupportedError, match="column culprit"):
        frame.write_database(t, client.connection, engine="adbc")


def test_a_cursor_is_read(client: Client, stored: str) -> None:
    """Instead of a connection."""
    with client.connection.cursor() as cursor:
        assert pl.read_database(f"SELECT id FROM {stored} ORDER BY id", cursor).rows() == [(1,), (2,), (3,)]


def test_parameters_are_passed(client: Client, stored: str) -> None:
    """execute_options."""
    sql = f"SELECT id FROM {stored} WHERE id > ? AND s = ?"
    found = pl.read_database(sql, client.connection, execute_options={"parameters": (1, "ü")})
    assert found.rows() == [(3,)]


def test_a_result_is_read_in_pieces(client: Client, stored: str) -> None:
    """iter_batches."""
    pieces = pl.read_database(
        f"SELECT id FROM {stored} ORDER BY id", client.connection, iter_batches=True, batch_size=2
    )
    assert pl.concat(pieces)["id"].to_list() == [1, 2, 3]


def test_types_can_be_overridden(client: Client, stored: str) -> None:
    """schema_overrides."""
    found = pl.read_database(f"SELECT id FROM {stored}", client.connection, schema_overrides={"id": pl.Int8})
    assert found.schema == {"id": pl.Int8}


def test_an_empty_result_has_its_columns(client: Client, stored: str) -> None:
    """And its types."""
    found = pl.read_database(f"SELECT * FROM {stored} WHERE id > 9", client.connection)
    assert (found.schema, found.height) == (FRAME.schema, 0)


def test_a_wrong_query_is_the_drivers_error(client: Client) -> None:
    """As it came."""
    with pytest.raises(dbapi.ProgrammingError, match="nope"):
        pl.read_database("SELECT nope", client.connection)


def test_reading_by_uri(server: ServerProcess, db: Client, t: str) -> None:
    """Polars connects by itself."""
    FRAME.write_database(t, db.connection, engine="adbc")
    found = pl.read_database_uri(f"SELECT id FROM {t} ORDER BY id", flightsql(server), engine="adbc")
    assert found["id"].to_list() == [1, 2, 3]


def test_writing_by_uri(server: ServerProcess, db: Client, t: str) -> None:
    """Polars connects, writes and commits by itself."""
    FRAME.write_database(t, flightsql(server), engine="adbc")
    assert db.count(t) == 3
