"""What a result carries: the type of the plan that runs, whole values, and the same after a change as in a query."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi

from tests.e2e.client import Client

LAST_NANOSECOND = 2**63 - 1
MOMENT = datetime(2024, 1, 1, 10)
MIDNIGHT = datetime(2024, 1, 1)

WIDENED: dict[str, tuple[str, list[Any]]] = {
    "union of date and timestamp": (
        "SELECT DATE '2024-01-01' AS x UNION SELECT TIMESTAMP '2024-01-01 10:00:00' ORDER BY 1",
        [MIDNIGHT, MOMENT],
    ),
    "union of timestamp and date": (
        "SELECT TIMESTAMP '2024-01-01 10:00:00' AS x UNION SELECT DATE '2024-01-01' ORDER BY 1",
        [MIDNIGHT, MOMENT],
    ),
    "case of date and timestamp": (
        "SELECT CASE WHEN x = 1 THEN DATE '2024-01-01' ELSE TIMESTAMP '2024-01-01 10:00:00' END FROM (VALUES (2)) v(x)",
        [MOMENT],
    ),
    "coalesce of date and timestamp": (
        "SELECT coalesce(CAST(NULL AS DATE), TIMESTAMP '2024-01-01 10:00:00')",
        [MOMENT],
    ),
    "union of int and float": ("SELECT 1 AS x UNION ALL SELECT 2.5 ORDER BY 1", [1, 2.5]),
    "union of null and int": ("SELECT NULL AS x UNION ALL SELECT 1 ORDER BY 1", [1, None]),
    "union of int and bigint": (
        "SELECT CAST(1 AS INT) AS x UNION ALL SELECT 9223372036854775807 ORDER BY 1",
        [1, 2**63 - 1],
    ),
    "case of int and float": ("SELECT CASE WHEN x > 1 THEN x ELSE 0.5 END FROM (VALUES (1)) v(x)", [0.5]),
    "union of float32 and float64": (
        "SELECT x FROM (SELECT CAST(0.5 AS FLOAT) AS x UNION ALL SELECT 0.1) q ORDER BY x",
        [0.1, 0.5],
    ),
    "sum over a union": ("SELECT sum(x) FROM (SELECT 1 AS x UNION ALL SELECT 2.5) q", [3.5]),
    "intersection of int and float": ("SELECT 1 AS x INTERSECT SELECT 1.0", [1]),
    "decimals of two scales": (
        "SELECT CAST(1.5 AS DECIMAL(5,1)) AS x UNION ALL SELECT CAST(0.125 AS DECIMAL(5,3)) ORDER BY 1",
        [Decimal("0.125"), Decimal("1.5")],
    ),
}
"""Queries whose parts have different types, with the values of their common one."""


@pytest.mark.parametrize("case", WIDENED)
def test_a_query_yields_values_of_the_common_type(client: Client, case: str) -> None:
    """Nothing is cut to the type of the first part."""
    query, expected = WIDENED[case]
    assert client.column(query) == expected


@pytest.mark.parametrize("case", WIDENED)
def test_create_table_as_stores_what_the_query_yields(client: Client, case: str) -> None:
    """The columns have the common type, too."""
    query, expected = WIDENED[case]
    client.run(f"CREATE TEMPORARY TABLE copied AS SELECT q.* FROM ({query}) q(x)")
    assert client.column("SELECT x FROM copied ORDER BY x") == expected


@pytest.mark.parametrize("case", [case for case in WIDENED if "date" in case])
def test_a_change_stores_what_the_query_yields(client: Client, case: str) -> None:
    """INSERT and UPDATE keep the hour of a moment that stands beside a date."""
    query, expected = WIDENED[case]
    client.run("CREATE TEMPORARY TABLE changed (x TIMESTAMP PRIMARY KEY, y TIMESTAMP)")
    client.run(f"INSERT INTO changed (x) SELECT q.* FROM ({query}) q(x)")
    client.run(f"UPDATE changed SET y = (SELECT max(q.x) FROM ({query}) q(x))")
    assert client.rows("SELECT x, y FROM changed ORDER BY x") == [(value, max(expected)) for value in expected]


def test_a_moment_with_a_zone_is_compared_with_columns_of_any_zone(client: Client) -> None:
    """It is the same moment in Berlin and in New York."""
    client.run(
        "CREATE TEMPORARY TABLE zones (id INT PRIMARY KEY, berlin TIMESTAMP(6) WITH TIME ZONE 'Europe/Berlin', "
        "york TIMESTAMP(6) WITH TIME ZONE 'America/New_York')"
    )
    client.run("INSERT INTO zones VALUES (1, '2024-06-01 00:00:00+00', '2024-06-01 00:00:00+00')")
    literal = "TIMESTAMP WITH TIME ZONE '2024-06-01 00:00:00+00'"
    assert client.column(f"SELECT id FROM zones WHERE berlin = {literal} AND york = {literal}") == [1]
    assert client.column("SELECT id FROM zones WHERE berlin = york") == [1]


def test_an_ingest_reaches_the_lasting_table_unless_it_says_temporary(client: Client, other: Client) -> None:
    """A temporary table of the same name does not swallow the rows."""
    client.ingest("twice", pa.table({"a": [7]}), mode="create")
    client.ingest("twice", pa.table({"a": [1]}), mode="create", temporary=True)
    client.ingest("twice", pa.table({"a": [8]}))
    client.ingest("twice", pa.table({"a": [2]}), temporary=True)
    assert other.column("SELECT a FROM twice ORDER BY a") == [7, 8]
    assert client.column("SELECT a FROM twice ORDER BY a") == [1, 2]


@pytest.fixture
def orders(client: Client) -> Client:
    """Customers, and their orders."""
    client.run("CREATE TEMPORARY TABLE customer (id INT PRIMARY KEY, name TEXT)")
    client.run("CREATE TEMPORARY TABLE ordered (id INT PRIMARY KEY, cust INT)")
    client.run("INSERT INTO customer VALUES (1, 'a'), (2, 'b')")
    client.run("INSERT INTO ordered VALUES (10, 1), (11, 1)")
    return client


def test_a_scalar_sub_query_over_a_key_needs_no_aggregate(orders: Client) -> None:
    """A key has one row at most."""
    query = "SELECT o.id, (SELECT name FROM customer c WHERE c.id = o.cust) FROM ordered o ORDER BY o.id"
    assert orders.rows(query) == [(10, "a"), (11, "a")]


def test_columns_depend_on_the_key_that_is_grouped_by(orders: Client) -> None:
    """They need not be repeated in GROUP BY."""
    query = "SELECT c.id, c.name, count(*) FROM ordered o JOIN customer c ON c.id = o.cust GROUP BY c.id"
    assert orders.rows(query) == [(1, "a", 2)]


STORED: dict[str, tuple[str, str, Any]] = {
    "text with Z into a moment": ("TIMESTAMP", "'2024-01-01T00:00:00Z'", MIDNIGHT),
    "more decimals than the column": ("DECIMAL(10,2)", "123.005", Decimal("123.01")),
    "decimals as text": ("DECIMAL(10,2)", "'123.005'", Decimal("123.01")),
    "a date into a moment": ("TIMESTAMP", "DATE '2024-01-01'", MIDNIGHT),
    "a moment into a date": ("DATE", "TIMESTAMP '2024-01-01 10:00:00'", date(2024, 1, 1)),
    "a whole number into text": ("TEXT", "42", "42"),
    "text into a whole number": ("BIGINT", "'42'", 42),
    "text into a boolean": ("BOOLEAN", "'true'", True),
}
"""A column's type, a value that is converted to it, and what is stored."""


