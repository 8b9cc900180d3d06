"""What a query mentions, and stars that leave out system columns."""

import datafusion
import pyarrow as pa
import pytest

from catalog.errors import ErrorKind
from flightserver.sql.statements import TableRef
from flightserver.sql.text.references import (
    hide_system_columns,
    mentions_system_columns,
    needs_stable_join_order,
    referenced_names,
)
from tests.sql.refusals import refusal


@pytest.fixture
def context() -> datafusion.SessionContext:
    """Tables `t` and `u` with system columns, and `plain` without."""
    context = datafusion.SessionContext()
    system = {"_seq": [1, 2], "_deleted": [False, False]}
    context.from_arrow(pa.table({"a": [1, 2], "b": [3, 4], **system}), name="t")
    context.from_arrow(pa.table({"a": [1, 2], "c": [5, 6], **system}), name="u")
    context.from_arrow(pa.table({"a": [1, 2], "d": [7, 8]}), name="plain")
    return context


def is_versioned(table: TableRef) -> bool:
    """Tell whether a table of the context has system columns."""
    return table.table in {"t", "u"}


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("SELECT * FROM t", TableRef(None, "t")),
        ("SELECT * FROM N.T", TableRef("n", "t")),
        ("SELECT * FROM main.n.t", TableRef("n", "t")),
        ('SELECT * FROM "N x"."T;"', TableRef("N x", "T;")),
        ("SELECT * FROM n . /* c */ t", TableRef("n", "t")),
        ("SELECT 1 WHERE a IN (SELECT b FROM n.t)", TableRef("n", "t")),
        ("WITH x AS (SELECT * FROM t) SELECT * FROM x", TableRef(None, "t")),
        ("SELECT * FROM a, b CROSS JOIN t", TableRef(None, "t")),
        ('SELECT * FROM"t"', TableRef(None, "t")),
        ("TABLE t", TableRef(None, "t")),
        ("SELECT t.a FROM t", TableRef(None, "t")),
    ],
)
def test_tables_are_among_the_references(sql: str, table: TableRef) -> None:
    """Every table that a query reads is found."""
    assert table in referenced_names(sql)


@pytest.mark.parametrize("sql", ["SELECT 'x'", "SELECT 1 -- x", "SELECT 1 /* x */", "SELECT x(1)", "SELECT $$x$$"])
def test_strings_comments_and_functions_are_no_references(sql: str) -> None:
    """What cannot be a table is not named."""
    assert TableRef(None, "x") not in referenced_names(sql)


@pytest.mark.parametrize("sql", ["SELECT _seq FROM t", "SELECT t._DELETED FROM t", 'SELECT "_seq" FROM t'])
def test_system_columns_are_found(sql: str) -> None:
    """In any spelling that means the column."""
    assert mentions_system_columns(sql)


@pytest.mark.parametrize(
    "sql", ["SELECT '_seq'", "SELECT 1 -- _seq", 'SELECT "_SEQ"', "SELECT a_seq, _seq2", "SELECT 1"]
)
def test_other_mentions_are_not(sql: str) -> None:
    """Strings, comments and other names do not count."""
    assert not mentions_system_columns(sql)


@pytest.mark.parametrize("join", ["RIGHT JOIN", "right outer join", "FULL JOIN", "FULL OUTER JOIN", "RIGHT SEMI JOIN"])
def test_right_and_full_joins_need_a_stable_order(join: str) -> None:
    """These joins are the ones that may be reordered wrongly."""
    assert needs_stable_join_order(f"SELECT * FROM t {join} u ON t.a = u.a")


