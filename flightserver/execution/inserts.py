"""INSERT and ON CONFLICT: constants, bound parameters or a query become rows, which are offered to the table."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from catalog.definition import Column, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import Privilege
from catalog.identifiers import TableName, quote_identifier
from flightserver.access.rights import Use
from flightserver.context import Context
from flightserver.execution.constants import column_of_constants
from flightserver.execution.ingest import Load, ingest
from flightserver.execution.parameters import bound_rows, comparable
from flightserver.execution.reading import Given
from flightserver.execution.returning import Returning
from flightserver.execution.rewriting import (
    EXCLUDED,
    PARAMETERS_NAME,
    mentions_query,
    on_parameters,
    only_row,
    over_parameters,
    qualify_excluded,
    select_from,
)
from flightserver.execution.rows import Affected, until
from flightserver.execution.sources import Parameters
from flightserver.execution.targets import assigned_columns, check_conflict, check_width, inserted_columns
from flightserver.execution.writing import Writing, at_once, commit, item_called, numbered, refuse_changed_twice
from flightserver.sql.literal_rows import Constants, Row, literal_rows
from flightserver.sql.statements import Assignment, Insert, OnConflict, TableRef
from flightserver.sql.text import tree
from flightserver.sql.text.parameters import count_parameters
from flightserver.sql.text.queries import expression_of
from flightserver.sql.text.query_text import QueryText
from providers.commit.resolve import OnExisting, existing_rows
from providers.commit.uniqueness import resolve
from providers.rows.change import Change
from providers.rows.conversion import Strictness, converted
from providers.rows.offered import convert
from providers.snapshot import Snapshot

_BOUND = "$"
"""Stands before the number of a parameter, beside the columns of `excluded`."""

REMEMBERED_MAX, REMEMBERED_LENGTH_MAX = 1_024, 256
"""How many constants are known as their columns store them, and the letters of the longest."""


@dataclass(frozen=True)
class _Offer:
    """Rows that are offered, and what is done where their keys exist, for one row of parameters or for all at once."""

    change: Change
    conflict: OnConflict
    table: TableRef
    parameters: Parameters | None = None
    bound: pa.Table | None = None

    def excluded(self, table: TableDef) -> pa.Table:
        """The rows under names that say whose they are, and the parameters that each was offered with."""
        rows = self.change.rows.rename_columns([f"{EXCLUDED}.{column.name}" for column in table.columns])
        if self.bound is None:
            return rows
        for name, values in zip(self.bound.column_names, self.bound.columns, strict=True):
            rows = rows.append_column(f"{_BOUND}{name}", values)
        return rows

    def expression(self, text: QueryText) -> QueryText:
        """An expression of DO UPDATE over those."""
        named = qualify_excluded(text)
        return named if self.bound is None else on_parameters(named, EXCLUDED, _BOUND)


class Inserts:
    """Runs INSERT."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing

    def run(self, statement: Insert, context: Context, bound: pa.Table | None) -> Affected:
        """Add rows; an existing key is an error unless ON CONFLICT says otherwise."""
        table = context.table(statement.table, Use.INSERT)
        names = inserted_columns(statement, table)
        conflict = statement.on_conflict
        batches = self._rows(statement, context, bound, table, names)
        returning = self._writing.returning(statement, context, bound)
        if conflict is not None:
            check_conflict(conflict, table)
        if conflict is None or conflict.do_nothing:
            rule = _rule(conflict)
            if returning is None:
                return self._ingest(table, context, batches, rule)
            return self._offer(table, context, _as_table(batches, table, names), rule, returning)
        context.table(statement.table, Use.UPDATE)
        if conflict.replaces:
            return self._ingest(table, context, batches, OnExisting.REPLACE)
        if bound is not None and any(count_parameters(text) or mentions_query(text) for text in _texts(conflict)):
            return self._upsert_each(statement, conflict, context, bound, names, returning)
        return self._upsert(statement.table, conflict, context, batches, names, returning)

    def _rows(
        self, statement: Insert, context: Context, bound: pa.Table | None, table: TableDef, names: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """The rows of VALUES or a query, under the names of the columns they are meant for."""
        if bound is not None and statement.rows is not None:
            yield from _bound_columns(statement.rows, bound, table, names)
            return
        constants = literal_rows(statement.source)
        if constants is not None and len(constants) == len(names):
            yield from _constant_rows(constants, table, names)
        elif bound is None:
            yield from self._source_batches(statement, context, None, table, names)
        else:
            yield from self._bound_rows(statement, context, bound, table, names)

    def _bound_rows(
        self, statement: Insert, context: Context, bound: pa.Table, table: TableDef, names: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """The rows of VALUES or a query for all rows of parameters, together where that is the same."""
        together = self._source_at_once(statement, context, bound, table, names) if bound.num_rows > 1 else None
        if together is not None:
            yield from together.to_batches()
            return
        for parameters in bound_rows(bound):
            yield from self._source_batches(statement, context, parameters, table, names)

    def _source_at_once(
        self, statement: Insert, context: Context, bound: pa.Table, table: TableDef, names: Sequence[str]
    ) -> pa.Table | None:
        """The row of VALUES for all rows of parameters, by one query; None where it must be asked for each."""
        items = only_row(statement.source)
        if items is None or len(items) != len(names):
            return None
        rows = numbered(comparable(bound))
        types = tuple(table.column(name).storage for name in names)
        given = Given(rows={TableName(context.namespace, PARAMETERS_NAME): rows}, targets=types)
        text = over_parameters(items)
        found = at_once(lambda: self._writing.reader.plan(text, context, None, given).rows().to_table(context.stop))
        return None if found is None else found.rename_columns(list(names))

    def _source_batches(
        self,
        statement: Insert,
        context: Context,
        parameters: Parameters | None,
        table: TableDef,
        names: Sequence[str],
    ) -> Iterator[pa.RecordBatch]:
        """The rows of VALUES or a query with one row of parameters."""
        types = tuple(table.column(name).storage for name in names)
        planned = self._writing.reader.plan(statement.source, context, parameters, Given(targets=types))
        check_width(names, len(planned.schema))
        for batch in until(context.stop, planned.rows().start(context.stop)):
            yield batch.rename_columns(list(names))

    def _ingest(
        self, table: TableDef, context: Context, batches: Iterator[pa.RecordBatch], rule: OnExisting
    ) -> Affected:
        guard = self._writing.guard(table, context)
        load = Load(rule, Strictness.STATEMENT, lambda: context.request.idempotency, guard=guard)
        return Affected(ingest(self._writing.database, table, context, batches, load).affected)

    def _offer(
        self, table: TableDef, context: Context, rows: pa.Table, rule: OnExisting, returning: Returning
    ) -> Affected:
        """Add rows, and give those back that are not left out."""
        offered = self._writing.offered(table, rows, context)
        guard = self._writing.guard(table, context)
        if guard is not None:
            guard.admit(offered.rows, Privilege.INSERT)

        def build(snapshot: Snapshot) -> Change:
            files = self._writing.database.store.files
            return Change(resolve(snapshot, offered, rule, files).rows) if rule.skips else offered

        return commit(context, table, build, rule, returning)

    def _upsert(
        self,
        ref: TableRef,
        conflict: OnConflict,
        context: Context,
        batches: Iterator[pa.RecordBatch],
        names: Sequence[str],
        returning: Returning | None,
    ) -> Affected:
        """ON CONFLICT DO UPDATE with expressions: offered rows whose key exists update the existing row."""
        table = context.table(ref, Use.INSERT)
        offered = self._writing.offered(table, _as_table(batches, table, names), context)
        guard = self._writing.guard(table, context)
        if guard is not None:
            guard.admit(offered.rows, Privilege.INSERT)

        def build(snapshot: Snapshot) -> Change:
            if guard is not None:
                guard.refuse_hidden(snapshot, offered)
                guard.admit(offered.rows, Privilege.UPDATE) if _replaces_whole_row(conflict, table, names) else None
            if _replaces_whole_row(conflict, table, names):
                _refuse_repeats(offered, table)
                return offered
            return self._merged(_Offer(offered, conflict, ref), context, snapshot)

        return commit(context, table, build, returning=returning)

    def _upsert_each(
        self,
        statement: Insert,
        conflict: OnConflict,
        context: Context,
        bound: pa.Table,
        names: Sequence[str],
        returning: Returning | None,
    ) -> Affected:
        """ON CONFLICT DO UPDATE that may say another thing for each row of parameters, as one commit.

        All of them at once where each row of parameters offers one row, and no key twice.
        """
        table = context.table(statement.table, Use.INSERT)
        guard = self._writing.guard(table, context)

        def find(snapshot: Snapshot, parameters: Parameters | None, rows: pa.Table | None) -> Change:
            batches = (
                self._source_batches(statement, context, parameters, table, names)
                if rows is None
                else self._rows(statement, context, bound, table, names)
            )
            offered = self._writing.offered(table, _as_table(batches, table, names), context)
            if guard is not None:
                guard.admit(offered.rows, Privilege.INSERT)
                guard.refuse_hidden(snapshot, offered)
            return self._merged(_Offer(offered, conflict, statement.table, parameters, rows), context, snapshot)

        has_one = len(statement.rows or ()) == 1 or only_row(statement.source) is not None
        return self._writing.write(table, context, find, bound, together=has_one, returning=returning)

    def _merged(self, offer: _Offer, context: Context, snapshot: Snapshot) -> Change:
        """Offered rows whose key is new, and the updated rows of those whose key exists."""
        _refuse_repeats(offer.change, snapshot.table)
        existing = existing_rows(snapshot, offer.change, self._writing.database.store.files)
        fresh = offer.change.rows.filter(pa.array(~existing))
        updated = self._updated(offer, context, snapshot)
        return Change(pa.concat_tables([fresh, updated]).combine_chunks())

    def _updated(self, offer: _Offer, context: Context, snapshot: Snapshot) -> pa.Table:
        """What DO UPDATE makes of the rows that exist."""
        table, conflict = snapshot.table, offer.conflict
        assigned = assigned_columns(conflict.assignments, table)
        name = quote_identifier(offer.table.table)
        items = [
            item_called(offer.expression(assigned[column.name]), column.name)
            if column.name in assigned
            else f"{name}.{quote_identifier(column.name)}"
            for column in table.columns
        ]
        same_key = " AND ".join(
            f"{name}.{quote_identifier(c.name)} = {EXCLUDED}.{quote_identifier(f'{EXCLUDED}.{c.name}')}"
            for c in table.key_columns
        )
        also = [" AND (", offer.expression(conflict.where), ")"] if conflict.where else []
        text = select_from(items, context.name(offer.table), None, [EXCLUDED], QueryText.joined([same_key, *also]))
        extra = {EXCLUDED: offer.excluded(table)}
        once = offer.bound is not None and any(map(mentions_query, _texts(conflict)))
        found = self._writing.read(text, context, snapshot, offer.parameters, extra, Privilege.UPDATE, once=once)
        return self._writing.new_versions(table, found, context).rows


def _rule(conflict: OnConflict | None) -> OnExisting:
    """What becomes of a row that exists, of an INSERT that updates none."""
    if conflict is None:
        return OnExisting.REFUSE
    return OnExisting.SKIP_ALIKE if conflict.target is None else OnExisting.SKIP


def _bound_columns(
    rows: Sequence[Row], bound: pa.Table, table: TableDef, names: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Bound parameters, and constants again and again, as the rows of VALUES ($1, 7, …), ($2, …)."""
    if len(rows[0]) != len(names):
        raise DatabaseError(ErrorKind.INVALID, f"INSERT names {len(names)} columns, VALUES has {len(rows[0])}")
    columns = [
        _in_turns([_bound_column(row[place], bound, table.column(name)) for row in rows], table.column(name), table)
        for place, name in enumerate(names)
    ]
    yield from pa.Table.from_arrays(columns, names=list(names)).to_batches()


def _bound_column(part: int | Constants, bound: pa.Table, column: Column) -> pa.ChunkedArray:
    if isinstance(part, int):
        return bound.column(part - 1)
    return pa.chunked_array([pa.repeat(_stored_constant(part, column), bound.num_rows)])


def _in_turns(values: Sequence[pa.ChunkedArray], column: Column, table: TableDef) -> pa.ChunkedArray:
    """The values of a column in each row of VALUES, for the first row of parameters, for the second, and so on."""
    if len(values) == 1:
        return values[0]
    first = values[0].type
    if pa.types.is_dictionary(first) or any(some.type != first for some in values):  # as each would be by itself
        values = [convert(some, column, table, Strictness.STATEMENT) for some in values]
    order = np.arange(len(values) * len(values[0])).reshape(len(values), -1).T.ravel()
    return pa.chunked_array([chunk for some in values for chunk in some.chunks], values[0].type).take(pa.array(order))


def _stored_constant(constant: Constants, column: Column) -> pa.Scalar:
    """The only constant of some as its column stores it, or as it is where that cannot be, for others to refuse."""
    (text,) = constant.texts
    known = _known_constant if text is None or len(text) <= REMEMBERED_LENGTH_MAX else _known_constant.__wrapped__
    return known(text, constant.are_numbers, constant.are_words, column)


@lru_cache(REMEMBERED_MAX)
def _known_constant(text: str | None, are_numbers: bool, are_words: bool, column: Column) -> pa.Scalar:
    """What a prepared statement says with every row: it is read and converted once."""
    found = column_of_constants(Constants([text], are_numbers, are_words), column)
    with suppress(ValueError):
        return converted(pa.chunked_array([found]), column.type, Strictness.STATEMENT)[0]
    return found[0]


def _constant_rows(constants: list[Constants], table: TableDef, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows of VALUES where they are nothing but constants."""
    columns = [column_of_constants(some, table.column(name)) for some, name in zip(constants, names, strict=True)]
    yield pa.RecordBatch.from_arrays(columns, names=list(names))


def _as_table(batches: Iterator[pa.RecordBatch], table: TableDef, names: Sequence[str]) -> pa.Table:
    """Rows with the columns that INSERT names; there may be none."""
    found = list(batches)
    if found:
        return pa.Table.from_batches(found)
    return pa.schema([pa.field(name, table.column(name).storage) for name in names]).empty_table()


def _texts(conflict: OnConflict) -> list[QueryText]:
    """What DO UPDATE says."""
    texts = [assignment.expression for assignment in conflict.assignments]
    return [*texts, conflict.where] if conflict.where else texts


def _replaces_whole_row(conflict: OnConflict, table: TableDef, offered: Sequence[str]) -> bool:
    """Tell whether DO UPDATE sets every column that is not in the key to the offered value."""
    if conflict.where is not None or set(offered) != {column.name for column in table.columns}:
        return False
    taken = {assignment.column for assignment in conflict.assignments if _is_offered_value(assignment)}
    others = {column.name for column in table.columns if column.id not in table.key}
    return taken == others and len(conflict.assignments) == len(taken)


def _is_offered_value(assignment: Assignment) -> bool:
    """Tell whether a column is set to just what was offered for it."""
    value = expression_of(assignment.expression)
    return isinstance(value, tree.Name) and value.parts == (EXCLUDED, assignment.column)


def _refuse_repeats(offered: Change, table: TableDef) -> None:
    refuse_changed_twice(table, offered, "ON CONFLICT DO UPDATE", "is offered twice")
