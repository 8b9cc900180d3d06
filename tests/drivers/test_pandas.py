"""pandas: read_sql and to_sql over an ADBC connection, and frames from cursors."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from tests.e2e.client import Client

FRAME = pd.DataFrame(
    {
        "id": [1, 2, 3],
        "f": [1.5, None, -2.5],
        "b": [True, False, True],
        "s": ["a", None, "ü"],
        "at": pd.to_datetime(["2024-02-29 12:00:00.000001", None, "1969-12-31"], format="ISO8601"),
        "tz": pd.to_datetime(["2024-02-29 12:00:00", None, "1969-12-31"], utc=True, format="ISO8601"),
        "d": [dt.date(2024, 2, 29), None, dt.date(1969, 12, 31)],
        "n": [Decimal("1.50"), None, Decimal("-2.25")],
        "y": [b"\x00", None, b""],
        "c": pd.Categorical(["u", "v", "u"]),
    }
)


@pytest.fixture(params=[True, False], ids=["autocommit", "transactions"])
def client(request: pytest.FixtureRequest, own: Client, tx: Client) -> Client:
    """Both kinds of connection."""
    return own if request.param else tx


@pytest.fixture
def stored(client: Client, t: str) -> str:
    """A table that to_sql made."""
    assert FRAME.to_sql(t, client.connection, index=False) == 3
    client.connection.commit()
    return t


def test_a_frame_goes_there_and_back(client: Client, stored: str) -> None:
    """Every type; categories come back as text."""
    found = pd.read_sql(f"SELECT * FROM {stored} ORDER BY id", client.connection)
    assert list(found.columns) == list(FRAME.columns)
    for name in FRAME.columns:
        expected = FRAME[name].astype("str") if name == "c" else FRAME[name]
        assert [None if pd.isna(v) else v for v in found[name]] == [None if pd.isna(v) else v for v in expected], name


def test_to_sql_fails_on_a_table_that_exists(client: Client, stored: str) -> None:
    """if_exists='fail' is the default, and pandas' own error."""
    with pytest.raises(ValueError, match=f"Table '{stored}' already exists"):
        FRAME.to_sql(stored, client.connection, index=False)


@pytest.mark.parametrize(("if_exists", "rows"), [("append", 6), ("replace", 3), ("delete_rows", 3)])
def test_to_sql_into_a_table_that_exists(client: Client, db: Client, stored: str, if_exists: Any, rows: int) -> None:
    """Rows are added, or the table is swapped, or emptied first."""
    assert FRAME.to_sql(stored, client.connection, index=False, if_exists=if_exists) == 3
    client.connection.commit()
    assert db.count(stored) == rows


def test_to_sql_writes_the_index(client: Client, db: Client, t: str) -> None:
    """An index with a name is a column of that name."""
    frame = pd.DataFrame({"v": [10, 20]}, index=pd.Index(["a", "b"], name="k"))
    frame.to_sql(t, client.connection)
    client.connection.commit()
    assert db.rows(f"SELECT k, v FROM {t} ORDER BY k") == [("a", 10), ("b", 20)]


def test_to_sql_into_a_schema(client: Client, db: Client, t: str) -> None:
    """It is looked up and written there."""
    db.run(f"CREATE NAMESPACE ns_{t}")
    for expected in (2, 4):
        pd.DataFrame({"v": [1, 2]}).to_sql(t, client.connection, schema=f"ns_{t}", index=False, if_exists="append")
        client.connection.commit()
        assert db.count(f"ns_{t}.{t}") == expected


def test_to_sql_says_what_the_server_said(client: Client, t: str) -> None:
    """Pandas wraps the driver's error."""
    frame = pd.DataFrame({"culprit": [pd.Timedelta(1, "s")]})
    with pytest.raises(pd.errors.DatabaseError) as caught:
        frame.to_sql(t, client.connection, index=False)
    assert "column culprit" in str(caught.value.__cause__)


@pytest.mark.parametrize("read", [pd.read_sql, pd.read_sql_query])
def test_a_query_is_read(client: Client, stored: str, read: Any) -> None:
    """As text."""
    assert read(f"SELECT id FROM {stored} WHERE f < 0", client.connection)["id"].tolist() == [3]