@pytest.mark.parametrize("sql", ["SELECT right(a, 1) FROM t LEFT JOIN u ON true", "SELECT 'RIGHT JOIN'", "SELECT full"])
def test_other_uses_of_right_do_not(sql: str) -> None:
    """A function called right is no join."""
    assert not needs_stable_join_order(sql)


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT * FROM t WHERE _seq > 0", ["a", "b"]),
        ("SELECT *, _seq FROM t", ["a", "b", "_seq"]),
        ("SELECT _seq, * FROM t", ["_seq", "a", "b"]),
        ("SELECT t.* FROM t WHERE _seq > 0", ["a", "b"]),
        ("SELECT x.*, x._seq AS s FROM t AS x", ["a", "b", "s"]),
        ("SELECT DISTINCT * FROM t WHERE NOT _deleted", ["a", "b"]),
        ("SELECT ALL * FROM t ORDER BY _seq", ["a", "b"]),
        ("SELECT DISTINCT ON (a) * FROM t WHERE _seq > 0", ["a", "b"]),
        ("SELECT * EXCEPT (a) FROM t WHERE _seq > 0", ["b"]),
        ("SELECT * EXCEPT (_seq) FROM t WHERE _seq > 0", ["a", "b"]),
        ("SELECT * EXCLUDE b FROM t WHERE _seq > 0", ["a"]),
        ("SELECT * REPLACE (a + 1 AS a) FROM t WHERE _seq > 0", ["a", "b"]),
        ("SELECT *, t._seq FROM t JOIN plain ON t.a = plain.a", ["a", "b", "a", "d", "_seq"]),
        ("SELECT * FROM plain JOIN t ON t.a = plain.a WHERE _seq > 0", ["a", "d", "a", "b"]),
        ("SELECT plain.* FROM plain, t WHERE _seq > 0", ["a", "d"]),
        ("SELECT y.* FROM t x JOIN u y ON x.a = y.a WHERE x._seq > 0", ["a", "c"]),
        ("SELECT * FROM (SELECT *, _seq FROM t) x", ["a", "b", "_seq"]),
        ("SELECT * FROM (SELECT * FROM t WHERE _seq > 0) x", ["a", "b"]),
        ("WITH c AS (SELECT *, _seq FROM t) SELECT * FROM c", ["a", "b", "_seq"]),
        ("WITH c(x, y, z) AS (SELECT *, _seq FROM t) SELECT * FROM c", ["x", "y", "z"]),
        ("SELECT count(*) AS n FROM t WHERE _seq > 0", ["n"]),
        ("SELECT a * b AS p, 2 *_seq AS q FROM t", ["p", "q"]),
        ("SELECT * FROM t WHERE _seq > 0 UNION ALL SELECT * FROM u", ["a", "b"]),
        ("SELECT a FROM plain WHERE EXISTS (SELECT * FROM t WHERE _seq > 0)", ["a"]),
        ("SELECT * FROM t WHERE a IS NOT DISTINCT FROM _seq", ["a", "b"]),
        ("SELECT extract(year FROM now()) AS y, * FROM t WHERE _seq > 0", ["y", "a", "b"]),
        ("SELECT * FROM t, LATERAL (SELECT t._seq AS s) l", ["a", "b", "s"]),
        ('SELECT * FROM t AS "X y", plain WHERE _seq > 0', ["a", "b", "a", "d"]),
        ("SELECT *\n-- all\nFROM t WHERE _seq > 0", ["a", "b"]),
    ],
)
def test_stars_hide_system_columns(sql: str, columns: list[str], context: datafusion.SessionContext) -> None:
    """DataFusion returns the columns that the star means without system columns."""
    rewritten = hide_system_columns(sql, has_them=is_versioned)
    assert context.sql(rewritten).schema().names == columns


@pytest.mark.parametrize(
    "sql", ["SELECT a FROM t", "SELECT count(*) FROM t", "SELECT * FROM plain", "SELECT a*b FROM t", ""]
)
def test_what_needs_no_change_is_verbatim(sql: str) -> None:
    """A text without such a star stays as it is."""
    assert hide_system_columns(sql, has_them=is_versioned) == sql


@pytest.mark.parametrize("join", ["NATURAL JOIN u", "JOIN u USING (a)"])
def test_stars_over_merged_columns_are_refused(join: str) -> None:
    """A join that merges columns cannot be written as a star for each table."""
    sql = f"SELECT * FROM t {join} WHERE t._seq > 0"
    assert "name the columns" in refusal(ErrorKind.UNSUPPORTED, lambda: hide_system_columns(sql))


def test_bracketed_joins_are_refused() -> None:
    """A join in brackets is not taken apart."""
    sql = "SELECT * FROM (t JOIN u ON true) WHERE t._seq > 0"
    assert "brackets" in refusal(ErrorKind.UNSUPPORTED, lambda: hide_system_columns(sql))


@pytest.mark.parametrize(
    "sql", ["SELECT *", "*", "SELECT * FROM", "SELECT t.* FROM", "SELECT * EXCEPT", "SELECT * EXCEPT ("]
)
def test_incomplete_queries_are_left_to_datafusion(sql: str) -> None:
    """Half a query does not confuse the rewriting."""
    assert hide_system_columns(sql) == sql
