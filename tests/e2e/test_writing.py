"""Statements that change rows: counts, conflicts, errors; over hot and flushed rows alike."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.e2e.client import Client, failure

Make = Callable[..., str]
Mixed = Callable[..., str]


@pytest.fixture(params=["hot", "cold", "mixed"])
def table(request: pytest.FixtureRequest, db: Client, make: Make) -> str:
    """Rows (1, 10, 'a') to (6, 60, 'f'): in memory, in a batch, or half and half with an older version below."""
    t = make()
    rows = [f"({n}, {n * 10}, '{'abcdef'[n - 1]}')" for n in range(1, 7)]
    if request.param == "mixed":
        db.run(f"INSERT INTO {t} VALUES (1, -1, 'old'), (2, -2, 'old'), (7, 7, 'gone'), {', '.join(rows[3:])}")
        db.run(f"FLUSH TABLE {t}")
        db.run(f"DELETE FROM {t} WHERE id IN (1, 7)")
        db.run(f"INSERT INTO {t} VALUES {rows[0]}, {rows[2]}")
        db.run(f"UPDATE {t} SET v = 20, s = 'b' WHERE id = 2")
    else:
        db.run(f"INSERT INTO {t} VALUES {', '.join(rows)}")
    if request.param == "cold":
        db.run(f"FLUSH TABLE {t}")
    return t


def values(db: Client, t: str) -> dict[int, int]:
    """The column v by key."""
    return dict(db.rows(f"SELECT id, v FROM {t} ORDER BY id"))


START = {1: 10, 2: 20, 3: 30, 4: 40, 5: 50, 6: 60}


def test_the_rows_are_what_they_are_said_to_be(db: Client, table: str) -> None:
    """Deletes, updates and re-inserts over a batch leave one live version per key."""
    assert values(db, table) == START
    assert db.count(table) == 6


@pytest.mark.parametrize(
    ("sql", "count", "after"),
    [
        ("UPDATE {t} SET v = v + 1", 6, {k: v + 1 for k, v in START.items()}),
        ("UPDATE {t} SET v = 0 WHERE id = 4", 1, START | {4: 0}),
        ("UPDATE {t} SET v = 0 WHERE id IN (1, 4, 99)", 2, START | {1: 0, 4: 0}),
        ("UPDATE {t} SET v = 0 WHERE s > 'd'", 2, START | {5: 0, 6: 0}),
        ("UPDATE {t} SET v = 0 WHERE v = -1 OR s = 'old'", 0, START),
        ("UPDATE {t} SET v = id, s = s || 'x' WHERE v BETWEEN 20 AND 30", 2, START | {2: 2, 3: 3}),
        ("UPDATE {t} SET v = 0 WHERE v > (SELECT avg(v) FROM {t})", 3, START | {4: 0, 5: 0, 6: 0}),
        ("UPDATE {t} SET v = 0 WHERE id IN (SELECT id + 1 FROM {t} WHERE v < 25)", 2, START | {2: 0, 3: 0}),
        ("UPDATE {t} SET v = (SELECT max(v) FROM {t}) WHERE id = 1", 1, START | {1: 60}),
        ("UPDATE {t} AS a SET v = 0 WHERE NOT EXISTS (SELECT 1 FROM {t} b WHERE b.id > a.id)", 1, START | {6: 0}),
        ("UPDATE {t} AS a SET v = b.v FROM {t} b WHERE b.id = a.id + 3", 3, START | {1: 40, 2: 50, 3: 60}),
        ("UPDATE {t} SET v = x.w FROM (VALUES (2, 7), (5, 8), (9, 9)) AS x (k, w) WHERE id = x.k", 2, {2: 7, 5: 8}),
        ("UPDATE {t} SET v = CASE WHEN id % 2 = 0 THEN -v ELSE v END WHERE id > 4", 2, START | {6: -60}),
        ("UPDATE {t} SET v = NULL WHERE id = 1", 1, START | {1: None}),
    ],
)
def test_update_changes_the_rows_that_match(
    db: Client, table: str, sql: str, count: int, after: dict[int, Any]
) -> None:
    """UPDATE with any predicate, sub-queries and FROM reports and changes exactly the live rows that match."""
    assert db.update(sql.format(t=table)) == count
    assert values(db, table) == START | after
    db.run(f"FLUSH TABLE {table}")
    assert values(db, table) == START | after


@pytest.mark.parametrize(
    ("sql", "gone"),
    [
        ("DELETE FROM {t}", {1, 2, 3, 4, 5, 6}),
        ("DELETE FROM {t} WHERE id = 2", {2}),
        ("DELETE FROM {t} WHERE v = -2", set()),
        ("DELETE FROM {t} WHERE s IN ('a', 'f')", {1, 6}),
        ("DELETE FROM {t} WHERE v >= (SELECT max(v) FROM {t})", {6}),
        ("DELETE FROM {t} WHERE id IN (SELECT id FROM {t} WHERE v > 25 AND s < 'e')", {3, 4}),
        ("DELETE FROM {t} AS a USING {t} b WHERE b.id = a.id + 2 AND b.v > 45", {3, 4}),
        ("DELETE FROM {t} USING (VALUES (1), (1), (4)) AS x (k) WHERE id = x.k", {1, 4}),
        ("DELETE FROM {t} AS a WHERE EXISTS (SELECT 1 FROM {t} b WHERE b.v = a.v * 2)", {1, 2, 3}),
        ("TRUNCATE TABLE {t}", {1, 2, 3, 4, 5, 6}),
    ],
)
def test_delete_removes_the_rows_that_match(db: Client, table: str, sql: str, gone: set[int]) -> None:
    """DELETE, USING and TRUNCATE report and remove exactly the live rows that match, for good."""
    assert db.update(sql.format(t=table)) == len(gone)
    assert values(db, table) == {k: v for k, v in START.items() if k not in gone}
    db.run(f"FLUSH TABLE {table}")
    db.run(f"COMPACT TABLE {table}")
    assert values(db, table) == {k: v for k, v in START.items() if k not in gone}
    assert db.count(table) == 6 - len(gone)


def test_a_deleted_key_may_be_inserted_again(db: Client, table: str) -> None:
    """Delete, insert, flush, delete, insert: the newest counts each time."""
    for round_number in range(3):
        assert db.update(f"DELETE FROM {table} WHERE id = 2") == 1
        db.run(f"INSERT INTO {table} VALUES (2, {round_number}, 'again')")
        if round_number == 1:
            db.run(f"FLUSH TABLE {table}")
    assert values(db, table) == START | {2: 2}


def test_truncate_leaves_a_table_that_can_be_filled(db: Client, table: str) -> None:
    """After TRUNCATE the same keys are free."""
    db.run(f"TRUNCATE {table}")
    db.run(f"INSERT INTO {table} VALUES (2, 5, 'x')")
    assert values(db, table) == {2: 5}


def test_do_nothing_keeps_what_is_there(db: Client, table: str) -> None:
    """ON CONFLICT DO NOTHING inserts the new keys, and the first of a repeated one."""
    sql = f"INSERT INTO {table} VALUES (2, 0, 'x'), (8, 1, 'x'), (8, 2, 'y') ON CONFLICT DO NOTHING"
    assert db.update(sql) == 1
    assert values(db, table) == START | {8: 1}


def test_do_update_takes_excluded_as_the_offered_row(db: Client, table: str) -> None:
    """EXCLUDED is what was offered; bare and qualified names mean the table."""
    sql = f"INSERT INTO {table} VALUES (2, 5, 'x'), (8, 1, 'y') ON CONFLICT (id) DO UPDATE SET "
    assert db.update(f"{sql} v = EXCLUDED.v + v + {table}.v, s = excluded.s || s") == 2
    assert values(db, table) == START | {2: 45, 8: 1}
    assert db.one(f"SELECT s FROM {table} WHERE id = 2") == "xb"


def test_do_update_where_leaves_other_rows_alone(db: Client, table: str) -> None:
    """WHERE of DO UPDATE decides on the stored row and the offered one; the count leaves out what it refuses."""
    sql = f"INSERT INTO {table} SELECT id, 0, 'x' FROM {table} ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v"
    assert db.update(f"{sql} WHERE {table}.v > 20 AND {table}.s <> 'f' AND EXCLUDED.v = 0") == 3
    assert values(db, table) == START | {3: 0, 4: 0, 5: 0}


def test_do_update_of_every_column_replaces_the_row(db: Client, table: str) -> None:
    """The common upsert, with all columns from EXCLUDED."""
    sql = f"INSERT INTO {table} VALUES (2, 5, 'x'), (8, 1, 'y') ON CONFLICT (id) DO UPDATE SET v = excluded.v, "
    assert db.update(f"{sql} s = excluded.s") == 2
    assert db.rows(f"SELECT * FROM {table} WHERE id IN (2, 8) ORDER BY id") == [(2, 5, "x"), (8, 1, "y")]


def test_do_update_of_a_part_keeps_columns_that_were_not_offered(db: Client, table: str) -> None:
    """Columns that SET does not name keep the stored value; a new row gets defaults."""
    db.run(f"INSERT INTO {table} (id, v) VALUES (2, 5), (8, 1) ON CONFLICT (id) DO UPDATE SET v = excluded.v")
    assert db.rows(f"SELECT * FROM {table} WHERE id IN (2, 8) ORDER BY id") == [(2, 5, "b"), (8, 1, None)]


def test_do_update_refuses_a_key_that_is_offered_twice(db: Client, table: str) -> None:
    """As in PostgreSQL, one statement cannot change a row twice, whether the row exists or not."""
    for key in (2, 8):
        sql = f"INSERT INTO {table} VALUES ({key}, 1, 'x'), ({key}, 2, 'y') ON CONFLICT (id) DO UPDATE SET v = 1"
        assert str(key) in db.error(sql)
    assert values(db, table) == START


@pytest.mark.parametrize(
    ("sql", "culprits"),
    [
        ("INSERT INTO {t} VALUES (8, 1, 'x'), (3, 1, 'y')", ["id", "3"]),
        ("INSERT INTO {t} VALUES (8, 1, 'x'), (8, 1, 'y')", ["id", "8"]),
        ("INSERT INTO {t} SELECT id + 5, v, s FROM {t}", ["id", "6"]),
        ("INSERT INTO {t} VALUES (8, 1, 'x'), (NULL, 1, 'y')", ["id"]),
        ("INSERT INTO {t} (v) VALUES (1)", ["id"]),
        ("INSERT INTO {t} (id, nope) VALUES (8, 1)", ["nope"]),
        ("INSERT INTO {t} (id, v, v) VALUES (8, 1, 2)", ["twice"]),
        ("INSERT INTO {t} (id, v) VALUES (8, 9223372036854775808)", ["v", "9223372036854775808"]),
        ("INSERT INTO {t} (id, v) VALUES (8, 'abc')", ["v", "abc"]),
        ("INSERT INTO {t} (id, v) VALUES (8, X'00')", ["v"]),
        ("INSERT INTO {t} (id, v) VALUES (8, [1])", ["v"]),
        ("INSERT INTO {t} (id, v) VALUES (8, 1, 2)", ["2", "3"]),
        ("INSERT INTO {t} (id, v) VALUES (8, 1) ON CONFLICT (v) DO NOTHING", ["v"]),
        ("INSERT INTO {t} (id) VALUES (8) ON CONFLICT (id) DO UPDATE SET nope = 1", ["nope"]),
        ("INSERT INTO {t} (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 9", ["id"]),
        ("INSERT INTO {t} (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET v = 'abc'", ["v", "abc"]),
        ("UPDATE {t} SET id = id + 10", ["id"]),
        ("UPDATE {t} SET nope = 1", ["nope"]),
        ("UPDATE {t} SET v = 'abc'", ["v", "abc"]),
        ("UPDATE {t} SET v = nope", ["nope"]),
        ("UPDATE {t} SET v = 1, v = 2", ["v"]),
        ("UPDATE {t} SET v = 1 / (id - 4)", ["zero"]),
        ("UPDATE {t} SET v = 1 WHERE nope = 1", ["nope"]),
        ("UPDATE {t} SET v = (SELECT v FROM {t})", []),
        ("UPDATE {t} AS a SET v = b.v FROM {t} b WHERE b.id > 0 AND nope = 1", ["nope"]),
        ("DELETE FROM {t} WHERE nope = 1", ["nope"]),
        ("DELETE FROM {t} WHERE 1 / (id - 4) = 1", ["zero"]),
        ("UPDATE {t}_none SET v = 1", ["{t}_none"]),
        ("DELETE FROM {t}_none", ["{t}_none"]),
        ("INSERT INTO {t}_none VALUES (1)", ["{t}_none"]),
        ("TRUNCATE TABLE {t}_none", ["{t}_none"]),
    ],
)
def test_an_error_names_the_culprit_and_changes_nothing(db: Client, table: str, sql: str, culprits: list[str]) -> None:
    """A failed statement leaves nothing behind."""
    message = db.error(sql.format(t=table))
    for culprit in culprits:
        assert culprit.format(t=table) in message
    assert values(db, table) == START
    assert db.count(table) == 6


def test_a_computed_overflow_is_refused(db: Client, make: Make) -> None:
    """An UPDATE beyond a column's range names the column."""
    t = make("id INT PRIMARY KEY, small TINYINT")
    db.run(f"INSERT INTO {t} VALUES (1, 100), (2, 1)")
    assert "small" in db.error(f"UPDATE {t} SET small = small * 2")
    assert db.column(f"SELECT small FROM {t} ORDER BY id") == [100, 1]


