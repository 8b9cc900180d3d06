"""Making and changing table definitions: pure functions from a definition to the next one.

A table without a key gets the hidden column `_row` (BIGINT, filled from the sequence), which makes every row distinct.
"""

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from catalog.definition import (
    HIDDEN_KEY_COLUMN,
    SYSTEM_COLUMNS,
    Column,
    ColumnSpec,
    Default,
    DefaultFunction,
    TableDef,
    TableKind,
    TableOptions,
)
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName, check_name
from catalog.types import keeps_values

COLUMNS_MAX = 2000


def create_table(
    table_id: int,
    name: TableName,
    kind: TableKind,
    columns: Sequence[ColumnSpec],
    key: Sequence[str],
    options: TableOptions | None = None,
) -> TableDef:
    """Define a new table. `key` names the key columns in key order; empty: a hidden key, as a STREAM table must have.

    It is nobody's yet.
    """
    if key and options is not None and options.stream is not None:
        raise DatabaseError(
            ErrorKind.INVALID, f"rows of a STREAM table are only appended, so {name} has no PRIMARY KEY; leave it out"
        )
    check_name("table", name.table)
    table = TableDef(
        id=table_id,
        name=name,
        kind=kind,
        version=0,
        columns=(),
        key=(),
        next_column_id=1,
        options=options or TableOptions(),
    )
    if not key:
        hidden = ColumnSpec(HIDDEN_KEY_COLUMN, pa.int64(), False, Default(DefaultFunction.SNOWFLAKE_ID))
        table = _append_column(table, hidden, in_key=True)
    for spec in columns:
        _require_free(table, spec.name)
        table = _append_column(table, spec, in_key=spec.name in key)
    ids = tuple(table.column(column).id for column in key) or (table.columns[0].id,)
    if len(set(ids)) != len(ids):
        raise DatabaseError(ErrorKind.INVALID, f"PRIMARY KEY of {name} names a column twice")
    for column_id in ids:
        require_comparable(table, table.by_id[column_id])
    return replace(table, key=ids, version=1, columns=tuple(replace(c, added=1) for c in table.columns))


def add_column(table: TableDef, spec: ColumnSpec) -> TableDef:
    """Add a column. Rows that exist read its literal default, or NULL."""
    if spec.default is not None and spec.default.function is not None:
        raise DatabaseError(
            ErrorKind.UNSUPPORTED,
            f"column {spec.name}: ADD COLUMN takes a literal DEFAULT, rows that exist cannot get {spec.default}",
        )
    if not spec.nullable and spec.default is None:
        raise DatabaseError(
            ErrorKind.INVALID,
            f"column {spec.name}: NOT NULL needs a DEFAULT, because the table's rows have no value yet",
        )
    _require_free(table, spec.name)
    return replace(_append_column(table, spec, in_key=False), version=table.version + 1)


def drop_column(table: TableDef, name: str) -> TableDef:
    """Drop a column that is not in the key. Its values stay in old files, unread, until they are rewritten."""
    column = table.column(name)
    if column.id in table.key:
        raise DatabaseError(
            ErrorKind.INVALID, f"column {name} is in the primary key of {table.name} and cannot be dropped"
        )
    if table.options.retention is not None and table.options.retention.column == column.id:
        raise DatabaseError(
            ErrorKind.INVALID, f"column {name} is the retention_column of {table.name}; change that first"
        )
    if len(table.visible_columns) == 1:
        raise DatabaseError(ErrorKind.INVALID, f"column {name} is the only one of {table.name} and cannot be dropped")
    named = next((unique for unique in table.uniques if column.id in unique.columns), None)
    if named is not None:
        raise DatabaseError(ErrorKind.INVALID, f"column {name} is used by constraint {named.name}; drop that first")
    blooms = tuple(column_id for column_id in table.options.bloom_columns if column_id != column.id)
    return replace(
        table,
        version=table.version + 1,
        columns=tuple(c for c in table.columns if c.id != column.id),
        options=replace(table.options, bloom_columns=blooms),
    )


def rename_column(table: TableDef, old: str, new: str) -> TableDef:
    """Rename a column; files keep its physical name. The hidden key keeps its name, too."""
    column = table.column(old)
    if old in SYSTEM_COLUMNS:
        raise DatabaseError(ErrorKind.INVALID, f"column {old} of {table.name} cannot be renamed")
    _require_free(table, new)
    return replace(
        table,
        version=table.version + 1,
        columns=tuple(replace(c, name=new) if c.id == column.id else c for c in table.columns),
    )


def set_default(table: TableDef, name: str, default: Default | None) -> TableDef:
    """Give a column another DEFAULT, or none, for rows to come."""
    return _with_column(table, replace(_user_column(table, name), default=default))


def set_nullable(table: TableDef, name: str, *, nullable: bool) -> TableDef:
    """Let a column take NULL, or not; whether a row holds NULL is not looked at. The key's columns never do."""
    column = _user_column(table, name)
    if column.id in table.key and nullable:
        raise DatabaseError(ErrorKind.INVALID, f"column {name} is in the key of {table.name} and stays NOT NULL")
    return _with_column(table, replace(column, nullable=nullable, held_null=column.stores_null))


