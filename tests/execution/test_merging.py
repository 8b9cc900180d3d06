"""MERGE: the first clause that fits decides what becomes of each row of the source, and all of it is one change."""

from collections.abc import Iterator
from itertools import count

import pyarrow as pa
import pytest

from tests.rights.house import House, Person

_numbers = count()


@pytest.fixture
def root(house: House) -> Person:
    """The owner of all that is made here."""
    return house.person("root")


@pytest.fixture
def table(root: Person) -> Iterator[str]:
    """A table with three rows, of which two are in a file, and its source, which is called like it with an s."""
    name = f"t{next(_numbers)}"
    root.ok(f"CREATE TABLE {name} (id INT PRIMARY KEY, x INT DEFAULT 7, s TEXT)")
    root.ok(f"INSERT INTO {name} VALUES (1, 10, 'a'), (2, 20, 'b')")
    root.ok(f"FLUSH {name}")
    root.ok(f"INSERT INTO {name} VALUES (3, 30, 'c')")
    root.ok(f"CREATE TABLE {name}s (k INT, n INT)")
    root.ok(f"INSERT INTO {name}s VALUES (1, 0), (3, 5), (8, 2), (9, 0), (NULL, 1)")
    yield name
    root.ok(f"DROP TABLE {name}")
    root.ok(f"DROP TABLE {name}s")


def _rows(root: Person, table: str) -> list[tuple[object, ...]]:
    return root.tuples(f"SELECT * FROM {table} ORDER BY id")


ALL = [(1, 10, "a"), (2, 20, "b"), (3, 30, "c")]
A, B, C = ALL

CLAUSES = [
    ("WHEN MATCHED THEN DELETE", 2, [B]),
    ("WHEN MATCHED THEN UPDATE SET x = t.x + n, s = upper(s)", 2, [(1, 10, "A"), B, (3, 35, "C")]),
    ("WHEN MATCHED AND n = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET x = 100 / n", 2, [B, (3, 20, "c")]),
    ("WHEN MATCHED AND x > 20 THEN DO NOTHING WHEN MATCHED THEN DELETE", 1, [B, C]),
    ("WHEN MATCHED AND NULL THEN DELETE", 0, ALL),
    ("WHEN NOT MATCHED AND k > 8 THEN DO NOTHING WHEN NOT MATCHED AND k > 1 THEN INSERT (id) VALUES (k)", 1,
     [*ALL, (8, 7, None)]),
    ("WHEN NOT MATCHED BY TARGET AND k = 9 THEN INSERT VALUES (k, DEFAULT, 'n' || n)", 1, [*ALL, (9, 7, "n0")]),
    ("WHEN NOT MATCHED AND k IS NULL THEN INSERT (x, id) VALUES (n, 0) WHEN MATCHED THEN UPDATE SET (x, s) = (0, 'z')",
     3, [(0, 1, None), (1, 0, "z"), B, (3, 0, "z")]),
    ("WHEN MATCHED THEN UPDATE SET x = DEFAULT", 2, [(1, 7, "a"), B, (3, 7, "c")]),
    ("WHEN MATCHED THEN UPDATE SET x = (SELECT max(n) FROM {t}s)", 2, [(1, 5, "a"), B, (3, 5, "c")]),
]  # fmt: skip


@pytest.mark.parametrize(("clauses", "affected", "rows"), CLAUSES)
def test_the_first_clause_that_fits_is_carried_out(
    root: Person, table: str, clauses: str, affected: int, rows: list[tuple[object, ...]]
) -> None:
    """Of rows in memory and in files; what another clause says is not worked out."""
    sql = f"MERGE INTO {table} AS t USING {table}s ON id = k {clauses}".format(t=table)
    assert root.update(sql).affected == affected, root.query(sql)
    assert _rows(root, table) == rows


def test_the_source_is_a_query_a_list_or_a_table_of_with(root: Person, table: str) -> None:
    """Whatever stands in FROM; it may read the table itself."""
    root.ok(f"MERGE INTO {table} USING (SELECT id + 3 AS k FROM {table}) b ON id = k WHEN NOT MATCHED THEN "
            "INSERT (id, x) VALUES (b.k, 0)")  # fmt: skip
    root.ok(f"MERGE INTO {table} t USING (VALUES (4), (5)) AS b(k) ON t.id = b.k WHEN MATCHED THEN DELETE")
    root.ok(f"WITH w AS (SELECT 6 AS k) MERGE INTO {table} USING w ON id = k WHEN MATCHED THEN UPDATE SET s = 'w'")
    assert _rows(root, table) == [*ALL, (6, 0, "w")]


