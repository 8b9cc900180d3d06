"""A table as it is: what is read straight from its files is what a query over the merged relation sees."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from catalog.definition import ColumnSpec, Default
from catalog.evolution import add_column
from manifest.predicate import Unknown
from providers.cold.pruning import prune
from providers.engine.export import export, selected_columns
from providers.engine.relations import Columns
from providers.stopping import never
from tests.storage_fixtures import TableAccess, kv


def plan_columns(table: TableAccess, text: str) -> list[str] | None:
    """What a text exports of the table `t`."""
    shape = table.db.relations.shape(table.definition, Columns.VISIBLE)
    return selected_columns(table.db.engine.plan(text, {table.name: shape}, "public").optimized_logical_plan())


def batches(table: TableAccess, names: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    """An export."""
    snapshot, files = table.snapshot, table.db.store.files
    types = {column.name: column.storage for column in table.definition.visible_columns}
    schema = pa.schema([(name, types[name]) for name in names])
    return export(snapshot, prune(snapshot, Unknown(), files), names, schema, files, never)


def exported(table: TableAccess, *names: str) -> list[dict[str, object]]:
    """Rows of an export."""
    return [row for batch in batches(table, names) for row in batch.to_pylist()]


def exported_types(table: TableAccess, name: str) -> set[pa.DataType]:
    """The types in which a column comes."""
    return {batch.schema.field(0).type for batch in batches(table, (name,))}


def test_export_returns_live_rows_of_both_tiers(table: TableAccess) -> None:
    """Clean batches, batches with dead rows, hot rows."""
    table.write(*[kv(k, 10 * k) for k in range(4)])
    table.flush()
    table.write(*[kv(k, -1) for k in range(4, 8)], kv(20, -1))
    table.flush()
    table.write(kv(5, 50), kv(9, 90))
    table.delete(kv(20), kv(1))
    found = {row["k"]: row["v"] for row in exported(table, "k", "v")}
    assert found == {0: 0, 2: 20, 3: 30, 4: -1, 5: 50, 6: -1, 7: -1, 9: 90}
    assert len(exported(table, "v")) == len(found)


def test_older_batches_have_the_defaults_of_younger_columns(table: TableAccess) -> None:
    """Also when nothing but such columns is asked for."""
    table.write(kv(1), kv(2))
    table.flush()
    table.alter(lambda before: add_column(before, ColumnSpec("n", pa.int32(), default=Default(literal="7"))))
    table.alter(lambda before: add_column(before, ColumnSpec("e", pa.string())))
    assert exported(table, "n", "e") == [{"n": 7, "e": None}] * 2


def test_repeating_texts_come_as_plain_texts(table: TableAccess) -> None:
    """They are dictionaries in the file; rows without one and dead rows among them."""
    table.alter(lambda before: add_column(before, ColumnSpec("e", pa.string())))
    table.write(*[{"k": k, "v": 0, "e": [None, "x", "y"][k % 3]} for k in range(30)])
    table.flush()
    table.delete(kv(4), kv(6))
    found = {row["k"]: row["e"] for row in exported(table, "k", "e")}
    assert found == {k: [None, "x", "y"][k % 3] for k in range(30) if k not in (4, 6)}
    assert exported_types(table, "e") == {pa.string()}


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("SELECT * FROM t", ["v", "k"]),
        ("SELECT k AS v, v AS k FROM t", ["k", "v"]),
        ("SELECT q.a AS b FROM (SELECT v AS a, k AS v FROM t) q", ["v"]),
        ("SELECT k FROM t LIMIT 3", None),
        ("SELECT k FROM t WHERE v > 1", None),
        ("SELECT k + 1 FROM t", None),
        ("SELECT abs(k), v FROM t", None),
        ("SELECT abs(k) AS k FROM t", None),
        ("SELECT 1 FROM t", None),
        ("SELECT count(*) FROM t", None),
        ("SELECT DISTINCT k FROM t", None),
        ("SELECT k FROM t ORDER BY v", None),
        ("SELECT k FROM t UNION ALL SELECT v FROM t", None),
        ("SELECT 2 AS two", None),
    ],
)
def test_only_bare_columns_of_one_table_are_exported(table: TableAccess, text: str, columns: list[str] | None) -> None:
    """Whatever else a plan does is the engine's work."""
    assert plan_columns(table, text) == columns
