"""How long a table keeps its rows, as statements say it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.definition import Retention, TableDef
from catalog.errors import DatabaseError
from catalog.identifiers import TableName
from flightserver.sql.rendering import create_table_text
from tests.execution.planner import Planner, opened


@pytest.fixture
def planner(tmp_path: Path) -> Iterator[Planner]:
    """A table that keeps its rows for ever."""
    with opened(tmp_path) as planner:
        planner.run('CREATE TABLE t (k INT PRIMARY KEY, at TIMESTAMP, d DATE, n INT, "It\'s" TIMESTAMP)')
        yield planner


def table_of(planner: Planner, name: str = "t") -> TableDef:
    """A table's definition."""
    return planner.database.catalog.registry.table(TableName("public", name))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90 days", 7_776_000),
        ("1 day", 86_400),
        ("12hours", 43_200),
        ("1.5 HOURS", 5_400),
        ("2 weeks", 1_209_600),
        ("90 seconds", 90),
        ("30 Minutes", 1_800),
    ],
)
def test_a_retention_is_a_number_and_a_unit(planner: Planner, text: str, seconds: float) -> None:
    """And is read back as it is shown."""
    planner.run(f"ALTER TABLE t SET (retention = '{text}')")
    assert table_of(planner).options.retention == Retention(seconds)
    shown = create_table_text(table_of(planner)).replace("public.t ", "public.again ")
    planner.run(shown)
    assert table_of(planner, "again").options == table_of(planner).options


def test_the_column_stays_the_same_under_another_name(planner: Planner) -> None:
    """Options name it as it is called now."""
    planner.run("ALTER TABLE t SET (retention = '1 day', retention_column = 'at')")
    planner.run("ALTER TABLE t RENAME COLUMN at TO moment")
    assert "retention = '1 day', retention_column = 'moment'" in create_table_text(table_of(planner))
    planner.run("ALTER TABLE t SET (retention_column = '\"It''s\"')")
    assert create_table_text(table_of(planner)).endswith("retention_column = '\"It''s\"')")
    planner.run("ALTER TABLE t SET (retention_column = 'none')")
    assert table_of(planner).options.retention == Retention(86_400)
    planner.run("ALTER TABLE t SET (retention = 'none')")
    assert table_of(planner).options.retention is None


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("ALTER TABLE t SET (retention = '90')", "a number and a unit"),
        ("ALTER TABLE t SET (retention = '90 fortnights')", "a number and a unit"),
        ("ALTER TABLE t SET (retention = '-1 days')", "a number and a unit"),
        ("ALTER TABLE t SET (retention = '0 days')", "from 1 second"),
        ("ALTER TABLE t SET (retention = '1000000 days')", "36600 days"),
        ("ALTER TABLE t SET (retention_column = 'at')", "for a table with retention"),
        ("ALTER TABLE t SET (retention = '1 day', retention_column = 'n')", "TIMESTAMP or a DATE"),
        ("ALTER TABLE t SET (retention = '1 day', retention_column = 'nothing')", "no column 'nothing'"),
        ("ALTER TABLE t SET (retention = '1 day', retention_column = 'at,d')", "no column 'at,d'"),
        ("CREATE TEMPORARY TABLE temp (n INT) WITH (retention = '1 day')", "temporary table has no retention"),
    ],
)
def test_what_makes_no_sense_is_refused(planner: Planner, sql: str, why: str) -> None:
    """With the reason."""
    with pytest.raises(DatabaseError) as caught:
        planner.run(sql)
    assert why in caught.value.message
