"""Look-ups by key that never reach the engine: what is asked of the storage, and the result as the engine has it.

Whether a statement is such a one is decided once for each shape of text (`sql/text/shapes.py`), and once more for each
definition of its table: then the engine describes it, so that the result has the engine's schema to the letter. From
then on, a statement of that shape is a look-up of its values. Whatever is unusual, a value that the engine would
convert, more rows than a few, a file that is better read by pages, is left to the engine.

A look-up reads when it is planned. Its rows are few, have memory of their own, and keep no snapshot.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.definition import Column, TableDef
from catalog.errors import DatabaseError
from catalog.grants import Privilege
from catalog.identifiers import CATALOG_NAME
from flightserver.access.rights import Use
from flightserver.access.row_rules import rule_on_rows
from flightserver.context import Context
from flightserver.execution.key_values import Parameters
from flightserver.execution.rows import Rows, client_type
from flightserver.execution.searches import Asked, Search, asked_of, found_rows, has_one_order, search_of
from flightserver.sql.meaning.lookups import (
    Bound,
    Lookup,
    Ordering,
    Value,
    conditions_of,
    lookup_of,
)
from flightserver.sql.statements import TableRef
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.shapes import Shape, shape_of
from providers.cold.files import ColdFiles
from providers.engine.export import in_schema
from providers.engine.relations import engine_type
from providers.lookup import ROWS_MAX, FoundRows, StoredRows
from providers.lru import ByteBoundedCache
from providers.rows.keys import Keys
from providers.snapshot import Snapshot

SHAPES_BYTES, PLANS_BYTES = 8 << 20, 8 << 20
TOKEN_BYTES, COLUMN_BYTES = 64, 512
"""About what is kept of a shape for each token, and of a plan for each column."""

NO_PARAMETERS: Parameters = {}

Describe = Callable[[QueryText, Context], "Described"]
"""Asks the engine what a query takes and returns."""


@dataclass(frozen=True)
class Described:
    """The schemas of a query's parameters and of its result."""

    parameters: pa.Schema
    result: pa.Schema


@dataclass(frozen=True)
class _Shaped:
    """What a shape asks, None for what is no look-up."""

    lookup: Lookup | None


@dataclass(frozen=True)
class _Plan:
    """A look-up in one definition of its table.

    Its search reads the selected columns first, and then those that conditions and order need. The first or the last
    rows by key are enough where `order` follows the key; `is_descending` is None where it does not.
    """

    described: Described
    search: Search
    is_stored_schema: bool
    order: tuple[Ordering, ...]
    is_descending: bool | None
    limit: Value | None
    offset: Value | None


@dataclass(frozen=True)
class _Planned:
    """The plan for a definition, None where the engine is to look."""

    table: TableDef
    plan: _Plan | None


@dataclass(frozen=True)
class _Searched:
    """How a change finds its rows, None where the engine does."""

    table: TableDef
    search: Search | None


