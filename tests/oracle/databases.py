"""The two databases that answer: the server over ADBC, and DuckDB in this process, each in namespaces of its own."""

from typing import Protocol

import duckdb
from adbc_driver_flightsql import dbapi

from tests.e2e.client import Client
from tests.oracle.answers import Answer, Changed, Done, Failed, Rows, plain
from tests.oracle.tree import ByAnother, Change, Node, Query
from tests.oracle.writing import Dialect, Writer

SETTINGS = (
    "SET threads = 1",
    "SET integer_division = true",
    "SET default_null_order = 'NULLS_LAST_ON_ASC_FIRST_ON_DESC'",
    "SET TimeZone = 'UTC'",
)
"""What makes DuckDB answer as PostgreSQL does."""


class Asked(Protocol):
    """A database that can be asked."""

    def begin(self, namespace: str) -> None:
        """Make an empty namespace, and work in it."""

    def end(self, namespace: str) -> None:
        """Drop a namespace."""

    def answer(self, step: Node) -> Answer:
        """Run a statement."""


class Server:
    """Our server, over two connections: one for statements, one for another user's."""

    def __init__(self, client: Client, another: Client, dialect: Dialect = Dialect.SERVER) -> None:
        self._client = client
        self._another = another
        self._writer = Writer(dialect)

    def begin(self, namespace: str) -> None:
        """Make an empty namespace, and work in it."""
        self._client.run(f"DROP NAMESPACE IF EXISTS {namespace} CASCADE")
        self._client.run(f"CREATE NAMESPACE {namespace}")
        self._client.run(f"USE {namespace}")
        self._another.run(f"USE {namespace}")

    def end(self, namespace: str) -> None:
        """Drop a namespace."""
        self._client.run("USE public")
        self._another.run("USE public")
        self._client.run(f"DROP NAMESPACE {namespace} CASCADE")

    def answer(self, step: Node) -> Answer:
        """Run a statement; a change is followed by a look at its table."""
        sql = self._writer.text(step)
        try:
            match step:
                case Query():
                    return Rows(plain(self._client.rows(sql)))
                case Change():
                    count = self._client.update(sql)
                    return Changed(count, plain(self._client.rows(f"SELECT * FROM {step.table}")))
                case ByAnother():
                    self._another.run(sql)
                case _:
                    self._client.run(sql)
        except dbapi.Error as error:
            return Failed(str(error))
        return Done()


class Duck:
    """DuckDB, in memory."""

    def __init__(self) -> None:
        self._writer = Writer(Dialect.DUCK)
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
                    return Changed(rows[0][0], plain(table))
        except duckdb.Error as error:
            return Failed(f"{type(error).__name__}: {error}")
        return Done()

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()