@pytest.mark.parametrize("read", [pd.read_sql, pd.read_sql_table])
def test_a_table_is_read_by_name(client: Client, stored: str, read: Any) -> None:
    """Without any SQL."""
    assert read(stored, client.connection).shape == FRAME.shape


def test_a_table_is_read_by_schema_and_columns(client: Client, stored: str) -> None:
    """Only what is wanted."""
    found = pd.read_sql_table(stored, client.connection, schema="public", columns=["s", "id"])
    assert list(found.columns) == ["s", "id"]


def test_a_column_becomes_the_index(client: Client, stored: str) -> None:
    """index_col."""
    found = pd.read_sql(f"SELECT id, s FROM {stored} ORDER BY id", client.connection, index_col="id")
    assert found.index.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("backend", "types"),
    [
        ("pyarrow", ["int64[pyarrow]", "string[pyarrow]", "date32[day][pyarrow]"]),
        ("numpy_nullable", ["Int64", "string", "object"]),
    ],
)
def test_types_of_a_backend(client: Client, stored: str, backend: Any, types: list[str]) -> None:
    """dtype_backend keeps NULL apart from NaN."""
    found = pd.read_sql(f"SELECT id, s, d FROM {stored}", client.connection, dtype_backend=backend)
    assert [str(found_type) for found_type in found.dtypes] == types
    assert found["s"].isna().sum() == 1


def test_types_by_column(client: Client, stored: str) -> None:
    """Dtype and parse_dates."""
    found = pd.read_sql_query(f"SELECT id FROM {stored}", client.connection, dtype={"id": "float32"})
    assert str(found["id"].dtype) == "float32"
    found = pd.read_sql_query("SELECT '2024-02-29' AS d", client.connection, parse_dates=["d"])
    assert found["d"].tolist() == [pd.Timestamp("2024-02-29")]


def test_a_frame_of_parameters(client: Client, stored: str) -> None:
    """Pandas passes no params to ADBC; a cursor takes them and gives a frame."""
    with pytest.raises(NotImplementedError, match="params"):
        pd.read_sql_query("SELECT ?", client.connection, params=[1])
    with client.connection.cursor() as cursor:
        found = cursor.execute(f"SELECT id FROM {stored} WHERE s = ?", ("a",)).fetch_df()
    assert found["id"].tolist() == [1]


@pytest.mark.parametrize("option", [{"chunksize": 2}, {"dtype": {"id": "x"}}])
def test_what_pandas_does_not_do_over_adbc(client: Client, t: str, option: dict[str, Any]) -> None:
    """Its own refusal, before anything is sent."""
    with pytest.raises(NotImplementedError, match=next(iter(option))):
        FRAME.to_sql(t, client.connection, index=False, **option)


def test_a_wrong_query_is_pandas_error(client: Client) -> None:
    """With the server's line in it."""
    with pytest.raises(pd.errors.DatabaseError, match="nope"):
        pd.read_sql("SELECT nope", client.connection)


def test_a_missing_table_is_pandas_error(client: Client, t: str) -> None:
    """It looks for it first."""
    with pytest.raises(ValueError, match=f"Table {t} not found"):
        pd.read_sql_table(t, client.connection)


def test_an_empty_result_has_its_columns(client: Client, stored: str) -> None:
    """And its types."""
    found = pd.read_sql(f"SELECT id, at FROM {stored} WHERE id > 9", client.connection)
    assert (found.shape, str(found["id"].dtype)) == ((0, 2), "int64")


def test_a_frame_becomes_a_table_with_a_key(client: Client, db: Client, t: str) -> None:
    """Made by SQL and filled by to_sql: a second load replaces rows by key."""
    client.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY, v DOUBLE)")
    for factor in (1.0, 2.0):
        frame = pd.DataFrame({"id": range(3), "v": [factor] * 3})
        frame.to_sql(t, client.connection, index=False, if_exists="append")
    client.connection.commit()
    assert db.rows(f"SELECT DISTINCT v FROM {t}") == [(2.0,)]
