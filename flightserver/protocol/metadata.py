"""Tables that answer the metadata commands about catalogs, schemas, tables and keys.

Pure functions: what exists comes in as small frozen values, already limited to what the user may see; the command's
filters are applied here, and the rows come back in the order that the protocol asks for (absent names first, then by
code point). Only what passes the filters is described. Filters follow the protocol: None does not filter; an empty
catalog or schema selects what has none; patterns are SQL LIKE, case-sensitive, with `%`, `_` and backslash as the
escape.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from catalog.errors import DatabaseError, ErrorKind
from flightserver.protocol import schemas
from flightserver.protocol.commands import GetDbSchemas, GetPrimaryKeys, GetTables
from flightserver.protocol.results import encode_schema

_WILDCARDS = {"%": ".*", "_": "."}

PATTERN_LENGTH_MAX = 1_000
"""Longest LIKE pattern. Names are far shorter, and compiling a pattern costs time."""

T = TypeVar("T")


@dataclass(frozen=True)
class DbSchemaInfo:
    """A schema and the catalog that it is in."""

    catalog: str | None
    name: str


class TableInfo(NamedTuple):
    """A table or view as clients name it."""

    catalog: str | None
    db_schema: str | None
    name: str
    table_type: str


@dataclass(frozen=True)
class KeyColumn:
    """One column of a primary key; `sequence` counts from 1 in the order of the key."""

    catalog: str | None
    db_schema: str | None
    table: str
    column: str
    key_name: str | None
    sequence: int


_OTHER_WORDS = {"BASE TABLE": "TABLE"}
"""What tools ask for that have the words of `information_schema`."""


def catalogs(names: Iterable[str]) -> pa.Table:
    """Answer GetCatalogs."""
    return pa.table([sorted(set(names))], schema=schemas.CATALOGS)


def db_schemas(infos: Iterable[DbSchemaInfo], command: GetDbSchemas) -> pa.Table:
    """Answer GetDbSchemas."""
    found = [info for info in set(infos) if _same(info.catalog, command.catalog)]
    found = _like(found, [info.name for info in found], command.db_schema_filter_pattern)
    found.sort(key=lambda info: (_absent_first(info.catalog), info.name))
    columns = [[info.catalog for info in found], [info.name for info in found]]
    return pa.table(columns, schema=schemas.DB_SCHEMAS)


def tables(infos: Iterable[TableInfo], command: GetTables, schema_of: Callable[[TableInfo], pa.Schema]) -> pa.Table:
    """Answer GetTables, with each table's schema, which may carry column metadata, when the command asks for it."""
    types = frozenset(_OTHER_WORDS.get(word, word) for word in command.table_types)
    found = [info for info in infos if _same(info.catalog, command.catalog) and (not types or info.table_type in types)]
    found = _like(found, [info.db_schema or "" for info in found], command.db_schema_filter_pattern)
    found = _like(found, [info.name for info in found], command.table_name_filter_pattern)
    found.sort(
        key=lambda info: (_absent_first(info.catalog), _absent_first(info.db_schema), info.name, info.table_type)
    )
    columns: list[list[object]] = [
        [info.catalog for info in found],
        [info.db_schema for info in found],
        [info.name for info in found],
        [info.table_type for info in found],
    ]
    if not command.include_schema:
        return pa.table(columns, schema=schemas.TABLES)
    columns.append([encode_schema(schema_of(info)) for info in found])
    return pa.table(columns, schema=schemas.TABLES_WITH_SCHEMA)


def table_types(names: Iterable[str]) -> pa.Table:
    """Answer GetTableTypes."""
    return pa.table([sorted(set(names))], schema=schemas.TABLE_TYPES)


def primary_keys(columns: Iterable[KeyColumn], command: GetPrimaryKeys) -> pa.Table:
    """Answer GetPrimaryKeys."""
    found = [
        key
        for key in columns
        if key.table == command.table
        and _same(key.catalog, command.catalog)
        and _same(key.db_schema, command.db_schema)
    ]
    found.sort(
        key=lambda key: (
            _absent_first(key.catalog),
            _absent_first(key.db_schema),
            key.table,
            _absent_first(key.key_name),
            key.sequence,
        )
    )
    rows = [(key.catalog, key.db_schema, key.table, key.column, key.key_name, key.sequence) for key in found]
    arrays = [[row[position] for row in rows] for position in range(len(schemas.PRIMARY_KEYS))]
    return pa.table(arrays, schema=schemas.PRIMARY_KEYS)


def foreign_keys() -> pa.Table:
    """Answer GetExportedKeys, GetImportedKeys and GetCrossReference: tables have no foreign keys."""
    return schemas.FOREIGN_KEYS.empty_table()


def like(names: pa.Array | pa.ChunkedArray, pattern: str) -> pa.Array | pa.ChunkedArray:
    """One flag for each name: it matches a LIKE pattern."""
    if len(pattern) > PATTERN_LENGTH_MAX:
        raise DatabaseError(
            ErrorKind.INVALID, f"a filter pattern may have at most {PATTERN_LENGTH_MAX} characters, not {len(pattern)}"
        )
    return pc.match_substring_regex(names, _regex(pattern))


def _same(name: str | None, wanted: str | None) -> bool:
    """Compare a name with a filter: no filter takes all, an empty one takes what has no name."""
    return wanted is None or (name or "") == wanted


def _absent_first(name: str | None) -> tuple[bool, str]:
    return name is not None, name or ""


def _like(items: list[T], names: Sequence[str], pattern: str | None) -> list[T]:
    """Keep the items whose name matches a LIKE pattern; None keeps all."""
    if pattern is None:
        return items
    return [item for item, match in zip(items, like(pa.array(names, pa.utf8()), pattern), strict=True) if match.as_py()]


def _regex(pattern: str) -> str:
    """A LIKE pattern as a regular expression of RE2, whose matching time is linear.

    Arrow's own LIKE takes an escaped backslash at the end of a pattern for two. A lone backslash there is itself.
    """
    pieces = []
    letters = iter(pattern)
    for letter in letters:
        if letter == "\\":
            pieces.append(re.escape(next(letters, "\\")))
        else:
            pieces.append(_WILDCARDS.get(letter) or re.escape(letter))
    return f"(?s)^{''.join(pieces)}$"
