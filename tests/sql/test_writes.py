"""INSERT, UPDATE, DELETE and TRUNCATE are framed; their values pass through."""

import pytest

from catalog.errors import ErrorKind
from flightserver.sql.parser import parse
from flightserver.sql.statements import Assignment, Delete, Insert, OnConflict, TableRef, Truncate, Update
from tests.sql.refusals import refused

T = TableRef(None, "t")


def insert(sql: str) -> Insert:
    """Parse what must be an INSERT."""
    statement = parse(sql)
    assert isinstance(statement, Insert)
    return statement


def conflict(clause: str) -> OnConflict:
    """Parse an ON CONFLICT clause."""
    found = insert(f"INSERT INTO t VALUES (1) ON CONFLICT {clause}").on_conflict
    assert found is not None
    return found


def test_insert_values() -> None:
    """VALUES are kept as text."""
    assert parse("INSERT INTO t VALUES (1, 'a;'), (2, now())") == Insert(T, None, "VALUES (1, 'a;'), (2, now())")


def test_insert_names_columns() -> None:
    """Column names fold unless they are quoted."""
    assert insert('INSERT INTO a.t (X, "Y") VALUES (1, 2)').columns == ("x", "Y")


@pytest.mark.parametrize(
    "source",
    ["SELECT * FROM u", "WITH x AS (SELECT 1) SELECT * FROM x", "(SELECT 1)", "VALUES (1) ORDER BY 1", "TABLE u"],
)
def test_insert_takes_queries(source: str) -> None:
    """Any query may be the source."""
    assert insert(f"INSERT INTO t {source}").source == source


def test_insert_from_a_query_in_brackets_has_no_columns() -> None:
    """A bracket with a query in it is no column list."""
    assert insert("INSERT INTO t ((SELECT 1))").columns is None


def test_insert_columns_in_front_of_a_query_in_brackets() -> None:
    """A column list and a query in brackets are told apart."""
    statement = insert("INSERT INTO t (a) (SELECT 1)")
    assert (statement.columns, statement.source) == (("a",), "(SELECT 1)")


def test_a_column_twice_is_refused() -> None:
    """An INSERT names each column once."""
    assert "twice" in refused(ErrorKind.SYNTAX, "INSERT INTO t (a, A) VALUES (1, 2)")


def test_the_tail_of_a_bulk_insert_is_found() -> None:
    """ON CONFLICT behind many rows is not part of the rows."""
    rows = ", ".join(f"({number}, ' ON CONFLICT DO NOTHING ')" for number in range(50_000))
    statement = insert(f"INSERT INTO t VALUES {rows} ON CONFLICT DO NOTHING")
    assert statement.source == f"VALUES {rows}"
    assert statement.on_conflict == OnConflict(None, do_nothing=True)


def test_do_nothing_with_a_target() -> None:
    """The key may be named."""
    assert conflict("(a, B) DO NOTHING") == OnConflict(("a", "b"), do_nothing=True)


def test_do_update() -> None:
    """Assignments and the condition are text."""
    expected = (Assignment("b", "excluded.b"), Assignment("c", "coalesce(t.c, 0) + 1"))
    found = conflict("(a) DO UPDATE SET b = excluded.b, C = coalesce(t.c, 0) + 1 WHERE t.b < 5 AND true")
    assert found == OnConflict(("a",), do_nothing=False, assignments=expected, where="t.b < 5 AND true")


def test_do_update_needs_a_target() -> None:
    """Without a key there is nothing to update by."""
    refused(ErrorKind.SYNTAX, "INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 1")


def test_on_constraint_is_refused() -> None:
    """Constraints have no names here."""
    assert "name the key" in refused(
        ErrorKind.UNSUPPORTED, "INSERT INTO t VALUES (1) ON CONFLICT ON CONSTRAINT p DO NOTHING"
    )