@pytest.mark.parametrize("case", STORED)
def test_insert_and_update_convert_alike(client: Client, case: str) -> None:
    """What one takes, the other takes, and both store the same."""
    kind, value, expected = STORED[case]
    client.run(f"CREATE TEMPORARY TABLE converted (id INT PRIMARY KEY, x {kind})")
    client.run(f"INSERT INTO converted VALUES (1, {value})")
    client.run("INSERT INTO converted VALUES (2, NULL)")
    client.run(f"UPDATE converted SET x = {value} WHERE id = 2")
    client.run(f"INSERT INTO converted SELECT 3, {value}")
    client.run(f"INSERT INTO converted VALUES (1, NULL) ON CONFLICT (id) DO UPDATE SET x = {value}")
    assert client.column("SELECT x FROM converted ORDER BY id") == [expected] * 3


def test_digits_that_a_moment_cannot_hold_are_lost_alike(client: Client) -> None:
    """INSERT and UPDATE store the same microsecond of nine digits."""
    client.run("CREATE TEMPORARY TABLE digits (id INT PRIMARY KEY, x TIMESTAMP)")
    client.run("INSERT INTO digits VALUES (1, '2024-01-01 00:00:00.123456789'), (2, NULL)")
    client.run("UPDATE digits SET x = '2024-01-01 00:00:00.123456789' WHERE id = 2")
    first, second = client.column("SELECT x FROM digits ORDER BY id")
    assert first == second
    assert first.microsecond in {123_456, 123_457}


