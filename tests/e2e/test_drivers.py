"""What drivers do: ADBC metadata, pandas, polars, many clients at once."""

import random
import threading
from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tests.e2e.client import Client, failure
from tests.server_process import ServerProcess

Make = Callable[..., str]


def objects(db: Client, depth: str, **filters: Any) -> list[dict[str, Any]]:
    """What adbc_get_objects finds."""
    return db.connection.adbc_get_objects(depth=depth, **filters).read_all().to_pylist()


def test_get_objects_lists_catalogs(db: Client) -> None:
    """There is one catalog, main."""
    assert [found["catalog_name"] for found in objects(db, "catalogs")] == ["main"]


def test_get_objects_lists_schemas(db: Client, t: str) -> None:
    """Namespaces are schemas."""
    db.run(f"CREATE NAMESPACE ns_{t}")
    (found,) = objects(db, "db_schemas", db_schema_filter=f"ns_{t}")
    assert [schema["db_schema_name"] for schema in found["catalog_db_schemas"]] == [f"ns_{t}"]


def test_get_objects_lists_tables_by_type(db: Client, make: Make) -> None:
    """Tables and views are told apart, and filtered by name and type."""
    t = make()
    db.run(f"CREATE VIEW {t}_v AS SELECT 1 AS one")

    def names(**filters: Any) -> set[tuple[str, str]]:
        (found,) = objects(db, "tables", **filters)
        tables = [table for schema in found["catalog_db_schemas"] for table in schema["db_schema_tables"]]
        return {(table["table_name"], table["table_type"]) for table in tables}

    assert names(table_name_filter=f"{t}%") >= {(t, "TABLE"), (f"{t}_v", "VIEW")}
    assert names(table_name_filter=f"{t}_v", table_types_filter=["VIEW"]) == {(f"{t}_v", "VIEW")}


def test_get_objects_lists_columns(db: Client, make: Make) -> None:
    """Columns come in order, without system columns."""
    t = make("b TEXT, a BIGINT PRIMARY KEY")
    (found,) = objects(db, "all", table_name_filter=t)
    (table,) = [table for schema in found["catalog_db_schemas"] for table in schema["db_schema_tables"]]
    assert [column["column_name"] for column in table["table_columns"]] == ["b", "a"]
    assert [column["xdbc_type_name"] for column in table["table_columns"]] == ["TEXT", "BIGINT"]


def test_get_table_schema_is_the_schema_of_select_star(db: Client, make: Make) -> None:
    """Names and types agree; a missing table is an error."""
    t = make("id BIGINT PRIMARY KEY, d DECIMAL(9,2), l LIST<TEXT>, at TIMESTAMP WITH TIME ZONE")
    found = db.connection.adbc_get_table_schema(t, db_schema_filter="public")
    streamed = db.arrow(f"SELECT * FROM {t}").schema
    assert [(f.name, f.type) for f in found] == [(f.name, f.type) for f in streamed]
    assert failure(lambda: db.connection.adbc_get_table_schema(f"{t}_none"))


def test_get_info_and_table_types(db: Client) -> None:
    """The server says who it is."""
    assert db.connection.adbc_get_info()["vendor_name"] == "flightserver"
    assert sorted(db.connection.adbc_get_table_types()) == ["TABLE", "VIEW"]


def test_pandas_reads_and_writes(db: Client, t: str) -> None:
    """to_sql and read_sql over the ADBC connection."""
    frame = pd.DataFrame({"id": [1, 2, 3], "s": ["a", None, "c"], "at": pd.to_datetime(["2024-01-01"] * 3)})
    assert frame.to_sql(t, db.connection, index=False) == 3
    assert frame.to_sql(t, db.connection, index=False, if_exists="append") == 3
    assert frame.to_sql(t, db.connection, index=False, if_exists="replace") == 3
    found = pd.read_sql(f"SELECT * FROM {t} ORDER BY id", db.connection)
    assert found["id"].tolist() == [1, 2, 3]
    assert found["at"].tolist() == frame["at"].tolist()
    assert found["s"].isna().tolist() == [False, True, False]
    with pytest.raises(ValueError, match=t):
        frame.to_sql(t, db.connection, index=False, if_exists="fail")


def test_polars_reads_and_writes(db: Client, t: str) -> None:
    """write_database and read_database with the adbc engine."""
    frame = pl.DataFrame({"id": [1, 2, 3], "s": ["a", None, "c"], "l": [[1], [], [2, 3]]})
    frame.write_database(t, db.connection, engine="adbc", if_table_exists="replace")
    frame.write_database(t, db.connection, engine="adbc", if_table_exists="append")
    found = pl.read_database(f"SELECT * FROM {t} WHERE id > 1 ORDER BY id", db.connection)
    assert found.rows() == [(2, None, []), (2, None, []), (3, "c", [2, 3]), (3, "c", [2, 3])]


def test_executescript_runs_a_statement(db: Client, make: Make) -> None:
    """ADBC sends a script as an update without any schema."""
    t = make()
    with db.connection.cursor() as cursor:
        cursor.executescript(f"INSERT INTO {t} VALUES (1, 1, 'a')")
    assert db.count(t) == 1


def test_rowcounts_reach_the_driver(db: Client, make: Make) -> None:
    """cursor.rowcount after execute and executemany."""
    t = make()
    with db.connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {t} VALUES (?, ?, ?)", [(1, 1, "a"), (2, 2, "b")])
        assert cursor.rowcount == 2
        cursor.execute(f"UPDATE {t} SET v = 0")
        assert cursor.rowcount == 2


def test_many_clients_at_once_lose_nothing(server: ServerProcess, db: Client, make: Make) -> None:
    """16 clients that write, read, flush and compact: the end is the sum of what was acknowledged."""
    t = make("id BIGINT PRIMARY KEY, n BIGINT, sum BIGINT")
    db.run(f"INSERT INTO {t} VALUES (0, 0, 0)")
    added = [0] * 16
    rows = [0] * 16
    faults: list[BaseException] = []

    def work(number: int) -> None:
        rnd = random.Random(number)
        try:
            with server.connect() as connection:
                client = Client(connection)
                for step in range(12):
                    amount = rnd.randrange(100)
                    client.run(f"UPDATE {t} SET n = n + 1, sum = sum + {amount} WHERE id = 0")
                    added[number] += amount
                    key = 1 + number * 10_000 + step * 100
                    keys = range(key, key + 50)
                    client.ingest(t, pa.table({"id": keys, "n": [1] * 50, "sum": [0] * 50}))
                    rows[number] += 50
                    assert client.one(f"SELECT count(*) FROM {t} WHERE id BETWEEN {key} AND {key + 49}") == 50
                    if step % 6 == number % 6:
                        client.run(f"{rnd.choice(['FLUSH', 'COMPACT'])} TABLE {t}")
        except BaseException as fault:  # noqa: BLE001 - shown by the test's own thread
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not faults
    assert db.rows(f"SELECT n, sum FROM {t} WHERE id = 0") == [(16 * 12, sum(added))]
    assert db.count(t) == 1 + sum(rows)
