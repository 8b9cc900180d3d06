"""Transactions that were begun to change nothing, and the settings that tools make before they ask anything."""

import pyarrow as pa
import pytest

from flightserver.protocol import commands
from tests.rights.house import House, Person

READ_ONLY = "INVALID: the transaction is read only: nothing may be changed in it"
ROWS = pa.table({"id": [2]})


@pytest.fixture(scope="module")
def ann(house: House) -> Person:
    """Somebody with a table of her own."""
    house.person("root").ok("CREATE USER TABLE each (id BIGINT PRIMARY KEY)")
    return house.person("ann")


CHANGES = [
    "INSERT INTO each VALUES (1)",
    "UPDATE each SET id = id",
    "DELETE FROM each",
    "TRUNCATE each",
    "CREATE USER TABLE other (id BIGINT)",
    "CREATE TEMPORARY TABLE other (id BIGINT)",
    "CREATE VIEW other AS SELECT 1 AS x",
    "DROP TABLE each",
    "GRANT SELECT ON each TO bob",
]


@pytest.mark.parametrize("begin", ["BEGIN READ ONLY", "START TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY"])
def test_nothing_changes_in_a_read_only_transaction(ann: Person, begin: str) -> None:
    """By any way in: text, update, prepared statement, or a stream of rows; reading goes on."""
    ann.ok(begin)
    for sql in CHANGES:
        assert ann.refused(sql) == READ_ONLY
        assert ann.update(sql).error == READ_ONLY
    assert ann.prepared("INSERT INTO each VALUES (?)", pa.table({"1": [1]})).error == READ_ONLY
    assert ann.ingest("each", ROWS).error == READ_ONLY
    assert ann.ok("SELECT * FROM each") == []
    assert ann.ok("SHOW transaction_read_only") == [{"transaction_read_only": "on"}]
    ann.ok("SAVEPOINT s")
    ann.ok("ROLLBACK TO s")
    ann.ok("COMMIT")
    assert ann.ok("SHOW transaction_read_only") == [{"transaction_read_only": "off"}]


def test_another_may_not_be_changed_for_in_one_either(house: House) -> None:
    """AS USER is in the transaction of who sent it."""
    sid = house.person("sid")
    sid.ok("BEGIN READ ONLY")
    assert sid.refused("INSERT INTO each AS USER 'ann' VALUES (1)") == READ_ONLY
    assert sid.ok("EXECUTE AS USER 'ann' (SELECT * FROM each)") == []
    sid.ok("ROLLBACK")


def test_a_transaction_that_the_client_names_is_made_read_only(ann: Person) -> None:
    """SET TRANSACTION is for the one that it comes with; it may write again only before its first statement."""
    name = ann.begin()
    ann.read(commands.StatementQuery("SET TRANSACTION READ ONLY", name))
    ann.read(commands.StatementQuery("SET TRANSACTION READ WRITE", name))
    ann.read(commands.StatementQuery("SET TRANSACTION READ ONLY", name))
    assert ann.read(commands.StatementQuery("INSERT INTO each VALUES (1)", name)).error == READ_ONLY
    assert ann.read(commands.StatementQuery("SELECT * FROM each", name)).error is None
    again = ann.read(commands.StatementQuery("SET TRANSACTION READ WRITE", name)).error
    assert again is not None
    assert "before its first statement" in again