def test_nan_and_null_are_refused_in_a_key(db: Client, make: Make) -> None:
    """A float key takes everything else, negative zero and zero being one key."""
    t = make("f DOUBLE PRIMARY KEY, v INT")
    for bad in ("'NaN'", "NULL"):
        assert "f" in db.error(f"INSERT INTO {t} VALUES (1, 1), ({bad}, 1)")
    for bad_value in (math.nan, None):
        offered = pa.table({"f": pa.array([1.0, bad_value]), "v": pa.array([1, 1], pa.int32())})
        assert "f" in failure(lambda offered=offered: db.ingest(t, offered))
    assert db.count(t) == 0
    db.ingest(t, pa.table({"f": [0.0, 1.5], "v": pa.array([1, 1], pa.int32())}))
    db.ingest(t, pa.table({"f": [-0.0], "v": pa.array([2], pa.int32())}))
    assert db.column(f"SELECT v FROM {t} ORDER BY f") == [2, 1]


def test_insert_from_a_query_over_the_same_table(db: Client, table: str) -> None:
    """INSERT … SELECT reads the state before it writes."""
    assert db.update(f"INSERT INTO {table} SELECT id + 10, v, s FROM {table} WHERE v > 30") == 3
    assert values(db, table) == START | {14: 40, 15: 50, 16: 60}


