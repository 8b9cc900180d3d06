"""Temporary tables beside lasting ones of the same name, whichever came first."""

from itertools import count

import pyarrow as pa
import pytest

from tests.e2e.client import Client, failure

_NUMBERS = count(1)
MAKE = {
    "CREATE TABLE": "CREATE TABLE {t} (id BIGINT PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS": "CREATE TABLE IF NOT EXISTS {t} (id BIGINT PRIMARY KEY)",
    "CREATE TABLE AS": "CREATE TABLE {t} AS SELECT CAST(1 AS BIGINT) AS id WHERE FALSE",
    "CREATE VIEW": "CREATE VIEW {t} AS SELECT CAST(1 AS BIGINT) AS id WHERE FALSE",
    "CREATE OR REPLACE VIEW": "CREATE OR REPLACE VIEW {t} AS SELECT CAST(1 AS BIGINT) AS id WHERE FALSE",
}


@pytest.fixture
def t() -> str:
    """A name of the test's own."""
    return f"named{next(_NUMBERS)}"


def rows(*keys: int) -> pa.Table:
    """A stream."""
    return pa.table({"id": pa.array(keys, pa.int64())})


@pytest.mark.parametrize("first", ["temporary", "lasting"])
@pytest.mark.parametrize("make", MAKE)
def test_both_can_be_made_in_both_orders(client: Client, other: Client, t: str, make: str, first: str) -> None:
    """The lasting one is hidden from the session until the temporary one is dropped, and there for others."""
    temporary = f"CREATE TEMPORARY TABLE {t} AS SELECT 7 AS mine"
    lasting = MAKE[make].format(t=t)
    for statement in (temporary, lasting) if first == "temporary" else (lasting, temporary):
        client.run(statement)
    assert client.rows(f"SELECT * FROM {t}") == [(7,)]
    assert other.rows(f"SELECT * FROM {t}") == []
    kinds = [row[2] for row in client.rows("SHOW TABLES") if row[1] == t]
    listed = client.connection.adbc_get_objects(table_name_filter=t).read_all().to_pylist()
    assert (kinds, str(listed).count(f"'table_name': '{t}'")) == (["TEMPORARY"], 1)
    client.run(f"DROP TABLE {t}")
    assert client.rows(f"SELECT * FROM {t}") == []


def test_only_its_own_kind_is_in_the_way(client: Client, other: Client, t: str) -> None:
    """A second temporary one, and a second lasting one."""
    client.run(f"CREATE TEMPORARY TABLE {t} (id BIGINT)")
    assert "exists already" in client.error(f"CREATE TEMPORARY TABLE {t} (id BIGINT)")
    client.run(f"CREATE TEMPORARY TABLE IF NOT EXISTS {t} (other BIGINT)")
    client.run(f"CREATE TABLE {t} (id BIGINT)")
    for each in (client, other):
        assert "exists already" in each.error(f"CREATE TABLE {t} (id BIGINT)")
        assert "exists already" in each.error(f"CREATE VIEW {t} AS SELECT 1")


def test_statements_mean_the_temporary_one(client: Client, other: Client, t: str) -> None:
    """ALTER, INSERT, TRUNCATE and DROP leave the one behind it as it is."""
    client.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY)")
    client.run(f"INSERT INTO {t} VALUES (1)")
    client.run(f"CREATE TEMPORARY TABLE {t} (id BIGINT PRIMARY KEY)")
    client.run(f"ALTER TABLE {t} ADD COLUMN v BIGINT DEFAULT 5")
    client.run(f"INSERT INTO {t} (id) VALUES (2)")
    assert client.rows(f"SELECT * FROM {t}") == [(2, 5)]
    client.run(f"TRUNCATE {t}")
    client.run(f"DROP TABLE {t}")
    assert [each.rows(f"SELECT * FROM {t}") for each in (client, other)] == [[(1,)], [(1,)]]


@pytest.mark.parametrize("mode", ["append", "create_append", "replace"])
def test_a_stream_says_which_one_it_means(client: Client, other: Client, t: str, mode: str) -> None:
    """Without `temporary` it reaches the lasting table, with it the temporary one."""
    client.ingest(t, rows(1), mode="create")
    client.ingest(t, rows(7), mode="create", temporary=True)
    client.ingest(t, rows(2), mode=mode)
    client.ingest(t, rows(8), mode=mode, temporary=True)
    assert other.column(f"SELECT id FROM {t} ORDER BY id") == ([2] if mode == "replace" else [1, 2])
    assert client.column(f"SELECT id FROM {t} ORDER BY id") == ([8] if mode == "replace" else [7, 8])


def test_a_stream_makes_a_lasting_table_beside_a_temporary_one(client: Client, other: Client, t: str) -> None:
    """As CREATE TABLE does; an append that must not make one is for the temporary one, where there is no other."""
    client.ingest(t, rows(7), mode="create", temporary=True)
    client.ingest(t, rows(8), mode="append")
    client.ingest(t, rows(1), mode="create")
    client.ingest(t, rows(2), mode="create_append")
    assert other.column(f"SELECT id FROM {t} ORDER BY id") == [1, 2]
    assert client.column(f"SELECT id FROM {t} ORDER BY id") == [7, 8]


def test_a_namespace_goes_with_the_sessions_temporary_tables(client: Client, other: Client, t: str) -> None:
    """CASCADE drops them; without it they are in the way of their own session alone."""
    client.run(f"CREATE NAMESPACE {t}")
    client.run(f"CREATE TEMPORARY TABLE {t}.x (id BIGINT)")
    assert f"still holds {t}.x" in client.error(f"DROP NAMESPACE {t}")
    client.run(f"DROP NAMESPACE {t} CASCADE")
    assert f"namespace {t} does not exist" in client.error(f"DROP TABLE {t}.x")
    assert failure(lambda: other.ingest("x", rows(1), mode="create", db_schema_name=t))


def test_a_view_reads_what_it_read_when_it_was_made(client: Client, t: str) -> None:
    """A temporary table hides a table from its session, not from the views of others."""
    client.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY)")
    client.run(f"CREATE VIEW {t}_seen AS SELECT * FROM {t}")
    client.run(f"INSERT INTO {t} VALUES (1)")
    client.run(f"CREATE TEMPORARY TABLE {t} AS SELECT 7 AS mine")
    assert client.rows(f"SELECT * FROM {t}_seen") == [(1,)]


@pytest.mark.parametrize("hidden", ["{t}", "{t}_seen"])
def test_a_name_of_two_meanings_is_refused_in_one_query(client: Client, t: str, hidden: str) -> None:
    """The table or view that a view reads, beside a temporary table of its name."""
    client.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY)")
    client.run(f"CREATE VIEW {t}_seen AS SELECT * FROM {t}")
    client.run(f"CREATE VIEW {t}_both AS SELECT * FROM {t}_seen")
    client.run(f"CREATE TEMPORARY TABLE {hidden.format(t=t)} AS SELECT 7 AS mine")
    assert "a temporary table hides" in client.error(f"SELECT * FROM {hidden.format(t=t)}, {t}_both")