def test_text_without_a_zone_is_a_moment_of_the_session(client: Client) -> None:
    """It is taken by a column with a zone, by INSERT and by UPDATE."""
    client.run("CREATE TEMPORARY TABLE zoned (id INT PRIMARY KEY, x TIMESTAMPTZ)")
    client.run("INSERT INTO zoned VALUES (1, '2024-01-01 00:00:00'), (2, NULL)")
    client.run("UPDATE zoned SET x = '2024-01-01 00:00:00' WHERE id = 2")
    assert client.column("SELECT CAST(x AS TEXT) FROM zoned WHERE id = 1") == client.column(
        "SELECT CAST(x AS TEXT) FROM zoned WHERE id = 2"
    )


def test_the_last_nanosecond_survives_a_bound_parameter(client: Client) -> None:
    """Whatever zone it has."""
    client.run("CREATE TEMPORARY TABLE last (i INT PRIMARY KEY, b TIMESTAMP(9) WITH TIME ZONE)")
    row = [pa.array([1], pa.int32()), pa.array([LAST_NANOSECOND], pa.timestamp("ns", "Asia/Tokyo"))]
    client.many("INSERT INTO last VALUES (?, ?)", pa.record_batch(row, ["i", "b"]))
    assert client.arrow("SELECT b FROM last").column(0).cast(pa.int64()).to_pylist() == [LAST_NANOSECOND]


def test_a_list_view_becomes_a_list(client: Client) -> None:
    """Where a table is made of it, and where it is a result."""
    query = "SELECT 1 AS id, arrow_cast(make_array(1, 2), 'ListView(Int64)') AS a"
    client.run(f"CREATE TEMPORARY TABLE listed AS {query}")
    assert client.column("SELECT a FROM listed") == [[1, 2]]
    assert client.arrow(query).column("a").to_pylist() == [[1, 2]]


def test_an_interval_that_drivers_do_not_know_is_another_or_refused_in_words(client: Client) -> None:
    """No number of a type stands for a message."""
    query = "SELECT arrow_cast('30 minutes', 'Interval(DayTime)')"
    try:
        answer = str(client.arrow(query))
    except dbapi.Error as error:
        answer = str(error)
    assert "[FlightSQL] 22 " not in answer


def test_a_dictionary_of_string_views_is_text(client: Client) -> None:
    """For functions of text and as a result."""
    assert client.column("SELECT upper(arrow_cast('foo', 'Dictionary(Int32, Utf8View)'))") == ["FOO"]
    assert client.column("SELECT arrow_cast('foo', 'Dictionary(Int32, Utf8View)')") == ["foo"]


def test_the_last_second_of_the_year_9999_can_be_compared_with(client: Client) -> None:
    """Nanoseconds do not reach as far."""
    client.run("CREATE TEMPORARY TABLE far (id INT PRIMARY KEY, until TIMESTAMP)")
    client.run("INSERT INTO far VALUES (1, '9999-12-31 23:59:59')")
    assert client.column("SELECT id FROM far WHERE until = '9999-12-31 23:59:59'") == [1]
    assert client.column("SELECT id FROM far WHERE until > now()") == [1]


def test_drop_table_takes_cascade(client: Client) -> None:
    """Nothing depends on a table."""
    client.run("CREATE TABLE dropped (id INT PRIMARY KEY)")
    client.run("DROP TABLE dropped CASCADE")
    client.run("DROP TABLE IF EXISTS dropped CASCADE")


def test_cascade_takes_every_view_once(client: Client) -> None:
    """Also one that reads the table and another view of it."""
    client.run("CREATE TABLE below (id INT PRIMARY KEY)")
    client.run("CREATE VIEW one_way AS SELECT id FROM below")
    client.run("CREATE VIEW two_ways AS SELECT below.id FROM below JOIN one_way ON below.id = one_way.id")
    client.run("DROP TABLE below CASCADE")
    assert "one_way does not exist" in client.error("DROP VIEW one_way")
    assert "two_ways does not exist" in client.error("DROP VIEW two_ways")


def test_a_context_value_gives_its_column_a_name_for_people(client: Client) -> None:
    """Not the engine's literal."""
    (name,) = client.arrow("SELECT current_schema()").column_names
    assert not name.startswith("Utf8(")
