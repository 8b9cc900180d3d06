"""The query engine: what a user's SQL may reach, and what its errors say."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName
from providers.engine import errors as engine_errors
from providers.engine.relations import Columns
from providers.engine.session import WITHHELD_FUNCTIONS, QueryEngine, SqlDialect
from tests.storage_fixtures import LIMITS, Database, TableAccess, kv, run_together


def run(db: Database, sql: str, *tables: TableAccess) -> pa.Table:
    """Plan and run a statement that may name `tables`."""
    relations = {table.name: db.relations.merged(table.snapshot, None, Columns.VISIBLE) for table in tables}
    with engine_errors.engine_errors():
        return db.engine.plan(sql, relations, "public").to_arrow_table()


def refusal(db: Database, sql: str, *tables: TableAccess) -> DatabaseError:
    """The error of a statement that must fail."""
    with pytest.raises(DatabaseError) as caught:
        run(db, sql, *tables)
    return caught.value


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE TABLE x AS SELECT 1",
        "CREATE VIEW x AS SELECT 1",
        "CREATE SCHEMA x",
        "CREATE DATABASE x",
        "DROP TABLE t",
        "DROP VIEW t",
        "INSERT INTO t VALUES (1, 1)",
        "COPY (SELECT 1) TO '/tmp/stolen.csv'",
        "COPY t TO '/tmp/stolen.parquet'",
        "SET datafusion.execution.batch_size = 1",
        "SET datafusion.catalog.information_schema = true",
        "RESET datafusion.execution.batch_size",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "DEALLOCATE p",
        "BEGIN",
        "CREATE FUNCTION f() RETURNS INT RETURN 1",
    ],
)
def test_statement_that_is_no_query_is_refused(table: TableAccess, sql: str) -> None:
    """DDL, DML, COPY, SET and session statements do not get through."""
    table.write(kv(1))
    refusal(table.db, sql, table)
    assert table.values() == {1: 0}
    assert not Path("/tmp/stolen.csv").exists()  # noqa: S108
    assert not Path("/tmp/stolen.parquet").exists()  # noqa: S108


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM '/etc/passwd'",
        'SELECT * FROM "/etc/passwd"',
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM information_schema.df_settings",
        "SHOW TABLES",
        "SHOW ALL",
        "SELECT * FROM storage.files.x",
        "SELECT * FROM datafusion.public.t",
        "SELECT * FROM other",
        "SELECT * FROM private.t",
        "SELECT * FROM read_parquet('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM parquet_metadata('/etc/passwd')",
        "SELECT * FROM metadata_cache()",
        "SELECT * FROM statistics_cache()",
    ],
)
def test_statement_reaches_nothing_that_was_not_prepared_for_it(table: TableAccess, sql: str) -> None:
    """Files, the engine's own tables, storage tables and other namespaces cannot be named."""
    table.write(kv(1))
    table.flush()
    refusal(table.db, sql, table)


@pytest.mark.parametrize("function", sorted(WITHHELD_FUNCTIONS))
def test_function_that_could_fill_memory_is_withheld(db: Database, function: str) -> None:
    """Functions whose result can be larger than memory do not exist."""
    calls = {
        "repeat": "repeat('a', 1500000000)",
        "lpad": "lpad('a', 1500000000)",
        "rpad": "rpad('a', 1500000000)",
    }
    refusal(db, f"SELECT {calls.get(function, function + '(1, 2000000000)')}")


def test_unqualified_names_are_in_the_statements_namespace(db: Database) -> None:
    """`t` is `namespace.t`; both forms reach the same table."""
    table = db.create()
    table.write(kv(1))
    relation = {table.name: db.relations.merged(table.snapshot, None, Columns.VISIBLE)}
    for sql in (
        "SELECT k FROM t",
        "SELECT k FROM public.t",
        "SELECT k FROM main.public.t",
        'SELECT k FROM "public"."t"',
    ):
        assert db.engine.plan(sql, relation, "public").to_arrow_table()["k"].to_pylist() == [1]
    with pytest.raises(DatabaseError):
        db.engine.plan("SELECT k FROM t", relation, "other")


def test_names_of_two_threads_never_mix(db: Database) -> None:
    """Two threads that plan at once see their own relation under the same name."""
    one, two = db.create(name="one"), db.create(name="two")
    one.write(kv(1))
    two.write(kv(2))
    name = TableName("public", "t")

    def ask(table: TableAccess, expected: int) -> None:
        relations = {name: db.relations.merged(table.snapshot, None, Columns.VISIBLE)}
        for _ in range(40):
            found = db.engine.plan("SELECT k FROM t", relations, "public").to_arrow_table()
            assert found["k"].to_pylist() == [expected]

    run_together(lambda: ask(one, 1), lambda: ask(two, 2), lambda: ask(one, 1))