def set_type(table: TableDef, name: str, data_type: pa.DataType) -> TableDef:
    """Put a column of another type in the place of one that is not in the key.

    To files it is a new one, so that no reader takes what they have for it. Every live row has yet to get its value.
    Where every value is stored as it was, it is the same column, in the key too.
    """
    old = _user_column(table, name)
    if keeps_values(old.type, data_type):
        return _with_column(table, replace(old, type=data_type))
    if old.id in table.key:
        raise DatabaseError(ErrorKind.UNSUPPORTED, f"column {name} is in the key of {table.name} and keeps its type")
    physical, new_id = _free_physical(table, name), table.next_column_id
    new = replace(old, id=new_id, physical=physical, type=data_type, added=table.version + 1, before=None)
    new = replace(new, held_null=True)
    ids = {old.id: new_id}
    uniques = tuple(replace(one, columns=tuple(ids.get(c, c) for c in one.columns)) for one in table.uniques)
    if any(new_id in unique.columns for unique in uniques) or old.id in table.options.bloom_columns:
        require_comparable(table, new, "UNIQUE, or have a bloom filter")
    retention = table.options.retention
    if retention is not None and retention.column == old.id:
        raise DatabaseError(
            ErrorKind.INVALID, f"column {name} is the retention_column of {table.name}; change that first"
        )
    blooms = tuple(ids.get(column_id, column_id) for column_id in table.options.bloom_columns)
    return replace(
        table,
        version=table.version + 1,
        columns=tuple(new if column.id == old.id else column for column in table.columns),
        uniques=uniques,
        options=replace(table.options, bloom_columns=blooms),
        next_column_id=new_id + 1,
        used_physical=table.used_physical | {physical},
    )


def rename_table(table: TableDef, new: str) -> TableDef:
    """Give a table another name in its namespace. Its id and its folder stay."""
    check_name("table", new)
    return replace(table, name=TableName(table.name.namespace, new), made_as=table.stored_as, version=table.version + 1)


def set_comment(table: TableDef, column: str | None, comment: str) -> TableDef:
    """Say something about a table, or about a column."""
    if column is None:
        return replace(table, comment=comment, version=table.version + 1)
    return _with_column(table, replace(_user_column(table, column), comment=comment))


def _user_column(table: TableDef, name: str) -> Column:
    """A column that users may change."""
    column = table.column(name)
    if name in SYSTEM_COLUMNS:
        raise DatabaseError(ErrorKind.INVALID, f"column {name} of {table.name} cannot be changed")
    return column


def _with_column(table: TableDef, column: Column) -> TableDef:
    """The next version, with a column in the place of the one that has its id."""
    columns = tuple(column if there.id == column.id else there for there in table.columns)
    return replace(table, columns=columns, version=table.version + 1)


def set_options(table: TableDef, options: TableOptions) -> TableDef:
    """Change storage options; they hold for batches written from now on."""
    return replace(table, version=table.version + 1, options=options)


def _free_physical(table: TableDef, name: str) -> str:
    """What files call a new column, which none of them has."""
    while name in table.used_physical:
        name = f"{name}#{table.next_column_id}"
    return name


def _append_column(table: TableDef, spec: ColumnSpec, *, in_key: bool) -> TableDef:
    if len(table.columns) >= COLUMNS_MAX:
        hidden = ", with the hidden key that it has without a PRIMARY KEY" if HIDDEN_KEY_COLUMN in table.by_name else ""
        raise DatabaseError(ErrorKind.INVALID, f"table {table.name} has more than {COLUMNS_MAX} columns{hidden}")
    physical = _free_physical(table, spec.name)
    column = Column(
        id=table.next_column_id,
        name=spec.name,
        physical=physical,
        type=spec.type,
        nullable=spec.nullable and not in_key,
        default=spec.default,
        added=table.version + 1,
        before=spec.default.literal if spec.default else None,
        comment=spec.comment,
    )
    return replace(
        table,
        columns=(*table.columns, column),
        next_column_id=table.next_column_id + 1,
        used_physical=table.used_physical | {physical},
    )


def _require_free(table: TableDef, name: str) -> None:
    check_name("column", name)
    if name in SYSTEM_COLUMNS:
        raise DatabaseError(ErrorKind.INVALID, f"column name {name} is reserved")
    if name in table.by_name:
        raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"table {table.name} has a column {name} already")


def require_comparable(table: TableDef, column: Column, what: str = "in the key") -> None:
    """Raise INVALID for a column whose values cannot be told apart by the means that keys have."""
    if pa.types.is_nested(column.type) or pa.types.is_float16(column.type):
        raise DatabaseError(
            ErrorKind.INVALID, f"column {column.name} of {table.name} cannot be {what}: its type is {column.type}"
        )