REFUSED = [
    ("(VALUES (1), (1)) b(k) ON id = k WHEN MATCHED THEN DELETE", "a row of public.{t} twice"),
    ("(VALUES (8), (8)) b(k) ON id = k WHEN NOT MATCHED THEN INSERT (id) VALUES (k)", "twice by the same statement"),
    ("(VALUES (8)) b(k) ON id = k WHEN NOT MATCHED THEN INSERT (id) VALUES (1)", "exists already"),
    ("(VALUES (8)) b(k) ON id = k WHEN NOT MATCHED THEN INSERT (id, s) VALUES (k, {t}.s)", "{t}.s"),
    ("(VALUES (8)) b(k) ON id = k WHEN NOT MATCHED AND s = 'a' THEN INSERT (id) VALUES (k)", "named s"),
    ("(VALUES (1)) b(k) ON id = k WHEN MATCHED THEN UPDATE SET id = 9", "may not change key column"),
    ("(VALUES (1)) b(k) ON id = k WHEN MATCHED THEN UPDATE SET x = 1 / (x - x)", "Divide by zero"),
    ("(VALUES (8)) b(k) ON id = k WHEN NOT MATCHED THEN INSERT VALUES (k)", "names 3 columns"),
    ("(VALUES (8)) b(k) ON id = k WHEN NOT MATCHED BY SOURCE THEN DELETE", "WHERE NOT EXISTS"),
    ("(VALUES (8)) b(k) ON id = k WHEN NOT MATCHED THEN DELETE", "expected INSERT"),
    ("(VALUES (8)) b(k) ON id = k WHEN MATCHED THEN INSERT VALUES (1)", "expected UPDATE"),
    ("(VALUES (8)) b(k) ON id = k", "expected WHEN MATCHED"),
    ("nope ON id = k WHEN MATCHED THEN DELETE", "not found"),
]


@pytest.mark.parametrize(("rest", "words"), REFUSED)
def test_what_is_wrong_in_a_part_leaves_all_undone(root: Person, table: str, rest: str, words: str) -> None:
    """A row that several of the source would change is an error, and so is a key that exists."""
    assert words.format(t=table) in root.refused(f"MERGE INTO {table} USING {rest}".format(t=table))
    assert _rows(root, table) == ALL


def test_several_rows_of_the_source_may_match_a_row_that_stays(root: Person, table: str) -> None:
    """What changes nothing is not counted."""
    source = "(VALUES (1, 1), (1, 2), (1, 3)) b(k, v) ON id = k"
    sql = f"MERGE INTO {table} USING {source} WHEN MATCHED AND v = 2 THEN UPDATE SET x = v"
    assert root.update(sql).affected == 1
    assert _rows(root, table)[0] == (1, 2, "a")


def test_it_gives_back_new_rows_and_those_that_go(root: Person, table: str) -> None:
    """In one result."""
    sql = (
        f"MERGE INTO {table} USING {table}s ON id = k WHEN MATCHED AND n = 0 THEN DELETE "
        "WHEN MATCHED THEN UPDATE SET x = n WHEN NOT MATCHED AND k = 9 THEN INSERT (id) VALUES (k) RETURNING id, x"
    )
    assert sorted(root.tuples(sql)) == [(1, 10), (3, 5), (9, 7)]
    assert _rows(root, table) == [B, (3, 5, "c"), (9, 7, None)]


def test_rows_of_parameters_follow_each_other(root: Person, table: str) -> None:
    """What one run of it writes, the next one finds."""
    sql = (
        f"MERGE INTO {table} USING (SELECT $1 AS k) b ON id = k WHEN MATCHED THEN UPDATE SET x = x + $2 "
        "WHEN NOT MATCHED THEN INSERT VALUES (k, $2, $3)"
    )
    bound = pa.table({"1": [8, 8, 1], "2": [1, 2, 3], "3": ["p", "q", "r"]})
    assert root.prepared(sql, bound).affected == 3
    assert _rows(root, table) == [(1, 13, "a"), B, C, (8, 3, "p")]


def test_in_a_transaction_it_is_seen_and_undone(root: Person, table: str) -> None:
    """It reads and writes what the transaction has."""
    root.ok("BEGIN")
    root.ok(f"INSERT INTO {table} VALUES (4, 40, 'd')")
    root.ok(f"MERGE INTO {table} USING (VALUES (4), (1)) b(k) ON id = k WHEN MATCHED THEN DELETE")
    assert _rows(root, table) == [B, C]
    root.ok("ROLLBACK")
    root.ok("BEGIN READ ONLY")
    merge = f"MERGE INTO {table} USING (VALUES (1)) b(k) ON id = k WHEN MATCHED THEN DELETE"
    assert "read only" in root.refused(merge)
    root.ok("ROLLBACK")
    assert _rows(root, table) == ALL