class DirectReads:
    """Answers look-ups."""

    def __init__(self, files: ColdFiles, describe: Describe) -> None:
        self._files = files
        self._describe = describe
        self._shapes: ByteBoundedCache[Shape, _Shaped] = ByteBoundedCache(SHAPES_BYTES)
        self._plans: ByteBoundedCache[tuple[Shape, int], _Planned] = ByteBoundedCache(PLANS_BYTES)
        self._searches: ByteBoundedCache[tuple[Shape, int], _Searched] = ByteBoundedCache(PLANS_BYTES)

    def describe(self, text: QueryText, context: Context) -> Described | None:
        """What a look-up takes and returns; None for a statement that the engine is to run."""
        found = self._planned(text, context)
        return None if found is None else found[1].described

    def rows(self, text: QueryText, context: Context, parameters: Parameters = NO_PARAMETERS) -> Rows | None:
        """The result of a look-up; None for a statement that the engine is to run."""
        found = self._planned(text, context)
        if found is None:
            return None
        table, plan = found
        asked = asked_of(plan.search, text, parameters, plan.limit, plan.offset)
        if asked is None:
            return None
        (snapshot,) = context.snapshots([table])
        if snapshot.table.columns is not table.columns:  # another owner changes the definition, and no row
            return None
        try:
            result = found_rows(
                plan.search,
                asked,
                plan.is_descending,
                StoredRows(snapshot, plan.search.read, self._files, context.stop),
            )
        except (DatabaseError, OSError, pa.ArrowException):  # the engine finds out what is wrong with a file
            return None
        if result is None:
            return None
        if context.statement is not None:
            context.statement.note_pruning([result.pruned])
        return _as_rows(plan, asked, result)

    def each(self, text: QueryText, context: Context, bound: pa.Table) -> Rows | None:
        """The results of a look-up of whole keys for some rows of parameters, one behind another; read at once."""
        found = self._planned(text, context)
        if found is None:
            return None
        table, plan = found
        columns = _key_columns(plan, bound)
        if columns is None:
            return None
        (snapshot,) = context.snapshots([table])
        if snapshot.table.columns is not table.columns:  # another owner changes the definition, and no row
            return None
        try:
            result = StoredRows(snapshot, plan.search.read, self._files, context.stop).by_key(Keys.of(columns))
        except (DatabaseError, OSError, pa.ArrowException):
            return None
        if result is None:
            return None
        if context.statement is not None:
            context.statement.note_pruning([result.pruned])
        order = pa.array(np.argsort(result.keys, kind="stable"))
        return _rows_of(plan, [column.take(order) for column in result.columns])

    def of_change(
        self, where: QueryText, called: str, snapshot: Snapshot, parameters: Parameters
    ) -> Mapping[str, pa.Array] | None:
        """All columns by name of the rows of a snapshot that satisfy a condition on their key; None for the engine.

        The table is `called` so in the condition.
        """
        search = self._searched(where, called, snapshot.table)
        asked = None if search is None else asked_of(search, where, parameters)
        if search is None or asked is None:
            return None
        try:
            found = found_rows(search, asked, None, StoredRows(snapshot, search.read, self._files))
        except (DatabaseError, OSError, pa.ArrowException):
            return None
        if found is None:
            return None
        return {column.name: values for column, values in zip(search.read, found.columns, strict=True)}

    def types_of_change(self, where: QueryText, called: str, table: TableDef) -> dict[int, pa.DataType] | None:
        """The types of the parameters in a condition on a table's key; None where the engine is to look at it."""
        search = self._searched(where, called, table)
        if search is None:
            return None
        compared = [*search.key, *((search.read[search.places[c.column]], c.values) for c in search.rest)]
        return {
            value.number: column.storage for column, values in compared for value in values if isinstance(value, Bound)
        }

    def _searched(self, where: QueryText, called: str, table: TableDef) -> Search | None:
        """How a change finds its rows by their whole keys."""
        shape = (called, *shape_of(where))
        known = self._searches.find((shape, id(table)))
        if known is None or known.table is not table:
            conditions = conditions_of(where, called)
            names = [column.name for column in table.visible_columns]
            search = None if conditions is None else search_of(table, names, conditions)
            known = _Searched(table, search if search is not None and search.is_whole else None)
            self._searches.put((shape, id(table)), known, TOKEN_BYTES * len(shape) + COLUMN_BYTES * len(names))
        return known.search

    def _planned(self, text: QueryText, context: Context) -> tuple[TableDef, _Plan] | None:
        """The table that a look-up reads, and how."""
        shape = shape_of(text)
        shaped = self._shapes.get(shape, lambda: _Shaped(lookup_of(text)), lambda _: TOKEN_BYTES * len(shape))
        if shaped.lookup is None:
            return None
        table = _table_of(shaped.lookup, context)
        if table is None:
            return None
        known = self._plans.find((shape, id(table)))
        if known is None or known.table is not table:
            known = _Planned(table, self._plan(shaped.lookup, table, text, context))
            size = TOKEN_BYTES * len(shape) + COLUMN_BYTES * len(table.columns)
            self._plans.put((shape, id(table)), known, size)
        return None if known.plan is None else (table, known.plan)

    def _plan(self, lookup: Lookup, table: TableDef, text: QueryText, context: Context) -> _Plan | None:
        visible = {column.name: column for column in table.visible_columns}
        names = list(visible) if lookup.columns is None else list(lookup.columns)
        used = [*names, *(part.column for part in lookup.order if part.column not in names)]
        search = search_of(table, used, lookup.conditions)
        if search is None or not all(has_one_order(visible[part.column].storage) for part in lookup.order):
            return None
        try:
            described = self._describe(text, context)
        except DatabaseError:  # which the engine is to raise
            return None
        selected = [visible[name] for name in names]
        types = [client_type(engine_type(column.storage)) for column in selected]
        if described.result.types != types:
            return None
        return _Plan(
            described,
            search,
            all(column.storage == shown for column, shown in zip(selected, types, strict=True)),
            lookup.order,
            None if search.rest else _direction(lookup.order, table.key_columns[len(search.key) :]),
            lookup.limit,
            lookup.offset,
        )


