"""Tables that other engines read, as statements make them, show them, and say what is published."""

from collections.abc import Iterator
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest

from catalog.definition import Format, Publication
from catalog.errors import DatabaseError
from catalog.identifiers import TableName
from flightserver.execution.rows import Rows
from flightserver.sql.parser import parse_numbered
from flightserver.sql.rendering import create_table_text
from tests.execution.planner import Planner, opened


@pytest.fixture
def planner(tmp_path: Path) -> Iterator[Planner]:
    """A published table."""
    with opened(tmp_path) as planner:
        planner.run(
            "CREATE TABLE t (k INT PRIMARY KEY, v TEXT) WITH (publish = 'delta', publish_retention = '2 hours')"
        )
        yield planner


def rows_of(planner: Planner, path: str) -> list[dict[str, object]]:
    """What deltalake finds at a path that SHOW PUBLISHED has told."""
    table = deltalake.DeltaTable(str(planner.database.settings.data_dir / "tables" / path))
    found = deltalake.QueryBuilder().register("t", table).execute("SELECT k, v FROM t ORDER BY k").read_all()
    return pa.table(found).to_pylist()


def published(planner: Planner) -> list[dict[str, object]]:
    """What the server says of it."""
    shown = planner.executor.run(parse_numbered("SHOW PUBLISHED"), planner.context, None)
    assert isinstance(shown, Rows)
    return shown.to_table().to_pylist()


def test_everything_committed_is_published_at_once(planner: Planner) -> None:
    """Rows in memory too; and it is told where that is, and what it shows."""
    planner.run("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    planner.run("PUBLISH TABLE t")
    planner.run("DELETE FROM t WHERE k = 1")
    planner.run("PUBLISH t")
    (row,) = published(planner)
    assert (row["namespace"], row["table"], row["user"], row["rows"], row["lag_s"]) == ("public", "t", None, 1, 0.0)
    assert rows_of(planner, str(row["path"])) == [{"k": 2, "v": "b"}]


def test_the_options_are_shown_as_they_are_read(planner: Planner) -> None:
    """`none` takes it back."""
    table = planner.database.catalog.registry.table(TableName("public", "t"))
    assert table.options.publication == Publication(Format.DELTA, 7_200.0)
    assert "publish = 'delta', publish_retention = '2 hours'" in create_table_text(table)
    planner.run("ALTER TABLE t SET (publish = 'none')")
    with pytest.raises(DatabaseError, match=r"public\.t is not published"):
        planner.run("PUBLISH TABLE t")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ALTER TABLE t ADD COLUMN x BIGINT UNSIGNED", "column x cannot be published"),
        ("CREATE TABLE u (k INT, x TIME) WITH (publish = 'delta')", "column x cannot be published"),
        ("ALTER TABLE t SET (publish = 'iceberg')", "publish is one of none, delta"),
        ("ALTER TABLE t SET (publish_retention = 'long')", "publish_retention is a number and a unit"),
        ("CREATE TEMPORARY TABLE u (k INT) WITH (publish = 'delta')", "is not published"),
        ("CREATE STREAM TABLE u (k INT) WITH (ttl_seconds = 9, publish = 'delta')", "a STREAM table has none"),
    ],
)
def test_what_cannot_be_published_is_refused(planner: Planner, text: str, said: str) -> None:
    """By the name of the column, or of the option."""
    with pytest.raises(DatabaseError, match=said):
        planner.run(text)
