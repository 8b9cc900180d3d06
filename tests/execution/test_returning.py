"""RETURNING: a change gives back its rows, once, and like a SELECT of the same expressions."""

from collections.abc import Iterator
from itertools import count

import pyarrow as pa
import pytest

from flightserver.protocol import commands
from tests.rights.house import House, Person

_numbers = count()


@pytest.fixture(scope="module", autouse=True)
def ann(house: House) -> None:
    """A user who is on record."""
    house.person("root").ok("CREATE USER ann")


@pytest.fixture
def root(house: House) -> Person:
    """The owner of all that is made here."""
    return house.person("root")


@pytest.fixture
def table(root: Person) -> Iterator[str]:
    """A table with three rows, of which one is in a file."""
    name = f"t{next(_numbers)}"
    root.ok(f"CREATE TABLE {name} (id INT PRIMARY KEY, x INT DEFAULT 7, s TEXT)")
    root.ok(f"INSERT INTO {name} VALUES (1, 10, 'a')")
    root.ok(f"FLUSH {name}")
    root.ok(f"INSERT INTO {name} VALUES (2, 20, 'b'), (3, 30, NULL)")
    yield name
    root.ok(f"DROP TABLE {name}")


CHANGES = [
    ("INSERT INTO {t} (s, id) VALUES ('y', 9), ('z', 8) RETURNING *", [(9, 7, "y"), (8, 7, "z")]),
    ("INSERT INTO {t} SELECT id + 10, x, s FROM {t} WHERE id < 3 RETURNING id, x * 2 AS d", [(11, 20), (12, 40)]),
    ("INSERT INTO {t} VALUES (1, 0, 'n'), (5, 0, 'n'), (5, 1, 'n') ON CONFLICT DO NOTHING RETURNING id, x", [(5, 0)]),
    ("INSERT INTO {t} VALUES (1, 5, 'n') ON CONFLICT (id) DO UPDATE SET x = {t}.x + excluded.x RETURNING *",
     [(1, 15, "a")]),
    ("INSERT INTO {t} VALUES (1, 5, 'n') ON CONFLICT (id) DO UPDATE SET x = 0 WHERE {t}.x > 99 RETURNING *", []),
    ("UPDATE {t} AS u SET x = x + 1 WHERE id = 1 RETURNING u.x, upper(s), 'c' AS c", [(11, "A", "c")]),
    ("UPDATE {t} SET x = x + 1 WHERE s IS NULL RETURNING *", [(3, 31, None)]),
    ("UPDATE {t} SET s = f.n FROM (SELECT 2 AS k, 'new' AS n) f WHERE k = id RETURNING {t}.*", [(2, 20, "new")]),
    ("DELETE FROM {t} WHERE id = 1 RETURNING *", [(1, 10, "a")]),
    ("DELETE FROM {t} USING (SELECT 3 AS k) f WHERE k = id RETURNING x, (SELECT 4) AS four", [(30, 4)]),
    ("WITH f AS (SELECT 2 AS k) DELETE FROM {t} WHERE id IN (SELECT k FROM f) RETURNING s", [("b",)]),
    ("DELETE FROM {t} WHERE id > 99 RETURNING *", []),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "rows"), CHANGES)
def test_a_change_gives_back_the_rows_that_it_writes_or_removes(
    root: Person, table: str, sql: str, rows: list[tuple[object, ...]]
) -> None:
    """New values of what is written, old ones of what is removed, from memory and from files."""
    assert sorted(root.tuples(sql.format(t=table))) == sorted(rows)


def test_delete_of_all_rows_gives_them_all_back(root: Person, table: str) -> None:
    """TRUNCATE would not look at them."""
    assert sorted(row["id"] for row in root.ok(f"DELETE FROM {table} RETURNING id")) == [1, 2, 3]
    assert root.ok(f"SELECT * FROM {table}") == []