def _table_of(lookup: Lookup, context: Context) -> TableDef | None:
    if len(lookup.parts) > 3 or (len(lookup.parts) == 3 and lookup.parts[0] != CATALOG_NAME):
        return None
    ref = TableRef(lookup.parts[-2] if len(lookup.parts) > 1 else None, lookup.parts[-1])
    table = context.door.find_table(context.name(ref), Use.READ)
    hides = table is not None and rule_on_rows(context.door, table, Privilege.SELECT) is not None
    return None if hides else table


def _direction(order: Sequence[Ordering], key: Sequence[Column]) -> bool | None:
    """Whether rows come by descending key; None where neither way is the order that is asked for."""
    directions = {part.is_descending for part in order}
    follows = [part.column for part in order] == [column.name for column in key[: len(order)]]
    return (directions or {False}).pop() if follows and len(directions) < 2 else None


def _as_rows(plan: _Plan, asked: Asked, found: FoundRows) -> Rows:
    columns = found.columns
    if len(columns[0]) and (plan.limit is not None or plan.offset is not None or len(columns[0]) > 1):
        columns = _in_order(plan, asked, columns)
    return _rows_of(plan, columns)


def _rows_of(plan: _Plan, columns: Sequence[pa.Array]) -> Rows:
    schema = plan.described.result
    selected = columns[: len(schema)]
    if not len(selected[0]):
        batches = []
    elif plan.is_stored_schema:
        batches = [pa.RecordBatch.from_arrays(selected, schema=schema)]
    else:
        batches = [in_schema(selected, schema)]
    return Rows.of_batches(batches, schema)


def _key_columns(plan: _Plan, bound: pa.Table) -> list[pa.ChunkedArray] | None:
    """The keys that some rows of parameters are, where each says all of a key as its columns store it, and no more."""
    search = plan.search
    if not search.is_whole or search.rest or plan.order or plan.limit is not None or plan.offset is not None:
        return None
    columns = []
    for column, values in search.key:
        value = values[0] if len(values) == 1 else None
        given = bound.column(value.number - 1) if isinstance(value, Bound) else None
        is_plain = column.type != pa.uuid() and not pa.types.is_floating(column.storage)
        if given is None or given.null_count or len(given) > ROWS_MAX or not is_plain:
            return None
        if given.type != column.storage:
            if not (pa.types.is_integer(given.type) and pa.types.is_integer(column.storage)):
                return None
            try:
                given = given.cast(column.storage)
            except pa.ArrowInvalid:  # a number that the column cannot have
                return None
        columns.append(given)
    return columns


def _in_order(plan: _Plan, asked: Asked, columns: list[pa.Array]) -> list[pa.Array]:
    """The rows in the order that is asked for, as far as they are."""
    if plan.order:
        keys = pa.table(
            [columns[plan.search.places[part.column]] for part in plan.order], list(map(str, range(len(plan.order))))
        )
        rows = pc.sort_indices(keys, sort_keys=[_sort_key(place, part) for place, part in enumerate(plan.order)])
    else:
        rows = pa.array(range(len(columns[0])))
    rows = rows.slice(asked.offset, asked.limit)
    return [column.take(rows) for column in columns]


def _sort_key(place: int, part: Ordering) -> tuple[str, str, str]:
    direction = "descending" if part.is_descending else "ascending"
    return str(place), direction, "at_start" if part.nulls_first else "at_end"
