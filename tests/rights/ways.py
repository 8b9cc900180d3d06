"""The ways in which a name reaches the server: texts, plans, paths, streams and listings."""

from collections.abc import Callable, Mapping
from functools import cache

import pyarrow as pa
from datafusion import SessionContext
from datafusion.substrait import Serde

from catalog.identifiers import TableName
from flightserver.execution.catalogs.information_schema import STANDARD
from flightserver.execution.catalogs.pg_catalog import POSTGRESQL
from flightserver.protocol import commands
from tests.rights.house import Answer, Person

TEXTS: Mapping[str, Callable[[Person, str], Answer]] = {
    "query": Person.query,
    "update": Person.update,
    "prepared": Person.prepared,
}
"""How a statement's text comes."""

SHAPE = pa.schema([("id", pa.int64()), ("v", pa.int64())])
NEW = pa.table({"id": [7], "v": [7]}, SHAPE)
OLD = pa.table({"id": [1], "v": [7]}, SHAPE)
GONE = NEW.append_column("_deleted", pa.array([True]))


def table_name(name: str) -> TableName:
    """What a name without quotes means."""
    namespace, _, table = name.rpartition(".")
    return TableName(namespace or "public", table)


@cache
def plan(name: str) -> bytes:
    """The Substrait plan that reads a column of a table."""
    found, engine = table_name(name), SessionContext()
    if found.namespace != "public":
        engine.sql(f"CREATE SCHEMA {found.namespace}")
    engine.sql(f"CREATE TABLE {name} (id BIGINT, v BIGINT)").collect()
    return Serde.serialize_bytes(f"SELECT id FROM {name}", engine)


def plain_reads() -> Mapping[str, Callable[[Person, str], Answer]]:
    """Ways to a thing's rows for which nobody writes a statement."""
    return {
        "schema": lambda person, name: person.schema(f"SELECT * FROM {name}"),
        "substrait": lambda person, name: person.substrait(plan(name)),
        "path": lambda person, name: person.read(commands.rows_of(table_name(name))),
        "ticket": lambda person, name: person.ask(commands.PlainSql(f"SELECT * FROM {name}")),
    }


def _stream(rows: pa.Table, mode: commands.IfExists) -> Callable[[Person, str], Answer]:
    def run(person: Person, name: str) -> Answer:
        found = table_name(name)
        return person.ingest(found.table, rows, mode, schema=found.namespace)

    return run


STREAMS: Mapping[str, tuple[str, Callable[[Person, str], Answer]]] = {
    "stream of new rows": ("insert", _stream(NEW, commands.IfExists.APPEND)),
    "stream over old rows": ("update", _stream(OLD, commands.IfExists.APPEND)),
    "stream of ends": ("delete", _stream(GONE, commands.IfExists.APPEND)),
    "stream instead": ("delete", _stream(NEW, commands.IfExists.REPLACE)),
}
"""Streams of rows, and what each needs."""

LISTINGS: Mapping[str, Callable[[Person, str, str], str]] = {
    "tables": lambda person, namespace, name: str(
        person.ask(commands.GetTables(None, namespace, name, (), include_schema=True))
    ),
    "keys": lambda person, namespace, name: str(person.ask(commands.GetPrimaryKeys(name, None, namespace))),
    "flights": lambda person, namespace, name: str([at for at in person.flights() if at == (namespace, name)]),
    "SHOW TABLES": lambda person, namespace, name: _lines(person, f"SHOW TABLES IN {namespace}", name),
    "system.tables": lambda person, namespace, name: _lines(
        person, f"SELECT * FROM system.tables WHERE namespace = '{namespace}'", name
    ),
    "information_schema.tables": lambda person, namespace, name: _lines(
        person, f"SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = '{namespace}'", name
    ),
    "information_schema.columns": lambda person, namespace, name: _lines(
        person, f"SELECT * FROM information_schema.columns WHERE table_schema = '{namespace}'", name
    ),
}
"""What tells which things there are, asked for one of them."""


CATALOGS = (*(f"information_schema.{name}" for name in STANDARD), *(f"pg_catalog.{name}" for name in POSTGRESQL))
"""The catalogs that tools read."""


def _lines(person: Person, sql: str, name: str) -> str:
    """The lines of a listing that have a name; none, too, where the namespace is hidden."""
    return str([row for row in (person.query(sql).rows or pa.table({})).to_pylist() if name in row.values()])