def test_types_and_names_are_those_of_a_select_and_promised_before(root: Person, table: str) -> None:
    """The schema that GetSchema promises, that of a query, and that of the result are one; asking changes nothing."""
    items = "*, x / 2, x AS y, s || '!'"
    selected = root.query(f"SELECT {items} FROM {table} WHERE id > 99").rows
    sql = f"UPDATE {table} SET x = 1 WHERE id = 1 RETURNING {items}"
    promised = root.described(commands.StatementQuery(sql)).rows
    assert root.ok(f"SELECT x FROM {table} WHERE id = 1") == [{"x": 10}]
    returned = root.query(sql).rows
    assert selected is not None
    assert promised is not None
    assert returned is not None
    assert selected.schema.equals(promised.schema, check_metadata=True)
    assert selected.schema.equals(returned.schema, check_metadata=True)


def test_a_result_that_is_fetched_twice_was_one_change(root: Person, table: str) -> None:
    """The change happens when the result is asked for, and not when it is fetched."""
    ticket = root.ticket(f"UPDATE {table} SET x = x + 1 WHERE id = 1 RETURNING x")
    fetched = [root.ask(ticket).rows for _ in range(2)]
    assert [rows.to_pylist() for rows in fetched if rows is not None] == [[{"x": 11}], [{"x": 11}]]


def test_the_update_path_carries_it_out_and_counts(root: Person, table: str) -> None:
    """Who asks for a count gets it."""
    assert root.update(f"UPDATE {table} SET x = 0 WHERE id < 3 RETURNING x").affected == 2
    assert root.ok(f"SELECT sum(x) AS n FROM {table}") == [{"n": 30}]


@pytest.mark.parametrize(
    ("sql", "bound", "rows"),
    [
        ("INSERT INTO {t} VALUES ($1, $2, 'p') RETURNING id, x, s", [[5, 4], [0, 1]], [(5, 0, "p"), (4, 1, "p")]),
        ("INSERT INTO {t} VALUES ($1, 0, 'p') RETURNING id + $2 AS n", [[5], [100]], [(105,)]),
        ("UPDATE {t} SET x = x + $1 WHERE id = $2 RETURNING x", [[1, 2, 4], [1, 2, 1]], [(11,), (22,), (15,)]),
        ("DELETE FROM {t} WHERE id = $1 AND x = $2 RETURNING s", [[1, 2], [10, 20]], [("a",), ("b",)]),
        (
            "INSERT INTO {t} VALUES ($1, $2, 'p') ON CONFLICT (id) DO UPDATE SET x = {t}.x + $2 RETURNING x",
            [[1], [1]],
            [(11,)],
        ),
    ],
)
def test_prepared_changes_give_back_the_rows_of_all_parameters(
    root: Person, table: str, sql: str, bound: list[list[int]], rows: list[tuple[object, ...]]
) -> None:
    """Rows come from all runs, also where two of them change the same row."""
    names = [str(number) for number in range(1, len(bound) + 1)]
    answer = root.prepared(sql.format(t=table), pa.table([pa.array(b, pa.int64()) for b in bound], names=names))
    assert answer.rows is not None, answer
    assert sorted(tuple(row.values()) for row in answer.rows.to_pylist()) == sorted(rows)


REFUSED = [
    ("1 / (x - x)", "Divide by zero"),
    ("count(*)", "no aggregates"),
    ("row_number() OVER ()", "no windows"),
    ("_seq", "when it is committed"),
    ("nope", "nope"),
    ("DISTINCT id", "cannot stand here"),
    ("(SELECT max(id) FROM {t}) AS n", "which the statement changes"),
    ("EXISTS (SELECT 1 FROM {t} b WHERE b.id = 1) AS n", "which the statement changes"),
    ("", "expected an expression"),
]


@pytest.mark.parametrize(("items", "words"), REFUSED)
@pytest.mark.parametrize("change", ["INSERT INTO {t} VALUES (9, 9, 'n')", "DELETE FROM {t} WHERE id = 1"])
def test_what_cannot_be_given_back_leaves_the_change_undone(
    root: Person, table: str, change: str, items: str, words: str
) -> None:
    """An error in an item is an error of the change."""
    before = root.ok(f"SELECT * FROM {table} ORDER BY id")
    assert words in root.refused(f"{change} RETURNING {items}".format(t=table))
    assert root.ok(f"SELECT * FROM {table} ORDER BY id") == before


