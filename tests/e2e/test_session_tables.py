"""Temporary tables, and definitions as statements."""

import pytest

from tests.e2e.client import Client, failure
from tests.server_process import ServerProcess

DEFINITIONS = [
    "CREATE TABLE public.{t} (\n    id BIGINT,\n    v INT NOT NULL DEFAULT 5,\n    PRIMARY KEY (id)\n)",
    'CREATE USER TABLE public.{t} (\n    b TEXT,\n    "A b" DECIMAL(9,2),\n    PRIMARY KEY ("A b", b)\n)',
    (
        "CREATE TABLE public.{t} (\n    id BIGINT,\n    at TIMESTAMP(6) DEFAULT NOW()\n) "
        "WITH (flush_policy = 'rows:10,interval:2.5', bloom_columns = 'id', bloom_fpp = 0.01, compression = 'zstd')"
    ),
]


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_a_table_is_shown_as_the_statement_that_makes_it(db: Client, t: str, definition: str) -> None:
    """What SHOW CREATE TABLE prints makes the same table."""
    db.run(definition.format(t=t))
    assert db.rows(f"SHOW CREATE TABLE {t}") == [(f"public.{t}", definition.format(t=t))]


def test_a_view_is_shown_as_the_statement_that_makes_it(db: Client, t: str) -> None:
    """The query is shown as it was written, here and in system.views."""
    db.run(f"CREATE VIEW {t} AS SELECT 1 AS  one")
    assert db.rows(f"SHOW CREATE VIEW {t}") == [(f"public.{t}", f"CREATE VIEW public.{t} AS SELECT 1 AS  one")]
    assert db.rows(f"SELECT definition FROM system.views WHERE view = '{t}'") == [("SELECT 1 AS  one",)]


def test_a_temporary_table_is_its_sessions_alone(server: ServerProcess, db: Client, t: str) -> None:
    """Another connection does not see it."""
    db.run(f"CREATE TEMPORARY TABLE {t} (id BIGINT PRIMARY KEY)")
    db.run(f"INSERT INTO {t} VALUES (1)")
    assert db.rows(f"SELECT id FROM {t}") == [(1,)]
    with server.connect() as connection:
        assert t in failure(lambda: Client(connection).rows(f"SELECT id FROM {t}"))


def test_a_temporary_table_hides_another(db: Client, t: str) -> None:
    """Until it is dropped, its name means it."""
    db.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY)")
    db.run(f"CREATE TEMP TABLE {t} AS SELECT 7 AS other")
    assert db.rows(f"SELECT * FROM {t}") == [(7,)]
    db.run(f"DROP TABLE {t}")
    assert db.rows(f"SELECT * FROM {t}") == []


def test_a_temporary_table_is_altered_like_another(db: Client, t: str) -> None:
    """Its definition changes for its session."""
    db.run(f"CREATE TEMP TABLE {t} (id BIGINT PRIMARY KEY)")
    db.run(f"ALTER TABLE {t} ADD COLUMN v TEXT DEFAULT 'x'")
    db.run(f"INSERT INTO {t} (id) VALUES (1)")
    assert db.rows(f"SELECT * FROM {t}") == [(1, "x")]
