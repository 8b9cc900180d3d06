"""What stands in the brackets of CREATE TABLE: columns, keys, constraints, LIKE; and what they must be together."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from catalog.definition import CheckSpec, ColumnSpec, Default, TableKind, UniqueSpec
from catalog.errors import DatabaseError, ErrorKind
from catalog.types import format_type, is_nested
from flightserver.sql.columns import constraint_name, key_constraint, read_column, unique_constraint
from flightserver.sql.lifetimes import base_options
from flightserver.sql.options import bloom_column_names, parse_options
from flightserver.sql.row_conditions import read_check
from flightserver.sql.statements import TableRef
from flightserver.sql.table_statements import Copied, CreateTable, Likeness
from flightserver.sql.text.cursor import Cursor
from flightserver.sql.text.queries import QueryReader


@dataclass(frozen=True)
class Kind:
    """Whose rows a table has, and whether it keeps them for a while only. `is_said`: the statement says so."""

    of_rows: TableKind
    is_stream: bool = False
    is_said: bool = True


@dataclass
class Elements:
    """What the list of columns and constraints of one CREATE TABLE has brought so far."""

    columns: list[ColumnSpec | Likeness] = field(default_factory=list)
    keys: list[tuple[str, ...]] = field(default_factory=list)
    checks: list[CheckSpec] = field(default_factory=list)
    uniques: list[UniqueSpec] = field(default_factory=list)

    @property
    def specs(self) -> list[ColumnSpec]:
        """The columns that are written out."""
        return [column for column in self.columns if isinstance(column, ColumnSpec)]

    @property
    def has_likeness(self) -> bool:
        """Tell whether columns are those of another table."""
        return len(self.specs) < len(self.columns)


def read_element(cursor: QueryReader, elements: Elements) -> None:
    """Read one of what stands between the commas."""
    name = constraint_name(cursor)
    if name is None and cursor.accept("LIKE"):
        elements.columns.append(_likeness(cursor))
    elif cursor.at("CHECK", "("):
        cursor.next()
        elements.checks.append(read_check(cursor, name))
    elif unique := unique_constraint(cursor, name):
        elements.uniques.append(unique)
    elif key := key_constraint(cursor, is_named=name is not None):
        elements.keys.append(key)
    else:
        column = read_column(cursor)
        elements.columns.append(column.spec)
        elements.checks += column.checks
        elements.uniques += column.uniques
        if column.is_key:
            elements.keys.append((column.spec.name,))


def read_whole(cursor: Cursor) -> Likeness:
    """Read what follows LIKE without brackets: a table, all of which is copied."""
    return Likeness(cursor.table(), frozenset(Copied))


def _likeness(cursor: Cursor) -> Likeness:
    """Read what follows LIKE in brackets: `t [INCLUDING | EXCLUDING what] …`."""
    table, copied = cursor.table(), frozenset[Copied]()
    while cursor.at_any("INCLUDING", "EXCLUDING"):
        is_wanted = cursor.next().key == "INCLUDING"
        what = _what_is_copied(cursor)
        copied = copied | what if is_wanted else copied - what
    return Likeness(table, copied)


def _what_is_copied(cursor: Cursor) -> frozenset[Copied]:
    for what in _COPIED_IN_BRACKETS:
        if cursor.accept(what.name):
            return frozenset({what})
    if cursor.accept("ALL"):
        return frozenset(_COPIED_IN_BRACKETS)
    known = ", ".join(what.name for what in _COPIED_IN_BRACKETS)
    raise cursor.unsupported(
        f"expected ALL, {known}, found {cursor.found()}; options are copied by LIKE without brackets"
    )


_COPIED_IN_BRACKETS = (Copied.DEFAULTS, Copied.CONSTRAINTS, Copied.INDEXES, Copied.COMMENTS)


def only_key(keys: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The one key of a table, or none; INVALID for more."""
    if len(keys) > 1:
        raise _invalid("a table has one primary key; for a key of several columns write PRIMARY KEY (a, b)")
    return keys[0] if keys else ()


def checked_table(
    table: TableRef,
    kind: Kind,
    if_not_exists: bool,
    elements: Elements,
    key: tuple[str, ...],
    options: Mapping[str, str],
) -> CreateTable:
    """A table from elements that are all written out; INVALID where they do not fit each other."""
    columns = elements.specs
    refuse_repeated([column.name for column in columns], "column")
    refuse_repeated(key, "key column")
    by_name = {column.name: column for column in columns}
    for name in key:
        _check_indexable(by_name, name, "a key")
    base = base_options(is_stream=kind.is_stream)
    parse_options(options, {name: place for place, name in enumerate(by_name)}, base)
    for name in bloom_column_names(options.get("bloom_columns", "")):
        _check_indexable(by_name, name, "a bloom filter")
    for name in key:
        if by_name[name].default == Default(literal="NULL"):
            raise _invalid(f"key column {name!r} cannot have DEFAULT NULL")
    specs = tuple(replace(column, nullable=column.nullable and column.name not in key) for column in columns)
    return CreateTable(
        *(table, kind.of_rows, if_not_exists, specs, key, options),
        is_stream=kind.is_stream,
        checks=tuple(elements.checks),
        uniques=tuple(elements.uniques),
    )


def refuse_repeated(names: Collection[str], what: str) -> None:
    """Raise INVALID for a name that stands there twice."""
    name, count = Counter(names).most_common(1)[0] if names else ("", 0)
    if count > 1:
        raise _invalid(f"{what} {name!r} is named twice")


def _check_indexable(columns: Mapping[str, ColumnSpec], name: str, what: str) -> None:
    column = columns.get(name)
    if column is None:
        raise _invalid(f"there is no column {name!r} for {what}; the columns are {', '.join(columns)}")
    if is_nested(column.type):
        raise _invalid(f"column {name!r} of type {format_type(column.type)} cannot be part of {what}")


def _invalid(message: str) -> DatabaseError:
    return DatabaseError(ErrorKind.INVALID, message)