def test_a_star_beside_other_tables_is_refused(root: Person, table: str) -> None:
    """It would have to have the columns of all of them."""
    assert "write table.*" in root.refused(f"UPDATE {table} SET x = 1 FROM (SELECT 1 AS k) f WHERE k = id RETURNING *")


def test_a_result_beyond_the_users_limit_leaves_the_change_undone(root: Person, house: House, table: str) -> None:
    """Otherwise a change would have happened whose result nobody can have."""
    root.ok(f"GRANT ALL ON TABLE {table} TO USER ann")
    root.ok("ALTER USER ann SET LIMIT result_rows = 2")
    ann = house.person("ann")
    assert "nothing was changed" in ann.refused(f"DELETE FROM {table} RETURNING id")
    assert len(ann.ok(f"DELETE FROM {table} WHERE id < 3 RETURNING id")) == 2
    root.ok("ALTER USER ann RESET LIMIT result_rows")


def test_in_a_transaction_rows_are_given_back_and_the_rollback_undoes_them(root: Person, table: str) -> None:
    """Rows are those of the transaction."""
    root.ok("BEGIN")
    assert root.ok(f"INSERT INTO {table} VALUES (4, 4, 'd') RETURNING id") == [{"id": 4}]
    assert root.ok(f"UPDATE {table} SET x = x + 1 WHERE id = 4 RETURNING x") == [{"x": 5}]
    assert root.ok(f"DELETE FROM {table} WHERE id = 4 RETURNING x") == [{"x": 5}]
    assert root.ok(f"DELETE FROM {table} WHERE id = 1 RETURNING s") == [{"s": "a"}]
    root.ok("ROLLBACK")
    assert root.ok(f"SELECT count(*) AS n FROM {table}") == [{"n": 3}]


def test_a_read_only_transaction_refuses_it(root: Person, table: str) -> None:
    """It is a change, though it yields rows."""
    root.ok("BEGIN READ ONLY")
    assert "read only" in root.refused(f"DELETE FROM {table} RETURNING id")
    root.ok("ROLLBACK")


def test_who_may_write_and_not_read_gets_nothing_back(root: Person, house: House, table: str) -> None:
    """What is given back is read."""
    root.ok(f"GRANT INSERT, DELETE ON TABLE {table} TO USER ann")
    ann = house.person("ann")
    assert "does not exist" in ann.refused(f"INSERT INTO {table} VALUES (9, 9, 'n') RETURNING id")
    assert "does not exist" in ann.refused(f"DELETE FROM {table} RETURNING 1")
    assert root.ok(f"SELECT count(*) AS n FROM {table}") == [{"n": 3}]
    root.ok(f"GRANT SELECT ON TABLE {table} TO USER ann")
    assert ann.ok(f"INSERT INTO {table} VALUES (9, 9, 'n') RETURNING id") == [{"id": 9}]


def test_a_row_that_a_policy_hides_is_not_given_back(root: Person, house: House, table: str) -> None:
    """New rows must be such as their user may read; of old ones only those are found."""
    root.ok(f"GRANT ALL ON TABLE {table} TO USER ann")
    root.ok(f"CREATE POLICY sees ON {table} FOR SELECT TO USER ann USING (x >= 20)")
    root.ok(f"CREATE POLICY writes ON {table} FOR INSERT TO USER ann WITH CHECK (true)")
    root.ok(f"CREATE POLICY changes ON {table} FOR UPDATE TO USER ann USING (true) WITH CHECK (true)")
    root.ok(f"CREATE POLICY removes ON {table} FOR DELETE TO USER ann USING (true)")
    ann = house.person("ann")
    assert "may not be read" in ann.refused(f"INSERT INTO {table} VALUES (9, 9, 'n') RETURNING id")
    assert "may not be read" in ann.refused(f"UPDATE {table} SET x = 1 WHERE id = 3 RETURNING id")
    assert ann.ok(f"INSERT INTO {table} VALUES (9, 90, 'n') RETURNING id") == [{"id": 9}]
    assert sorted(row["id"] for row in ann.ok(f"DELETE FROM {table} RETURNING id")) == [2, 3, 9]
    assert root.ok(f"SELECT id FROM {table}") == [{"id": 1}]