def test_a_column_called_conflict_may_be_joined_on() -> None:
    """ON CONFLICT is a clause only where an action or a key follows."""
    source = "SELECT * FROM u JOIN v ON conflict = 1"
    assert insert(f"INSERT INTO t {source}").source == source


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("VALUES ($1, $2)", [(1, 2)]),
        ("VALUES ($2, $1)", [(2, 1)]),
        ("VALUES (?, ?, ?)", [(1, 2, 3)]),
        ("VALUES ($1)", [(1,)]),
        ("VALUES ($1, 2)", [(1, "2")]),
        ("VALUES (?, -0.5, ?, NULL, 'it''s', TRUE)", [(1, "-0.5", 2, None, "it's", "true")]),
        ("VALUES (1, 2)", None),
        ("VALUES ($1, -'a')", None),
        ("VALUES ($1, - - 1)", None),
        ("VALUES ($1, -$2)", None),
        ("VALUES ($1, E'a')", None),
        ("VALUES ($1, DATE '2024-01-01')", None),
        ("VALUES ($1, $2), ($3, 7)", [(1, 2), (3, "7")]),
        ("VALUES (?, 1), (NULL, ?), (?, ?)", [(1, "1"), (None, 2), (3, 4)]),
        ("VALUES ($1, $2), ($3)", None),
        ("VALUES ($1, $2), ($3, $4 + 1)", None),
        ("VALUES ($1), (abs($2))", None),
        ("VALUES ($1), ()", None),
        ("VALUES ($1) UNION ALL VALUES ($2)", None),
        ("VALUES ($1 + 1)", None),
        ("VALUES ($1,)", None),
        ("VALUES ($a)", None),
        ("VALUES ($1) LIMIT 1", None),
        ("SELECT $1", None),
    ],
)
def test_rows_of_parameters_are_recognised(sql: str, rows: list[tuple[int | str | None, ...]] | None) -> None:
    """Rows of parameters and constants alone are bound without SQL."""
    found = insert(f"INSERT INTO t {sql}").rows
    read = found and [tuple(part if isinstance(part, int) else part.texts[0] for part in row) for row in found]
    assert read == rows


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT OR REPLACE INTO t VALUES (1) ON CONFLICT DO NOTHING",
        "INSERT OVERWRITE t VALUES (1)",
        "INSERT INTO t AS x VALUES (1)",
        "WITH x AS (SELECT 1) INSERT INTO t WITH x AS (SELECT 2) SELECT * FROM x",
        "WITH x AS (SELECT 1) INSERT INTO t VALUES (DEFAULT)",
        "WITH x AS (SELECT 1) INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = (SELECT * FROM x)",
        "UPDATE t SET (a, b) = (SELECT x, y FROM u LIMIT 1)",
        "UPDATE t SET (a, b) = (SELECT x, count(*) FROM u GROUP BY 1)",
        "UPDATE t SET t.a = 1",
        "UPDATE t SET a = 1 FROM u RETURNING *",
        "DELETE FROM t RETURNING _seq",
    ],
)
def test_clauses_that_are_not_served_are_refused(sql: str) -> None:
    """What would be needed for the right effect is never ignored."""
    refused(ErrorKind.UNSUPPORTED, sql)


def test_a_string_default_is_a_value() -> None:
    """Only the bare keyword DEFAULT is refused."""
    assert insert("INSERT INTO t VALUES ('DEFAULT', \"default\")").source == "VALUES ('DEFAULT', \"default\")"


def test_insert_into_two_parts_of_the_catalog() -> None:
    """The catalog main is accepted and dropped."""
    assert insert("INSERT INTO main.a.t VALUES (1)").table == TableRef("a", "t")


def test_another_catalog_is_not_found() -> None:
    """There is one catalog."""
    assert "no catalog 'x'" in refused(ErrorKind.NOT_FOUND, "INSERT INTO x.a.t VALUES (1)")


def test_update() -> None:
    """An UPDATE is its table, assignments and condition."""
    assert parse("UPDATE t SET a = b + 1, c = 'x, WHERE' WHERE d IN (SELECT 1 FROM u WHERE e)") == Update(
        T, None, (Assignment("a", "b + 1"), Assignment("c", "'x, WHERE'")), None, "d IN (SELECT 1 FROM u WHERE e)"
    )


def test_update_without_condition() -> None:
    """All rows may be meant."""
    assert parse("UPDATE t SET a = 1") == Update(T, None, (Assignment("a", "1"),), None, None)


@pytest.mark.parametrize("alias", ["AS x", "x"])
def test_update_from(alias: str) -> None:
    """An alias and more tables may be given."""
    sql = f"UPDATE t {alias} SET a = u.b FROM u JOIN v ON u.c = v.c WHERE u.a = x.a"
    assert parse(sql) == Update(T, "x", (Assignment("a", "u.b"),), "u JOIN v ON u.c = v.c", "u.a = x.a")


def test_distinct_from_is_not_a_from() -> None:
    """IS DISTINCT FROM belongs to the expression."""
    statement = parse("UPDATE t SET a = b IS NOT DISTINCT FROM c FROM u")
    assert isinstance(statement, Update)
    assert (statement.assignments[0].expression, statement.from_text) == ("b IS NOT DISTINCT FROM c", "u")


