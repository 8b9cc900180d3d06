"""A client of the tests: an ADBC connection with the few calls that facts are written in."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from adbc_driver_flightsql import dbapi

CHUNK_ROWS = 65_536


class Client:
    """One ADBC connection."""

    def __init__(self, connection: dbapi.Connection) -> None:
        self.connection = connection

    def run(self, sql: str, parameters: Sequence[Any] | None = None) -> None:
        """Run a statement and throw its result away."""
        self.arrow(sql, parameters)

    def arrow(self, sql: str, parameters: Any = None) -> pa.Table:
        """The result of a statement."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetch_arrow_table()

    def rows(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """The rows of a result, as tuples of Python values."""
        return list(zip(*(column.to_pylist() for column in self.arrow(sql, parameters).columns), strict=True))

    def column(self, sql: str, parameters: Any = None) -> list[Any]:
        """The first column of a result."""
        return self.arrow(sql, parameters).column(0).to_pylist()

    def one(self, sql: str, parameters: Any = None) -> Any:
        """The only value of a result."""
        (value,) = self.column(sql, parameters)
        return value

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return self.one(f"SELECT count(*) FROM {table}")

    def many(self, sql: str, rows: Any) -> int:
        """Run a prepared statement over many rows of parameters; return how many rows it changed."""
        with self.connection.cursor() as cursor:
            cursor.executemany(sql, rows)
            return cursor.rowcount

    def update(self, sql: str) -> int:
        """Run a change as an update; return how many rows it changed."""
        with self.connection.cursor() as cursor:
            cursor.adbc_statement.set_sql_query(sql)
            return cursor.adbc_statement.execute_update()

    def ingest(self, table: str, data: pa.Table | pa.RecordBatchReader, mode: str = "append", **options: Any) -> int:
        """Load Arrow data; return how many rows were taken."""
        reader = data.to_reader(max_chunksize=CHUNK_ROWS) if isinstance(data, pa.Table) else data
        with self.connection.cursor() as cursor:
            return cursor.adbc_ingest(table, reader, mode=mode, **options)

    def error(self, sql: str, parameters: Any = None) -> str:
        """The message of a statement that must fail."""
        return failure(lambda: self.run(sql, parameters))


def failure(call: Any) -> str:
    """The message that a call fails with."""
    try:
        call()
    except dbapi.Error as error:
        return str(error)
    raise AssertionError("it did not fail")