def test_each_action_needs_its_right_and_all_need_to_read(root: Person, house: House, table: str) -> None:
    """What it may do counts, and not what it does."""
    ann = house.person("ann")
    merge = f"MERGE INTO {table} USING (VALUES (99)) b(k) ON id = k WHEN MATCHED THEN DELETE"
    insert = f"{merge} WHEN NOT MATCHED THEN INSERT (id) VALUES (k)"
    root.ok(f"GRANT DELETE ON TABLE {table} TO USER ann")
    assert "does not exist" in ann.refused(merge)
    root.ok(f"GRANT SELECT ON TABLE {table} TO USER ann")
    assert ann.update(merge).affected == 0
    assert "does not exist" in ann.refused(insert)
    root.ok(f"GRANT INSERT ON TABLE {table} TO USER ann")
    assert ann.update(insert).affected == 1
    assert "not found" in ann.refused(merge.replace("(VALUES (99)) b(k)", f"{table}s"))


def test_policies_hide_rows_and_refuse_what_may_not_be_changed(root: Person, house: House, table: str) -> None:
    """A hidden row matches nothing; one that is seen and may not be changed is an error."""
    root.ok(f"GRANT ALL ON TABLE {table} TO USER ann")
    root.ok(f"CREATE POLICY sees ON {table} FOR SELECT TO USER ann USING (x >= 20)")
    root.ok(f"CREATE POLICY writes ON {table} FOR INSERT TO USER ann WITH CHECK (x < 100)")
    root.ok(f"CREATE POLICY changes ON {table} FOR UPDATE TO USER ann USING (x < 30) WITH CHECK (x < 100)")
    ann = house.person("ann")
    update = "MERGE INTO {} USING (VALUES ({})) b(k) ON id = k WHEN MATCHED THEN UPDATE SET x = {}"
    assert ann.update(update.format(table, 1, 50)).affected == 0
    assert ann.update(update.format(table, 2, 50)).affected == 1
    assert "may not be changed" in ann.refused(update.format(table, 3, 50))
    assert "may not be changed" in ann.refused(f"MERGE INTO {table} USING (VALUES (2)) b(k) ON id = k "
                                               "WHEN MATCHED THEN DELETE")  # fmt: skip
    insert = f"MERGE INTO {table} USING (VALUES (9)) b(k) ON id = k WHEN NOT MATCHED THEN INSERT VALUES (k, 100, 'n')"
    assert "not allowed" in ann.refused(insert)
    assert _rows(root, table) == [A, (2, 50, "b"), C]


def test_in_a_user_table_everybody_merges_into_their_own(root: Person, house: House) -> None:
    """Also where another acts for them; its record in the audit log says MERGE."""
    root.ok("CREATE USER TABLE own (id INT PRIMARY KEY, who TEXT DEFAULT CURRENT_USER)")
    root.ok("CREATE USER ann")
    ann = house.person("ann")
    ann.ok("INSERT INTO own (id) VALUES (1)")
    merge = "USING (VALUES (1)) b(k) ON id = k WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id) VALUES (k)"
    root.ok(f"MERGE INTO own {merge}")
    assert ann.ok("SELECT * FROM own") == [{"id": 1, "who": "ann"}]
    assert root.ok("SELECT * FROM own") == [{"id": 1, "who": "root"}]
    root.ok(f"MERGE INTO own AS USER 'ann' {merge}")
    assert ann.ok("SELECT * FROM own") == []
    assert root.ok("SELECT * FROM own") == [{"id": 1, "who": "root"}]
    recorded = root.ok("SELECT subject, rows FROM system.audit_log WHERE action = 'MERGE'")
    assert recorded == [{"subject": "ann", "rows": 1}]
    root.ok("DROP TABLE own")


def test_a_broken_check_is_an_error(root: Person) -> None:
    """Of new versions and of new rows."""
    root.ok("CREATE TABLE checked (id INT PRIMARY KEY, x INT CHECK (x > 0))")
    root.ok("INSERT INTO checked VALUES (1, 1)")
    for key in (1, 2):
        sql = f"MERGE INTO checked USING (SELECT {key} AS k) b ON id = k WHEN MATCHED THEN UPDATE SET x = 0 "
        assert "CHECK" in root.refused(f"{sql} WHEN NOT MATCHED THEN INSERT VALUES (k, 0)")
    root.ok("DROP TABLE checked")


def test_numbers_and_rows_without_keys_are_stored_as_by_other_changes(root: Person) -> None:
    """Digits are exact where the column is."""
    root.ok("CREATE TABLE exact (id INT, v DECIMAL(20, 4))")
    root.ok("INSERT INTO exact SELECT 1, 2 * 0.1")
    merge = "MERGE INTO exact USING (VALUES (1), (2)) b(k) ON id = k WHEN MATCHED THEN UPDATE SET v = v + 0.1"
    root.ok(f"{merge} WHEN NOT MATCHED THEN INSERT VALUES (k, k * 0.1)")
    found = root.ok("SELECT id, CAST(v AS TEXT) AS v FROM exact ORDER BY id")
    assert found == [{"id": 1, "v": "0.3000"}, {"id": 2, "v": "0.2000"}]
    root.ok("DROP TABLE exact")