def test_names_are_gone_after_planning(table: TableAccess) -> None:
    """A later statement does not reach what an earlier one could name, on the same thread."""
    table.write(kv(1))
    run(table.db, "SELECT * FROM t", table)
    assert refusal(table.db, "SELECT * FROM t").kind is ErrorKind.NOT_FOUND


def test_failed_statement_takes_its_names_along(table: TableAccess) -> None:
    """Names are unbound when planning fails, too."""
    refusal(table.db, "SELECT nothing FROM t", table)
    assert refusal(table.db, "SELECT * FROM t").kind is ErrorKind.NOT_FOUND


def test_plan_that_keeps_join_order_sees_the_same_names(table: TableAccess) -> None:
    """The careful session plans over the same relations."""
    table.write(kv(1), kv(2))
    relations = {table.name: table.db.relations.merged(table.snapshot, None, Columns.VISIBLE)}
    sql = "SELECT count(*) c FROM t a RIGHT JOIN t b ON a.k = b.k + 1 WHERE b.k IS NOT NULL"
    found = table.db.engine.plan(sql, relations, "public", dialect=SqlDialect.STABLE_JOIN_ORDER).to_arrow_table()
    assert found["c"].to_pylist() == [2]
    with pytest.raises(DatabaseError):
        table.db.engine.plan("SELECT * FROM t", {}, "public", dialect=SqlDialect.STABLE_JOIN_ORDER)


def test_memory_limit_is_an_error_not_a_crash(tmp_path: Path) -> None:
    """A statement that needs more than its memory and spill space fails with RESOURCES."""
    limits = type(LIMITS)(memory_bytes=4 << 20, spill_bytes=1 << 20, threads=2)
    engine = QueryEngine(limits, tmp_path)
    numbers = " CROSS JOIN ".join(f"(VALUES {','.join(f'({i})' for i in range(200))}) t{n}(x)" for n in range(3))
    with pytest.raises(DatabaseError) as caught, engine_errors.engine_errors():
        engine.plan(f"SELECT t0.x, t1.x, t2.x, count(*) FROM {numbers} GROUP BY 1, 2, 3", {}, "public").to_arrow_table()
    assert caught.value.kind is ErrorKind.RESOURCES


FAULTY = {
    "SELEC 1": ErrorKind.SYNTAX,
    "SELECT 1 FROM": ErrorKind.SYNTAX,
    "SELECT 'abc": ErrorKind.SYNTAX,
    "SELECT nothing FROM t": ErrorKind.NOT_FOUND,
    "SELECT * FROM nowhere": ErrorKind.NOT_FOUND,
    "SELECT no_such_function(k) FROM t": ErrorKind.NOT_FOUND,
    "SELECT k + 'a' FROM t": ErrorKind.INVALID,
    "SELECT k / 0 FROM t": ErrorKind.INVALID,
    "SELECT CAST('x' AS BIGINT) FROM t": ErrorKind.INVALID,
    "SELECT sum(k, v) FROM t": ErrorKind.INVALID,
    "SELECT k, count(*) FROM t": ErrorKind.INVALID,
    "SELECT arrow_cast(k, 'Nothing') FROM t": ErrorKind.UNSUPPORTED,
    "SELECT * FROM t WHERE k > (SELECT k FROM t)": None,
    "SELECT k FROM t UNION SELECT k, v FROM t": ErrorKind.INVALID,
    "DROP TABLE t": None,
    "SELECT k FROM t, t": None,
}


@pytest.mark.parametrize(("sql", "kind"), FAULTY.items())
def test_error_is_one_line_of_ours(table: TableAccess, sql: str, kind: ErrorKind | None) -> None:
    """Kinds tell what to do; texts are one line without the engine's name, a path or an inner name."""
    table.write(kv(1), kv(2))
    table.flush()
    error = refusal(table.db, sql, table)
    if kind is not None:
        assert error.kind is kind
    lowered = error.message.lower()
    for foreign in ("datafusion", "arrow error", "backtrace", "$default", "storage.files", str(table.db.root), "\n"):
        assert foreign not in lowered
    assert error.message


