"""A block of facts against a server: what did not come out as it must."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adbc_driver_flightsql import dbapi

from tests.e2e.client import Client
from tests.faults.records import Block, Query, Statement
from tests.faults.rows import line, same


@dataclass(frozen=True)
class Mismatch:
    """A record that came out otherwise."""

    line: int
    sql: str
    got: str
    want: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.sql}\n  got   {self.got}\n  want  {self.want}"


@contextmanager
def namespace(client: Client, name: str) -> Iterator[None]:
    """A namespace of the block's own, dropped with all that is in it."""
    quoted = f'"{name}"'
    client.run(f"DROP NAMESPACE IF EXISTS {quoted} CASCADE")
    client.run(f"CREATE NAMESPACE {quoted}")
    client.run(f"USE {quoted}")
    yield
    client.run("USE public")
    client.run(f"DROP NAMESPACE {quoted} CASCADE")


def replay(client: Client, block: Block) -> list[Mismatch]:
    """Run all records of a block in a new namespace; an error of one does not end it."""
    with namespace(client, block.name):
        found = [statement(client, r) if isinstance(r, Statement) else query(client, r) for r in block.records]
    return [mismatch for mismatch in found if mismatch is not None]


def statement(client: Client, record: Statement) -> Mismatch | None:
    """Run a statement; None when it did what it must."""
    want = f"an error: {record.message}" if record.fails else "success"
    try:
        client.run(record.sql)
    except dbapi.Error as error:
        failed_well = record.fails and record.message in str(error)
        return None if failed_well else Mismatch(record.line, record.sql, str(error), want)
    return Mismatch(record.line, record.sql, "success", want) if record.fails else None


def query(client: Client, record: Query) -> Mismatch | None:
    """Run a query; None when it yields its rows, in their order if it asks for one."""
    want = " | ".join(record.expected)
    try:
        rows = client.rows(record.sql)
    except dbapi.Error as error:
        return Mismatch(record.line, record.sql, str(error), want)
    if same(rows, record.expected, ordered=is_ordered(record.sql)):
        return None
    return Mismatch(record.line, record.sql, " | ".join(map(line, rows)), want)


def is_ordered(sql: str) -> bool:
    """Tell whether ORDER BY stands outside of all brackets."""
    depth = 0
    for at, letter in enumerate(sql):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and sql.startswith("ORDER BY", at):
            return True
    return False