def test_modes_for_the_whole_session(house: House) -> None:
    """A statement without a transaction is one, and so are a script and one that the client names."""
    bob = house.person("bob")
    bob.ok("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    assert bob.refused("INSERT INTO each VALUES (1)") == READ_ONLY
    assert READ_ONLY.partition(": ")[2] in str(bob.update("DELETE FROM each; INSERT INTO each VALUES (1)").error)
    name = bob.begin()
    assert bob.read(commands.StatementQuery("INSERT INTO each VALUES (1)", name)).error == READ_ONLY
    bob.ok("BEGIN READ WRITE")
    bob.ok("INSERT INTO each VALUES (1)")
    bob.ok("COMMIT")
    bob.ok("SET default_transaction_read_only = off")
    bob.ok("DELETE FROM each")


def test_a_mode_without_a_transaction_promises_nothing(ann: Person) -> None:
    """To read only is refused, a level is what every transaction has."""
    assert "BEGIN" in ann.refused("SET TRANSACTION READ ONLY")
    ann.ok("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
    assert ann.ok("SHOW TRANSACTION ISOLATION LEVEL") == [{"transaction_isolation": "repeatable read"}]
    assert "snapshot isolation" in ann.refused("BEGIN ISOLATION LEVEL SERIALIZABLE")
    assert "snapshot isolation" in ann.refused("SET default_transaction_isolation = 'serializable'")


SETTINGS = [
    ("SET timezone = 'UTC'", "timezone", "UTC"),
    ("SET TIME ZONE 'Etc/UTC'", "timezone", "UTC"),
    ("SET application_name = 'DBeaver 25'", "application_name", "DBeaver 25"),
    ("SET client_encoding TO 'UTF8'", "client_encoding", "UTF8"),
    ("SET NAMES 'utf-8'", "client_encoding", "UTF8"),
    ("SET extra_float_digits = 3", "extra_float_digits", "3"),
    ("SET DateStyle = ISO, MDY", "datestyle", "ISO, MDY"),
    ("SET standard_conforming_strings = on", "standard_conforming_strings", "on"),
    ("SET statement_timeout = 1500", "statement_timeout", "1500ms"),
    ("SET statement_timeout = '2min'", "query_timeout_s", "120.0"),
    ("SET statement_timeout = 0", "statement_timeout", "0"),
    ("SET search_path = shop", "schema", "shop"),
    ('SET search_path = "$user", public', "search_path", "public"),
    ("SET search_path TO shop, pg_catalog", "search_path", "shop"),
]


@pytest.mark.parametrize(("sql", "name", "value"), SETTINGS)
def test_settings_of_other_systems(house: House, sql: str, name: str, value: str) -> None:
    """Honoured, or kept where they can mean nothing; RESET ALL takes them back."""
    person = house.person("root")
    person.ok("CREATE NAMESPACE IF NOT EXISTS shop")
    before = person.ok(f"SHOW {name}")
    person.ok(sql)
    assert person.ok(f"SHOW {name}") == [{name: value}]
    assert (name, value) in [(row["name"], row["setting"]) for row in person.ok("SHOW ALL")]
    person.ok("RESET ALL")
    assert person.ok(f"SHOW {name}") == before


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SET timezone = 'Europe/Berlin'", "AT TIME ZONE"),
        ("SET TIME ZONE '+02:00'", "AT TIME ZONE"),
        ("SET client_encoding = 'LATIN1'", "UTF-8"),
        ("SET datestyle = 'German'", "year-month-day"),
        ("SET standard_conforming_strings = off", "backslash"),
        ("SET search_path = shop, public", "one namespace"),
        ("SET search_path = ''", "one namespace"),
        ("SET search_path = nowhere", "namespace nowhere does not exist"),
        ("SET server_version = '16'", "cannot be changed"),
        ("SET statement_timeout = 'soon'", "milliseconds"),
        ("SET work_mem = '4MB'", "no session option work_mem"),
    ],
)
def test_what_would_change_the_meaning_is_refused(house: House, sql: str, why: str) -> None:
    """Never ignored."""
    assert why in house.person("root").refused(sql)


def test_a_path_to_what_is_hidden_is_a_path_to_nothing(house: House) -> None:
    """As USE, to the letter."""
    house.person("root").ok("CREATE NAMESPACE IF NOT EXISTS shop")
    ann = house.person("ann")
    unknown = ann.refused("USE nowhere").replace("nowhere", "shop")
    assert ann.refused("SET search_path = shop") == ann.refused("SET SCHEMA 'shop'") == unknown