@pytest.mark.parametrize(
    "items", ["id + 10, id + 10, s", "id + 10 AS x, v AS x, s AS x", "CAST(id + 10 AS INT), id + 10, NULL"]
)
def test_insert_from_a_query_matches_by_position(db: Client, table: str, items: str) -> None:
    """What the source's columns are called does not matter, not even when it is the same."""
    assert db.update(f"INSERT INTO {table} SELECT {items} FROM {table} WHERE id = 1") == 1
    assert values(db, table)[11] in {10, 11}


def test_columns_may_be_named_in_any_order(db: Client, make: Make) -> None:
    """INSERT with a column list matches by name, not by place."""
    t = make()
    db.run(f"INSERT INTO {t} (s, id) VALUES ('a', 1)")
    assert db.rows(f"SELECT * FROM {t}") == [(1, None, "a")]


def test_update_to_the_same_values_counts_rows(db: Client, table: str) -> None:
    """Rows affected are the rows that match, as in PostgreSQL."""
    assert db.update(f"UPDATE {table} SET v = v") == 6


def test_a_prepared_statement_takes_one_row(db: Client, table: str) -> None:
    """INSERT, UPDATE and DELETE with one row of parameters."""
    assert db.many(f"INSERT INTO {table} VALUES (?, ?, ?)", [(8, 80, "h")]) == 1
    assert db.many(f"UPDATE {table} SET v = ? WHERE id = ?", [(5, 8)]) == 1
    assert db.many(f"DELETE FROM {table} WHERE v < ? AND s >= ?", [(15, "a")]) == 2
    assert values(db, table) == {2: 20, 3: 30, 4: 40, 5: 50, 6: 60}


