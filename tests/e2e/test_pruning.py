"""What a query reads, as EXPLAIN tells."""

import pytest

from tests.e2e.client import Client


def pruning(db: Client, sql: str) -> dict[str, int]:
    """The figures of EXPLAIN's pruning row."""
    rows = [row[1] for row in db.rows(f"EXPLAIN {sql}") if row[0] == "pruning"]
    (line,) = rows
    figures = line.split(": ", 1)[1].replace("batches ", "").replace("hot rows", "hot").replace(",", "")
    return {name: int(value) for name, value in (part.split("=") for part in figures.split())}


@pytest.mark.parametrize(
    ("where", "kept", "by_range", "by_bloom"),
    [
        ("TRUE", 7, 0, 0),
        ("id = 250", 1, 6, 0),
        ("id BETWEEN 250 AND 320", 2, 5, 0),
        ("v >= 600", 1, 6, 0),
        ("v < 0", 0, 7, 0),
        ("id IN (5, 605)", 2, 5, 0),
        ("s = 's50-250'", 1, 0, 6),
        ("s = 's50-9'", 0, 0, 7),
        ("id = 250 OR id = 650", 2, 5, 0),
        ("id > 249 AND s = 's50-250'", 1, 2, 4),
        ("v + 0 = 5", 7, 0, 0),
        ("s IS NULL", 0, 7, 0),
    ],
)
def test_explain_shows_what_was_pruned(
    db: Client, batches: str, where: str, kept: int, by_range: int, by_bloom: int
) -> None:
    """Ranges prune on every column, blooms where there is one; the figures add up."""
    found = pruning(db, f"SELECT * FROM {batches} WHERE {where}")
    assert found == {"total": 7, "kept": kept, "pruned_by_range": by_range, "pruned_by_bloom": by_bloom, "hot": 0}


def test_parameters_prune_like_literals(db: Client, batches: str) -> None:
    """A prepared look-up by key finds every row of every batch."""
    for key in range(0, 700, 37):
        assert db.rows(f"SELECT v FROM {batches} WHERE id = ?", (key,)) == [(key,)]
    assert db.column(f"SELECT count(*) FROM {batches} WHERE id >= ? AND id < ?", (95, 205)) == [110]


def test_explain_of_changes_shows_pruning_too(db: Client, batches: str) -> None:
    """EXPLAIN UPDATE and EXPLAIN DELETE run nothing and show which batches they would read."""
    assert pruning(db, f"UPDATE {batches} SET v = 0 WHERE id = 5")["kept"] == 1
    assert pruning(db, f"DELETE FROM {batches} WHERE id > 595")["kept"] == 2
    assert db.count(batches) == 700


@pytest.mark.parametrize(
    ("sql", "culprit"),
    [
        ("INSERT INTO nowhere VALUES (1)", "nowhere"),
        ("INSERT INTO {t} (id, nope) VALUES (1, 2)", "nope"),
        ("INSERT INTO {t} (id, v) VALUES (1)", "its source has 1"),
        ("INSERT INTO {t} (id) VALUES (1) ON CONFLICT (v) DO NOTHING", "key"),
        ("INSERT INTO {t} (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET nope = 1", "nope"),
        ("UPDATE {t} SET nope = 1", "nope"),
        ("UPDATE {t} SET id = 1", "id"),
    ],
)
def test_explain_checks_what_a_change_writes_to(db: Client, batches: str, sql: str, culprit: str) -> None:
    """What the change would refuse of its table and columns, EXPLAIN refuses too."""
    change = sql.format(t=batches)
    assert culprit in db.error(change)
    assert culprit in db.error(f"EXPLAIN {change}")


def test_explain_analyze_runs_the_query(db: Client, batches: str) -> None:
    """EXPLAIN ANALYZE shows rows that went through the plan."""
    plan = "\n".join(row[1] for row in db.rows(f"EXPLAIN ANALYZE SELECT * FROM {batches} WHERE id < 150"))
    assert "output_rows=150" in plan
