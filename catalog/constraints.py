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
from catalog.registry import Registry

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
    return without_constraints(table, {name})


def without_constraints(table: TableDef, names: Collection[str]) -> TableDef:
    """A table without some constraints, which it may not have any more."""
    return replace(
        table,
        version=table.version + 1,
        checks=tuple(check for check in table.checks if check.name not in names),
        uniques=tuple(unique for unique in table.uniques if unique.name not in names),
        unproven=table.unproven.difference(names),
    )


def add_unproven(table: TableDef, checks: Collection[Check], uniques: Collection[Unique]) -> TableDef:
    """Hold rows that come in against constraints, while nobody knows whether those that are there satisfy them."""
    names = [*(check.name for check in checks), *(unique.name for unique in uniques)]
    taken = constraint_names(table).intersection(names)
    if taken:
        message = f"somebody else looks at the rows of {table.name} for {min(taken)} now; try again later"
        raise DatabaseError(ErrorKind.CONFLICT, message)
    return replace(
        table,
        version=table.version + 1,
        checks=(*table.checks, *checks),
        uniques=(*table.uniques, *uniques),
        unproven=table.unproven.union(names),
    )


def all_proven(registry: Registry) -> Registry:
    """Definitions without constraints that nobody knows rows to satisfy."""
    for table in [table for table in registry.tables.values() if table.unproven]:
        registry = registry.with_table(without_constraints(table, table.unproven))
    return registry


def taken_back(registry: Registry, table_id: int, names: Collection[str]) -> Registry:
    """Definitions in which a table, if it is there, lacks those of some constraints that are unproven."""
    table = registry.table_of(table_id)
    unproven = frozenset() if table is None else table.unproven.intersection(names)
    return registry if table is None or not unproven else registry.with_table(without_constraints(table, unproven))


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
