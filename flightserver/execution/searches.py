"""Searches by key: which rows of a table are meant by conditions on its key and other columns, and those rows.

A search is decided once for a definition; what it asks for are the values of one statement. Whatever is unusual, a
value that the engine would convert, more keys than a few, is None: then the engine is to look.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import product, takewhile
from math import prod

import pyarrow as pa
import pyarrow.compute as pc

from catalog.definition import Column, TableDef
from flightserver.execution.key_values import Native, Parameters, native_of
from flightserver.sql.meaning.lookups import Bound, Condition, Value, value_of
from flightserver.sql.text.query_text import QueryText
from providers.lookup import NO_KEYS, Edge, FoundRows, StoredRows
from providers.rows.keys import Keys

KEYS_MAX = 1_000
"""More keys in one look-up are a scan's."""


@dataclass(frozen=True)
class Search:
    """Which rows of a table, by one definition of it, and what is read of them.

    `key` has the values of the key's first columns, of all when it `is_whole`; `rest` is what else rows must satisfy.
    """

    read: tuple[Column, ...]
    key: tuple[tuple[Column, tuple[Value, ...]], ...]
    is_whole: bool
    rest: tuple[Condition, ...]

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each column is among those that are read."""
        return {column.name: place for place, column in reversed(list(enumerate(self.read)))}


@dataclass(frozen=True)
class Asked:
    """The values of one run of a plan, of its key and its other conditions, and how many rows are wanted."""

    key: tuple[list[Native], ...]
    rest: tuple[list[Native], ...]
    limit: int | None
    offset: int

    @property
    def last(self) -> int | None:
        """How many rows are needed before the first are left out."""
        return None if self.limit is None else self.offset + self.limit


def asked_of(
    search: Search, text: QueryText, parameters: Parameters, limit: Value | None = None, offset: Value | None = None
) -> Asked | None:
    """What is asked for; None where the storage does not have all values as they are meant."""

    def natives(column: Column, values: Sequence[Value]) -> list[Native]:
        found = [native_of(column, value, text, parameters) for value in values]
        if None in found:
            raise _NotPlainError
        return [native for native in found if native is not None]

    def count(value: Value) -> int:
        (found,) = natives(_COUNT, [value])
        if not isinstance(found, int) or found < 0:
            raise _NotPlainError
        return found

    try:
        return Asked(
            tuple(natives(column, values) for column, values in search.key),
            tuple(natives(search.read[search.places[c.column]], c.values) for c in search.rest),
            None if limit is None else count(limit),
            0 if offset is None else count(offset),
        )
    except _NotPlainError:
        return None


class _NotPlainError(Exception):
    """A value is not one that the storage has."""


_COUNT = Column(-1, "", "", pa.int64(), nullable=False, default=None, added=0)
"""What LIMIT and OFFSET say is a whole number, like the values of such a column."""


def assigned_values(column: Column, expression: QueryText, parameters: Parameters, rows: int) -> pa.Array | None:
    """What SET gives a column of some rows by a constant or a parameter; None where the engine is to compute it."""
    value = value_of(expression)
    if isinstance(value, Bound):
        scalar = parameters.get(str(value.number))
        return None if scalar is None or pa.types.is_nested(scalar.type) else pa.repeat(scalar, rows)
    if value is None:
        return None
    if value.kind == "null":
        return pa.nulls(rows)
    native = native_of(column, value, expression, parameters)
    return None if native is None else pa.array([native] * rows, column.storage)


def search_of(table: TableDef, names: Sequence[str], conditions: Sequence[Condition]) -> Search | None:
    """How rows that satisfy all conditions are found by key, and columns read; None where the engine is to look."""
    visible = {column.name: column for column in table.visible_columns}
    used = [*names, *(condition.column for condition in conditions)]
    if not visible.keys() >= set(used):
        return None
    key = _key_of(conditions, table)
    rest = tuple(c for c in conditions if all(c is not taken for taken in key))
    if not key or not all(_is_checked_here(c, visible[c.column].storage) for c in rest):
        return None
    extra = dict.fromkeys(name for name in used[len(names) :] if name not in names)
    return Search(
        tuple(visible[name] for name in (*names, *extra)),
        tuple((visible[c.column], c.values) for c in key),
        is_whole=len(key) == len(table.key),
        rest=rest,
    )


def _key_of(conditions: Sequence[Condition], table: TableDef) -> list[Condition]:
    """The conditions that say the key, or the values of its first columns: one value each, where it is not whole."""
    found: list[Condition] = []
    for column in table.key_columns:
        equal = (c for c in conditions if c.column == column.name and c.operator in {"=", "IN"})
        condition = next(equal, None)
        if condition is None:
            break
        found.append(condition)
    if len(found) == len(table.key):
        return found
    return list(takewhile(lambda condition: condition.operator == "=", found))


def has_one_order(data_type: pa.DataType) -> bool:
    """Tell whether Arrow orders values of a type as the engine does: of floats and nested values it does not."""
    return not pa.types.is_floating(data_type) and not pa.types.is_nested(data_type)


def _is_checked_here(condition: Condition, data_type: pa.DataType) -> bool:
    """Tell whether Arrow finds the same of a condition as the engine does."""
    if not condition.values:
        return True
    if pa.types.is_float64(data_type):
        return condition.operator in {"=", "<>", "IN"}
    return has_one_order(data_type)


def found_rows(search: Search, asked: Asked, is_descending: bool | None, stored: StoredRows) -> FoundRows | None:
    """The rows that have the key, and satisfy the other conditions."""
    found = _with_key(search, asked, is_descending, stored)
    if found is None or not search.rest:
        return found
    mask = _kept(search, asked, found.columns)
    return FoundRows([column.filter(mask) for column in found.columns], NO_KEYS, found.pruned)


def _with_key(search: Search, asked: Asked, is_descending: bool | None, stored: StoredRows) -> FoundRows | None:
    types = [column.storage for column, _ in search.key]
    if not search.is_whole:
        values = [pa.scalar(natives[0], data_type) for natives, data_type in zip(asked.key, types, strict=True)]
        edge = None if is_descending is None or asked.last is None else Edge(asked.last, is_descending)
        return stored.by_part(values, edge)
    if all(len(natives) == 1 for natives in asked.key):
        columns = [pa.array(natives, data_type) for natives, data_type in zip(asked.key, types, strict=True)]
    else:
        if prod(map(len, asked.key)) > KEYS_MAX:
            return None
        keys = zip(*dict.fromkeys(product(*asked.key)), strict=True)
        columns = [pa.array(natives, data_type) for natives, data_type in zip(keys, types, strict=True)]
    return stored.by_key(Keys.of(columns))


def _kept(search: Search, asked: Asked, columns: Sequence[pa.Array]) -> pa.Array:
    """Which rows satisfy the conditions that are not the key's. What is not known is not satisfied."""
    masks = []
    for condition, natives in zip(search.rest, asked.rest, strict=True):
        place = search.places[condition.column]
        masks.append(_CHECKS[condition.operator](columns[place], pa.array(natives, search.read[place].storage)))
    return reduce(pc.and_, masks)


_CHECKS: Mapping[str, Callable[[pa.Array, pa.Array], pa.Array]] = {
    "=": lambda column, values: pc.equal(column, values[0]),
    "<>": lambda column, values: pc.not_equal(column, values[0]),
    "<": lambda column, values: pc.less(column, values[0]),
    "<=": lambda column, values: pc.less_equal(column, values[0]),
    ">": lambda column, values: pc.greater(column, values[0]),
    ">=": lambda column, values: pc.greater_equal(column, values[0]),
    "IN": lambda column, values: pc.and_(pc.is_in(column, values), column.is_valid()),
    "IS NULL": lambda column, _: column.is_null(),
    "IS NOT NULL": lambda column, _: column.is_valid(),
}