UNSERVED = {
    "SELECT k IN (SELECT v FROM t) FROM t": "a sub-query at this place is not supported; write it as a join",
    "SELECT (SELECT sum(b.v) FROM t b WHERE b.k > a.k) FROM t a": "a sub-query at this place is not supported",
    "SELECT * FROM t, LATERAL (SELECT t.v + 1 AS z) x": "a sub-query at this place is not supported",
    "SELECT * FROM t PIVOT (sum(v) FOR k IN (1))": "PIVOT is not supported",
    "SELECT 'a' COLLATE \"C\"": "COLLATE is not supported",
}


@pytest.mark.parametrize(("sql", "words"), UNSERVED.items())
def test_what_the_engine_lacks_is_said_in_words_of_sql(table: TableAccess, sql: str, words: str) -> None:
    """Its own words would be its inner form of the statement."""
    table.write(kv(1), kv(2))
    error = refusal(table.db, sql, table)
    assert error.kind is ErrorKind.UNSUPPORTED
    assert error.message.startswith(words)
    assert "{" not in error.message


def test_damaged_file_is_corrupt_and_has_no_path(table: TableAccess) -> None:
    """What the engine says of a file that it cannot read names neither folder nor file."""
    table.write(*[kv(k, k) for k in range(100)])
    table.flush()
    table.values()
    path = table.folder / "batch-1.parquet"
    path.write_bytes(path.read_bytes()[:200])
    table.write(kv(1000))
    error = refusal(table.db, "SELECT sum(v) FROM t", table)
    assert error.kind is ErrorKind.CORRUPT
    assert str(table.db.root) not in error.message
    assert ".parquet" not in error.message


def test_long_message_is_cut() -> None:
    """No message is longer than a line can bear."""
    found = engine_errors.translate(ValueError("x" * 10_000))
    assert len(found.message) == engine_errors.MESSAGE_CHARACTERS_MAX


def test_own_errors_pass_through() -> None:
    """An error that is ours already stays as it is."""
    ours = DatabaseError(ErrorKind.CONFLICT, "retry")
    assert engine_errors.translate(ours) is ours


def test_panic_is_an_internal_error_without_its_text() -> None:
    """A panic of the engine tells a user nothing."""

    class PanicException(BaseException):
        pass

    with pytest.raises(DatabaseError) as caught, engine_errors.engine_errors():
        raise PanicException("secret")
    assert caught.value.kind is ErrorKind.INTERNAL
    assert "secret" not in caught.value.message


def test_interrupt_passes_through() -> None:
    """Ctrl-C is no error of a statement."""
    with pytest.raises(KeyboardInterrupt), engine_errors.engine_errors():
        raise KeyboardInterrupt


def test_sorts_larger_than_memory_spill(tmp_path: Path) -> None:
    """Narrow rows in two key columns need the most memory for merging."""
    engine = QueryEngine(type(LIMITS)(memory_bytes=64 << 20, spill_bytes=1 << 30, threads=2), tmp_path)
    random = np.random.default_rng(7)
    parts = [random.integers(0, 1 << 40, 32_768) for _ in range(120)]
    rows = [pa.RecordBatch.from_pydict({"a": part, "k": part}) for part in parts]
    relation = engine.context.read_batches(rows).into_view()
    frame = engine.plan("SELECT a, k FROM t ORDER BY a, k", {TableName("public", "t"): relation}, "public")
    assert sum(batch.to_pyarrow().num_rows for batch in frame.execute_stream()) == 120 * 32_768


def test_many_small_sorts_run_in_every_dialect(tmp_path: Path) -> None:
    """Each sets memory aside before its first row: all dialects have all of it."""
    engine = QueryEngine(type(LIMITS)(memory_bytes=4 << 30, spill_bytes=1 << 30, threads=2), tmp_path)
    relation = engine.context.read_batches([pa.RecordBatch.from_pydict({"k": np.arange(20_000)})] * 2).into_view()
    joined = "(SELECT a.k FROM t a FULL JOIN t b ON a.k = b.k FULL JOIN t c ON b.k = c.k)"
    text = f"SELECT sum(k) AS s FROM ({' UNION ALL '.join([joined] * 8)}) q"
    frame = engine.plan(text, {TableName("public", "t"): relation}, "public", dialect=SqlDialect.MERGED_JOINS)
    (batch,) = [batch.to_pyarrow() for batch in frame.execute_stream()]
    assert batch.to_pydict() == {"s": [8 * 8 * sum(range(20_000))]}