def test_update_of_a_column_twice_is_refused() -> None:
    """Which value would win is not guessed."""
    assert "set twice" in refused(ErrorKind.SYNTAX, "UPDATE t SET a = 1, A = 2")


def test_delete() -> None:
    """A DELETE is its table and condition."""
    assert parse("DELETE FROM a.t WHERE b = 1") == Delete(TableRef("a", "t"), None, None, "b = 1")


def test_delete_all() -> None:
    """All rows may be meant."""
    assert parse("DELETE FROM t;") == Delete(T, None, None, None)


def test_delete_using() -> None:
    """An alias and more tables may be given."""
    assert parse("DELETE FROM t x USING u WHERE x.a = u.a") == Delete(T, "x", "u", "x.a = u.a")


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM t WHERE a = 1 LIMIT 1",
        "DELETE FROM t WHERE a = 1 ORDER BY a",
        "DELETE FROM t WHERE a = 1 UNION SELECT 1",
        "DELETE FROM t LIMIT 1",
        "UPDATE t SET a = 1 LIMIT 1",
        "UPDATE t SET a = 1 WHERE b GROUP BY c",
        "DELETE FROM t WHERE a = 1) OR (true",
        "DELETE t",
        "DELETE FROM t WHERE",
        "UPDATE t SET",
        "UPDATE t SET a",
        "UPDATE t SET a = ",
        "INSERT t VALUES (1)",
        "INSERT INTO t",
        "INSERT INTO t ()",
        "INSERT INTO t (a, b)",
        "INSERT INTO t.u.v.w VALUES (1)",
        "TRUNCATE TABLE t, u",
    ],
)
def test_malformed_writes_are_refused(sql: str) -> None:
    """A condition is a condition and nothing else."""
    assert refused(ErrorKind.SYNTAX, sql).startswith("line 1:")


@pytest.mark.parametrize("sql", ["TRUNCATE t", "TRUNCATE TABLE t"])
def test_truncate(sql: str) -> None:
    """TABLE is optional."""
    assert parse(sql) == Truncate(T)


@pytest.mark.parametrize("row", ["(1, x + 2)", "ROW (1, x + 2)"])
def test_a_row_of_columns_is_set_to_a_row_of_values(row: str) -> None:
    """Each column gets the value at its place, beside others that are set alone."""
    statement = parse(f"UPDATE t SET (a, b) = {row}, c = 3 WHERE a = 1")
    assert isinstance(statement, Update)
    assert statement.assignments == (Assignment("a", "1"), Assignment("b", "x + 2"), Assignment("c", "3"))


def test_a_row_of_columns_is_set_to_what_a_query_selects() -> None:
    """Each column to a query of its own."""
    statement = parse("UPDATE t SET (a, b) = (SELECT max(x), y + 1 AS z FROM u WHERE k = t.k GROUP BY y)")
    assert isinstance(statement, Update)
    first, second = (assignment.expression.split() for assignment in statement.assignments)
    assert " ".join(first) == "(SELECT max(x) FROM u WHERE k = t.k GROUP BY y)"
    assert " ".join(second) == "(SELECT y + 1 AS z FROM u WHERE k = t.k GROUP BY y)"


def test_do_update_sets_a_row_of_columns() -> None:
    """ON CONFLICT takes what UPDATE takes."""
    found = conflict("(k) DO UPDATE SET (a, b) = (excluded.b, (SELECT 1))")
    assert found.assignments == (Assignment("a", "excluded.b"), Assignment("b", "(SELECT 1)"))


@pytest.mark.parametrize(
    "sets", ["(a, b) = (1, 2, 3)", "(a, b) = ((SELECT 1, 2))", "(a, b) = 1", "(a, b) = (1, 2), a = 3"]
)
def test_a_row_that_does_not_fit_its_columns_is_refused(sets: str) -> None:
    """As many values as columns, and each column once."""
    refused(ErrorKind.SYNTAX, f"UPDATE t SET {sets}")


def test_with_in_front_of_insert_is_with_in_front_of_its_source() -> None:
    """Its tables are for the query; a row of parameters is then no longer one that is bound without SQL."""
    statement = insert("WITH x AS (SELECT 1) INSERT INTO t (a) SELECT * FROM x ON CONFLICT DO NOTHING")
    assert (statement.columns, statement.source) == (("a",), "WITH x AS (SELECT 1) SELECT * FROM x")
    assert insert("WITH x AS (SELECT 1) INSERT INTO t VALUES ($1)").rows is None