def test_a_prepared_statement_takes_many_rows(db: Client, table: str) -> None:
    """Many rows of parameters are one statement; the count is over all of them."""
    assert db.many(f"INSERT INTO {table} VALUES ($1, $2, $3)", [(k, k, "n") for k in range(10, 20)]) == 10
    assert db.many(f"UPDATE {table} SET v = $2 WHERE id = $1", [(10, 0), (1, 0), (99, 0)]) == 2
    assert db.many(f"DELETE FROM {table} WHERE id = ?", [(k,) for k in range(11, 20)]) == 9
    assert values(db, table) == START | {10: 0, 1: 0}


def test_rows_of_parameters_act_one_after_another(db: Client, table: str) -> None:
    """A later row of parameters sees what an earlier one did."""
    assert db.many(f"UPDATE {table} SET v = v * ? WHERE id = ?", [(2, 1), (3, 1), (5, 2)]) == 2 + 1
    assert values(db, table) == START | {1: 60, 2: 100}
    assert db.many(f"UPDATE {table} SET v = ? WHERE v = ?", [(1000, 60), (2000, 1000)]) == 4
    assert values(db, table) == START | {1: 2000, 2: 100, 6: 2000}


def test_the_last_of_repeated_updates_wins(db: Client, table: str) -> None:
    """Blind updates of one key in one executemany: the last value stays."""
    db.many(f"UPDATE {table} SET v = ? WHERE id = ?", [(7, 1), (8, 1), (9, 1), (7, 2)])
    assert values(db, table) == START | {1: 9, 2: 7}