def test_rows_of_a_user_table_are_given_back_to_their_user(root: Person, house: House) -> None:
    """Everybody has their own, also where another acts for them."""
    root.ok("CREATE USER TABLE own (id INT PRIMARY KEY, who TEXT DEFAULT CURRENT_USER)")
    ann = house.person("ann")
    ann.ok("INSERT INTO own (id) VALUES (1)")
    assert root.ok("INSERT INTO own (id) VALUES (2) RETURNING *") == [{"id": 2, "who": "root"}]
    assert root.ok("DELETE FROM own RETURNING id") == [{"id": 2}]
    assert root.ok("UPDATE own AS USER 'ann' SET who = 'me' WHERE id = 1 RETURNING *, CURRENT_USER AS u") == [
        {"id": 1, "who": "me", "u": "ann"}
    ]
    root.ok("DROP TABLE own")


def test_a_check_that_is_broken_comes_first(root: Person) -> None:
    """RETURNING sees nothing that may not be stored."""
    root.ok("CREATE TABLE checked (id INT PRIMARY KEY CHECK (id > 0))")
    assert "CHECK" in root.refused("INSERT INTO checked VALUES (0) RETURNING 1 / id")
    root.ok("DROP TABLE checked")


def test_a_table_without_a_key_gives_back_its_rows_without_their_numbers(root: Person) -> None:
    """The hidden key is no column of a star."""
    root.ok("CREATE TABLE keyless (a INT)")
    assert root.ok("INSERT INTO keyless VALUES (2), (1) RETURNING *") == [{"a": 2}, {"a": 1}]
    assert root.ok("DELETE FROM keyless WHERE a = 1 RETURNING *") == [{"a": 1}]
    root.ok("DROP TABLE keyless")


def test_a_stream_gives_back_what_is_appended_and_merged(root: Person) -> None:
    """Its rows are those of any table, as long as none gets a new version."""
    root.ok("CREATE STREAM TABLE events (a INT, s TEXT DEFAULT 'd') WITH (ttl_seconds = 3600)")
    assert root.ok("INSERT INTO events (a) VALUES (1), (2) RETURNING *") == [{"a": 1, "s": "d"}, {"a": 2, "s": "d"}]
    merge = "MERGE INTO events e USING (VALUES (2), (3)) b(k) ON e.a = b.k"
    assert root.ok(f"{merge} WHEN NOT MATCHED THEN INSERT (a) VALUES (k) RETURNING a") == [{"a": 3}]
    assert root.ok("DELETE FROM events WHERE a = 1 RETURNING s") == [{"s": "d"}]
    assert "only appended" in root.refused(f"{merge} WHEN MATCHED THEN UPDATE SET s = 'n'")
    assert sorted(row["a"] for row in root.ok("SELECT a FROM events")) == [2, 3]
    root.ok("DROP TABLE events")


def test_a_row_that_is_left_out_is_not_given_back(root: Person, table: str) -> None:
    """A value of UNIQUE that is there is left out with its row."""
    root.ok(f"ALTER TABLE {table} ADD UNIQUE (s)")
    sql = f"INSERT INTO {table} VALUES (8, 0, 'a'), (9, 0, 'n'), (10, 0, 'n') ON CONFLICT DO NOTHING RETURNING id"
    assert root.ok(sql) == [{"id": 9}]
    assert "UNIQUE" in root.refused(f"UPDATE {table} SET s = 'a' WHERE id = 2 RETURNING s")
