"""Constraints of a table, put into its definition and taken out of it: pure functions from one definition to the next.

All constraints of a table have names, each its own. Whether rows satisfy them is not looked at here.
"""

from collections.abc import Collection
from dataclasses import replace
from itertools import chain, count

from catalog.definition import HIDDEN_KEY_COLUMN, Check, CheckSpec, TableDef, Unique, UniqueSpec
from catalog.errors import DatabaseError, ErrorKind
from catalog.evolution import require_comparable
from catalog.identifiers import check_name

CONSTRAINTS_MAX = 100


def constraint_names(table: TableDef) -> frozenset[str]:
    """The names of a table's constraints."""
    return frozenset([*(check.name for check in table.checks), *(unique.name for unique in table.uniques)])


def add_check(table: TableDef, spec: CheckSpec) -> TableDef:
    """Add a CHECK; whether its condition can be asked is not looked at."""
    name = _own_name(table, spec.name, [spec.column] if spec.column else [], "check")
    return replace(table, version=table.version + 1, checks=(*table.checks, Check(name, spec.condition)))


def add_unique(table: TableDef, spec: UniqueSpec) -> TableDef:
    """Add a UNIQUE. Rows of a STREAM table are only appended, and have none."""
    if table.is_stream:
        raise DatabaseError(
            ErrorKind.UNSUPPORTED, f"rows of a STREAM table are only appended; {table.name} has no UNIQUE"
        )
    name = _own_name(table, spec.name, spec.columns, "key")
    columns = [table.column(column) for column in spec.columns]
    if len(set(spec.columns)) < len(columns) or HIDDEN_KEY_COLUMN in spec.columns:
        raise DatabaseError(ErrorKind.INVALID, f"UNIQUE of {table.name} names a column twice, or one that is hidden")
    for column in columns:
        require_comparable(table, column, "UNIQUE")
    unique = Unique(name, tuple(column.id for column in columns))
    return replace(table, version=table.version + 1, uniques=(*table.uniques, unique))


def drop_constraint(table: TableDef, name: str) -> TableDef:
    """Drop a CHECK or a UNIQUE."""
    if name not in constraint_names(table):
        raise DatabaseError(ErrorKind.NOT_FOUND, f"table {table.name} has no constraint {name}")
    checks = tuple(check for check in table.checks if check.name != name)
    uniques = tuple(unique for unique in table.uniques if unique.name != name)
    return replace(table, version=table.version + 1, checks=checks, uniques=uniques)


def _own_name(table: TableDef, given: str | None, columns: Collection[str], kind: str) -> str:
    """The name of a new constraint: the one that is given, or one after table, columns and kind."""
    taken = constraint_names(table)
    name = given or _free_name(taken, "_".join([table.name.table, *columns, kind]))
    check_name("constraint", name)
    if name in taken:
        raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"table {table.name} has a constraint {name} already")
    if len(taken) >= CONSTRAINTS_MAX:
        raise DatabaseError(ErrorKind.INVALID, f"table {table.name} has more than {CONSTRAINTS_MAX} constraints")
    return name


def _free_name(taken: Collection[str], wanted: str) -> str:
    """The name itself, or with the first number that makes it another."""
    names = chain([wanted], (f"{wanted}{number}" for number in count(1)))
    return next(name for name in names if name not in taken)
