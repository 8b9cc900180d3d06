"""The two databases that answer: the server over ADBC, and DuckDB in this process, each in namespaces of its own."""

from typing import Protocol

import duckdb
import pyarrow as pa
from adbc_driver_flightsql import dbapi

from tests.oracle.answers import Answer, Changed, Done, Failed, Rows, plain
from tests.oracle.tree import ByAnother, Change, Node, Query
from tests.oracle.writing import Dialect, Writer

SETTINGS = (
    "SET threads = 1",
    "SET integer_division = true",
    "SET default_null_order = 'NULLS_LAST_ON_ASC_FIRST_ON_DESC'",
    "SET TimeZone = 'UTC'",
    "SET disabled_optimizers = 'statistics_propagation'",
)
"""What makes DuckDB answer as PostgreSQL does. By its statistics DuckDB 2.0.1 takes EXISTS of an outer join that finds
nothing for false."""


class Asked(Protocol):
    """A database that can be asked."""

    def begin(self, namespace: str) -> None:
        """Make an empty namespace, and work in it."""

    def end(self, namespace: str) -> None:
        """Drop a namespace."""

    def answer(self, step: Node) -> Answer:
        """Run a statement."""


class Server:
    """Our server, over two connections: one for statements, one for another user's. Nothing is prepared."""

    def __init__(self, mine: dbapi.Connection, others: dbapi.Connection, dialect: Dialect = Dialect.SERVER) -> None:
        self._mine = mine.cursor()
        self._others = others.cursor()
        self._writer = Writer(dialect)

    def begin(self, namespace: str) -> None:
        """Make an empty namespace, and work in it."""
        self._change(self._mine, f"DROP NAMESPACE IF EXISTS {namespace} CASCADE")
        self._change(self._mine, f"CREATE NAMESPACE {namespace}")
        self._change(self._mine, f"GRANT SELECT, INSERT ON NAMESPACE {namespace} TO PUBLIC")
        self._use(namespace)

    def end(self, namespace: str) -> None:
        """Drop a namespace."""
        self._use("public")
        self._change(self._mine, f"DROP NAMESPACE {namespace} CASCADE")

    def answer(self, step: Node) -> Answer:
        """Run a statement; a change is followed by a look at its table."""
        sql = self._writer.text(step)
        try:
            match step:
                case Query():
                    return self._rows(sql)
                case Change() if step.returning:
                    returned = self._rows(sql).rows
                    return Changed(len(returned), self._rows(f"SELECT * FROM {step.table}").rows, returned)
                case Change():
                    count = self._change(self._mine, sql)
                    return Changed(count, self._rows(f"SELECT * FROM {step.table}").rows)
                case _:
                    self._change(self._others if isinstance(step, ByAnother) else self._mine, sql)
        except (dbapi.Error, pa.ArrowException, OSError) as error:
            return Failed(str(error))
        return Done()

    def close(self) -> None:
        """Give the cursors back."""
        self._mine.close()
        self._others.close()

    def _use(self, namespace: str) -> None:
        for cursor in (self._mine, self._others):
            self._change(cursor, f"USE {namespace}")

    def _rows(self, sql: str) -> Rows:
        statement = self._mine.adbc_statement
        statement.set_sql_query(sql)
        stream, _ = statement.execute_query()
        with pa.RecordBatchReader.from_stream(stream) as reader:
            columns = reader.read_all().columns
        return Rows(plain(zip(*(column.to_pylist() for column in columns), strict=True)))

    def _change(self, cursor: dbapi.Cursor, sql: str) -> int:
        cursor.adbc_statement.set_sql_query(sql)
        return int(cursor.adbc_statement.execute_update())


class Duck:
    """DuckDB, in memory; another writer's statements are answered in tests of the comparison itself."""

    def __init__(self, writer: Writer | None = None) -> None:
        self._writer = writer or Writer(Dialect.DUCK)
        self._connection = duckdb.connect()
        for setting in SETTINGS:
            self._connection.execute(setting)

    def begin(self, namespace: str) -> None:
        """Make an empty namespace, and work in it."""
        self._connection.execute(f"DROP SCHEMA IF EXISTS {namespace} CASCADE")
        self._connection.execute(f"CREATE SCHEMA {namespace}")
        self._connection.execute(f"USE {namespace}")

    def end(self, namespace: str) -> None:
        """Drop a namespace."""
        self._connection.execute("USE main")
        self._connection.execute(f"DROP SCHEMA {namespace} CASCADE")

    def answer(self, step: Node) -> Answer:
        """Run a statement; a change is followed by a look at its table."""
        sql = self._writer.text(step)
        try:
            if not sql:
                return Done()
            rows = plain(self._connection.execute(sql).fetchall())
            match step:
                case Query():
                    return Rows(rows)
                case Change():
                    table = self._connection.execute(f"SELECT * FROM {step.table}").fetchall()
                    count = len(rows) if step.returning else rows[0][0]
                    return Changed(count, plain(table), rows if step.returning else ())
        except duckdb.Error as error:
            return Failed(f"{type(error).__name__}: {error}")
        return Done()

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()
