"""CREATE TABLE LIKE, written out: the columns of other tables in the place of LIKE, with what was to be copied."""

from collections.abc import Mapping
from dataclasses import replace

from catalog.definition import CheckSpec, Column, ColumnSpec, TableDef, TableKind, UniqueSpec
from catalog.errors import DatabaseError, ErrorKind
from flightserver.sql.rendering import option_values
from flightserver.sql.statements import TableRef
from flightserver.sql.table_elements import Elements, Kind, checked_table, only_key
from flightserver.sql.table_statements import Copied, CreateTable, CreateTableLike, Likeness


def written_out(statement: CreateTableLike, tables: Mapping[TableRef, TableDef]) -> CreateTable:
    """The statement without LIKE, by the definitions of the tables that it names; INVALID where they do not fit."""
    elements = Elements(keys=list(statement.keys), checks=list(statement.checks), uniques=list(statement.uniques))
    kind = Kind(statement.kind or TableKind.SHARED, statement.is_stream)
    options, comment = dict(statement.options), ""
    for column in statement.columns:
        if isinstance(column, ColumnSpec):
            elements.columns.append(column)
            continue
        source = tables[column.table]
        _copy(elements, source, column)
        if Copied.WHOLE in column.copied:
            kind = _kind_of(statement, source)
            options, comment = option_values(source) | options, source.comment
    try:
        made = checked_table(
            *(statement.table, kind, statement.if_not_exists, elements, only_key(elements.keys), options),
        )
    except DatabaseError as error:
        raise DatabaseError(error.kind, f"table {statement.table}: {error.message}") from None
    return replace(made, temporary=statement.temporary, comment=comment, or_replace=statement.or_replace)


def _kind_of(statement: CreateTableLike, source: TableDef) -> Kind:
    """The kind that a copy has: what the statement says, or that of the table. What a session has is its own."""
    if statement.temporary and source.is_stream:
        raise DatabaseError(
            ErrorKind.UNSUPPORTED, f"a temporary table is no STREAM; write (LIKE {source.name}) for its columns alone"
        )
    if statement.kind is not None:
        return Kind(statement.kind, statement.is_stream)
    return Kind(TableKind.SHARED if statement.temporary else source.kind, source.is_stream)


def _copy(elements: Elements, source: TableDef, likeness: Likeness) -> None:
    copied = likeness.copied
    elements.columns += [_spec(column, likeness) for column in source.visible_columns]
    if Copied.CONSTRAINTS in copied:
        proven = (check for check in source.checks if check.name not in source.unproven)
        elements.checks += [CheckSpec(check.name, check.condition) for check in proven]
    if Copied.INDEXES in copied:
        if not source.has_hidden_key:
            elements.keys.append(tuple(column.name for column in source.key_columns))
        uniques = (unique for unique in source.uniques if unique.name not in source.unproven)
        names = (tuple(column.name for column in source.columns_of(unique)) for unique in uniques)
        elements.uniques += [UniqueSpec(None, of_one) for of_one in names]


def _spec(column: Column, likeness: Likeness) -> ColumnSpec:
    default = column.default if Copied.DEFAULTS in likeness.copied else None
    comment = column.comment if Copied.COMMENTS in likeness.copied else ""
    return ColumnSpec(column.name, column.type, column.nullable, default, comment)
