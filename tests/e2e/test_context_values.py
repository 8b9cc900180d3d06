"""What SQL says of the session that asks."""

import pytest

from tests.e2e.client import Client


@pytest.mark.parametrize("call", ["CURRENT_USER", "current_user", "SESSION_USER", "current_user()"])
def test_the_user_is_known_to_queries(db: Client, alice: Client, call: str) -> None:
    """Everybody sees their own name."""
    assert db.one(f"SELECT {call}") == "root"
    assert alice.one(f"SELECT {call} AS who") == "alice"


def test_the_namespace_and_the_catalog_are_known(db: Client) -> None:
    """As JDBC tools and shells ask for them."""
    assert db.rows("SELECT CURRENT_SCHEMA, CURRENT_CATALOG") == [("public", "main")]


def test_a_view_shows_everybody_their_own(db: Client, alice: Client, t: str) -> None:
    """CURRENT_USER in a view is who reads it."""
    db.run(f"CREATE TABLE {t} (owner TEXT PRIMARY KEY, v BIGINT)")
    db.run(f"INSERT INTO {t} VALUES ('alice', 1), ('root', 2)")
    db.run(f"CREATE VIEW mine_{t} AS SELECT v FROM {t} WHERE owner = CURRENT_USER")
    db.run(f"GRANT SELECT ON mine_{t} TO PUBLIC")
    assert alice.rows(f"SELECT * FROM mine_{t}") == [(1,)]
    assert db.rows(f"SELECT * FROM mine_{t}") == [(2,)]


def test_names_stay_names(db: Client, t: str) -> None:
    """An alias, a quoted name and a qualified one mean no user."""
    db.run(f'CREATE TABLE {t} (id BIGINT PRIMARY KEY, "current_user" TEXT)')
    db.run(f"INSERT INTO {t} VALUES (1, 'x')")
    assert db.rows(f'SELECT {t}.current_user AS a, "current_user" AS b, 3 AS current_user FROM {t}') == [("x", "x", 3)]


def test_system_tables_are_listed_and_described(db: Client) -> None:
    """As other tables are."""
    assert ("system",) in db.rows("SHOW NAMESPACES")
    assert ("system", "queries", "SYSTEM") in db.rows("SHOW TABLES IN system")
    assert "batches_pruned" in db.column("DESCRIBE system.queries")


def test_a_namespace_of_the_own_transaction_can_be_used(db: Client, t: str) -> None:
    """Inside BEGIN, what was just created is there."""
    db.run("BEGIN")
    db.run(f"CREATE NAMESPACE n_{t}")
    db.run(f"USE n_{t}")
    assert db.one("SELECT CURRENT_SCHEMA") == f"n_{t}"
    db.run("ROLLBACK")
    db.run("USE public")