def test_dependent_deletes_with_subqueries(db: Client, table: str) -> None:
    """Each row of parameters deletes the largest that is left."""
    assert db.many(f"DELETE FROM {table} WHERE v = (SELECT max(v) FROM {table}) AND id > ?", [(0,), (0,), (5,)]) == 2
    assert sorted(values(db, table)) == [1, 2, 3, 4]


def test_a_bad_row_of_parameters_undoes_the_good_ones(db: Client, table: str) -> None:
    """A bound statement is one commit: a duplicate key or NULL at the end leaves nothing."""
    sql = f"INSERT INTO {table} VALUES (?, ?, ?)"
    assert "3" in failure(lambda: db.many(sql, [(8, 1, "x"), (9, 1, "x"), (3, 1, "x")]))
    assert "id" in failure(lambda: db.many(sql, [(8, 1, "x"), (None, 1, "x")]))
    assert "key" in failure(lambda: db.many(f"UPDATE {table} SET id = ? WHERE id = ?", [(50, 1), (51, 2)]))
    assert values(db, table) == START


def test_prepared_upserts_with_many_rows(db: Client, table: str) -> None:
    """ON CONFLICT with bound rows adds to what is stored."""
    sql = f"INSERT INTO {table} (id, v) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET v = {table}.v + excluded.v"
    db.many(sql, [(1, 1), (2, 2), (8, 8)])
    assert values(db, table) == START | {1: 11, 2: 22, 8: 8}


def test_a_wrong_number_of_parameters_is_refused(db: Client, table: str) -> None:
    """Too few and too many parameters, and none, are errors."""
    sql = f"UPDATE {table} SET v = ? WHERE id = ?"
    for rows in ([(1,)], [(1, 2, 3)]):
        assert "2 parameters" in failure(lambda rows=rows: db.many(sql, rows))
    assert "parameters" in db.error(sql)
    assert values(db, table) == START


def test_many_bound_rows_do_not_go_row_by_row(db: Client, make: Make) -> None:
    """100,000 bound rows are inserted, updated and deleted within the patience of a test."""
    t = make()
    keys = pa.array(np.arange(100_000))
    rows = pa.RecordBatch.from_arrays([keys, keys, pa.array(["x"] * 100_000)], ["1", "2", "3"])
    assert db.many(f"INSERT INTO {t} VALUES (?, ?, ?)", rows) == 100_000
    pairs = pa.RecordBatch.from_arrays([pa.array(np.arange(100_000) * 2), keys], ["1", "2"])
    assert db.many(f"UPDATE {t} SET v = ? WHERE id = ?", pairs) == 100_000
    assert db.one(f"SELECT sum(v) FROM {t}") == 100_000 * 99_999
    assert db.many(f"DELETE FROM {t} WHERE id = ?", pa.RecordBatch.from_arrays([keys], ["1"])) == 100_000
    assert db.count(t) == 0


def test_a_hidden_key_table_only_grows(db: Client, make: Make) -> None:
    """Without a key equal rows are different rows; SELECT * does not show the generated key."""
    t = make("a INT, b TEXT")
    for _ in range(2):
        db.run(f"INSERT INTO {t} VALUES (1, 'x'), (1, 'x')")
        db.run(f"FLUSH TABLE {t}")
    assert db.rows(f"SELECT * FROM {t}") == [(1, "x")] * 4
    assert db.error(f"INSERT INTO {t} VALUES (1, 'x') ON CONFLICT (a) DO NOTHING")


def test_a_hidden_key_table_can_be_updated_by_any_predicate(db: Client, make: Make) -> None:
    """UPDATE and DELETE find rows without a declared key."""
    t = make("a INT, b TEXT")
    db.run(f"INSERT INTO {t} VALUES (1, 'x'), (1, 'x'), (2, 'y')")
    db.run(f"FLUSH TABLE {t}")
    assert db.update(f"UPDATE {t} SET b = 'z' WHERE a = 1") == 2
    assert db.update(f"DELETE FROM {t} WHERE a = 2") == 1
    assert db.rows(f"SELECT * FROM {t}") == [(1, "z")] * 2


def test_composite_keys_are_compared_column_by_column(db: Client, make: Make) -> None:
    """('a', 'bc') and ('ab', 'c') are two keys; the same pair in the other order of columns is one."""
    t = make("x TEXT, v INT, y TEXT, PRIMARY KEY (y, x)")
    db.run(f"INSERT INTO {t} (y, x, v) VALUES ('a', 'bc', 1), ('ab', 'c', 2)")
    db.run(f"FLUSH TABLE {t}")
    db.run(f"INSERT INTO {t} (x, y, v) VALUES ('bc', 'a', 9) ON CONFLICT (y, x) DO UPDATE SET v = excluded.v")
    assert db.rows(f"SELECT x, v FROM {t} ORDER BY v") == [("c", 2), ("bc", 9)]
