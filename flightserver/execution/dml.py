"""INSERT, UPDATE, DELETE, TRUNCATE: each becomes rows for the one commit path.

UPDATE and DELETE find their rows by a query over the merged relation of the newest state, with the scope's writer lock
held, so that no other commit comes between finding and writing. Several rows of bound parameters are one statement and
one commit: where that cannot change the result they are joined with the table at once, elsewhere they run one after
another on a working snapshot that nobody else sees.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import Privilege
from catalog.identifiers import TableName, quote_identifier
from flightserver.access.rights import Use
from flightserver.access.row_rules import rule_on_rows
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.constants import column_of_constants
from flightserver.execution.direct import NO_PARAMETERS, DirectReads, assigned_values
from flightserver.execution.guarding import Guard
from flightserver.execution.ingest import Load, ingest
from flightserver.execution.parameters import bound_rows, comparable
from flightserver.execution.reading import Given, Reader
from flightserver.execution.rewriting import (
    EXCLUDED,
    PARAMETERS,
    PARAMETERS_NAME,
    mentions_query,
    names_in,
    on_parameters,
    qualify_excluded,
    select_from,
)
from flightserver.execution.rows import Affected, until
from flightserver.execution.sources import Parameters
from flightserver.execution.targets import assigned_columns, check_conflict, check_width, inserted_columns, target
from flightserver.sql.literal_rows import Constants, literal_rows
from flightserver.sql.statements import Assignment, Delete, Insert, OnConflict, Statement, TableRef, Truncate, Update
from flightserver.sql.text import tree
from flightserver.sql.text.parameters import count_parameters
from flightserver.sql.text.queries import expression_of
from flightserver.sql.text.query_text import QueryText
from flush.truncate import truncate
from providers.commit.apply import after_commit, versions_of
from providers.commit.resolve import OnExisting, existing_rows, resolve
from providers.rows.change import Change, key_of
from providers.rows.conversion import Strictness
from providers.rows.offered import admitted, tombstones
from providers.snapshot import Snapshot

_Find = Callable[[Snapshot, Parameters | None, pa.Table | None], Change]
"""Finds the rows that a statement writes, given the state, one row of parameters, or all rows of them."""


@dataclass(frozen=True)
class _Search:
    """How a statement finds the rows that it changes: in a table, beside others, by a condition, and what for."""

    table: TableRef
    alias: str | None
    others: QueryText | None
    where: QueryText | None
    privilege: Privilege


class Dml:
    """Runs data-changing statements."""

    def __init__(self, database: Database, reader: Reader, direct: DirectReads) -> None:
        self._database = database
        self._reader = reader
        self._direct = direct
        self._handlers: dict[type[Statement], Callable[..., Affected]] = {
            Insert: self.insert,
            Update: self.update,
            Delete: self.delete,
            Truncate: self.truncate,
        }

    def handles(self, statement: Statement) -> bool:
        """Tell whether `run` takes the statement."""
        return type(statement) in self._handlers

    def run(self, statement: Statement, context: Context, bound: pa.Table | None, count: int) -> Affected:
        """Run a statement with `count` parameters, once for each row of `bound`."""
        if count and bound is None:
            raise DatabaseError(ErrorKind.INVALID, f"the statement has {count} parameters, but none were bound")
        return self._handlers[type(statement)](statement, context, bound if count else None)

    def insert(self, statement: Insert, context: Context, bound: pa.Table | None) -> Affected:
        """Add rows; an existing key is an error unless ON CONFLICT says otherwise."""
        table = context.table(statement.table, Use.INSERT)
        names = inserted_columns(statement, table)
        if bound is not None and statement.row is not None:
            batches = _bound_columns(statement.row, bound, table, names)
        elif (constants := literal_rows(statement.source)) is not None and len(constants) == len(names):
            batches = _constant_rows(constants, table, names)
        else:
            batches = self._source_rows(statement, context, bound, table, names)
        conflict = statement.on_conflict
        if conflict is None:
            return self._ingest(table, context, batches, OnExisting.REFUSE)
        check_conflict(conflict, table)
        if conflict.do_nothing:
            return self._ingest(table, context, batches, OnExisting.SKIP)
        context.table(statement.table, Use.UPDATE)
        if bound is not None and _has_parameters(conflict):
            return self._upsert_each(statement, conflict, context, bound, names)
        return self._upsert(statement.table, conflict, context, batches, names)

    def update(self, statement: Update, context: Context, bound: pa.Table | None) -> Affected:
        """Write new versions of the rows that match."""
        table = target(statement, context)
        assigned = assigned_columns(statement.assignments, table)
        name = statement.alias or statement.table.table
        search = _Search(statement.table, statement.alias, statement.from_text, statement.where, Privilege.UPDATE)

        def find(snapshot: Snapshot, parameters: Parameters | None, rows: pa.Table | None) -> Change:
            known = (
                None if rows is not None else self._updated_by_key(statement, assigned, context, snapshot, parameters)
            )
            if known is not None:
                return self._admitted(table, known, context)
            items = [
                _item(_on_rows(assigned[column.name], rows), column.name)
                if column.name in assigned
                else f"{quote_identifier(name)}.{quote_identifier(column.name)}"
                for column in table.columns
            ]
            found = self._find(
                items,
                search,
                snapshot=snapshot,
                context=context,
                parameters=parameters,
                rows=rows,
            )
            return self._admitted(table, found, context)

        texts: list[QueryText] = [*assigned.values(), *filter(None, (statement.where, statement.from_text))]
        where_names = names_in(statement.where) if statement.where is not None else set()
        independent = not where_names & set(assigned) and statement.from_text is None
        at_once = independent and not any(map(mentions_query, texts))
        return self._write(table, context, find, bound, at_once=at_once)

    def delete(self, statement: Delete, context: Context, bound: pa.Table | None) -> Affected:
        """Write tombstones for the rows that match."""
        if statement.where is None and statement.using_text is None:
            return self.truncate(Truncate(statement.table), context, None)
        table = target(statement, context)
        name = statement.alias or statement.table.table
        search = _Search(statement.table, statement.alias, statement.using_text, statement.where, Privilege.DELETE)

        def find(snapshot: Snapshot, parameters: Parameters | None, rows: pa.Table | None) -> Change:
            known = self._found_by_key(statement, context, snapshot, parameters) if rows is None else None
            if known is not None:
                return tombstones(table, pa.table({c.physical: known[c.name] for c in table.key_columns}))
            items = [
                f"{quote_identifier(name)}.{quote_identifier(column.name)} AS {quote_identifier(column.physical)}"
                for column in table.key_columns
            ]
            found = self._find(
                items,
                search,
                snapshot=snapshot,
                context=context,
                parameters=parameters,
                rows=rows,
            )
            return tombstones(table, found)

        at_once = not any(map(mentions_query, filter(None, (statement.where, statement.using_text))))
        return self._write(table, context, find, bound, at_once=at_once)

    def _found_by_key(
        self, statement: Update | Delete, context: Context, snapshot: Snapshot, parameters: Parameters | None
    ) -> Mapping[str, pa.Array] | None:
        """All columns of the rows that a change of one table says by key; None where the engine is to find them."""
        others = statement.from_text if isinstance(statement, Update) else statement.using_text
        table = snapshot.table
        if statement.where is None or others is not None or not context.door.admits(Use.READ, table):
            return None
        if rule_on_rows(context.door, table, Privilege.SELECT) is not None:
            return None
        called = statement.alias or statement.table.table
        return self._direct.of_change(statement.where, called, snapshot, parameters or NO_PARAMETERS)

    def _updated_by_key(
        self,
        statement: Update,
        assigned: Mapping[str, QueryText],
        context: Context,
        snapshot: Snapshot,
        parameters: Parameters | None,
    ) -> pa.Table | None:
        """The new versions of rows that are said by key, where each new value is said, too."""
        found = self._found_by_key(statement, context, snapshot, parameters)
        if found is None:
            return None
        rows, columns = len(next(iter(found.values()))), dict(found)
        for name, expression in assigned.items():
            column = snapshot.table.column(name)
            values = assigned_values(column, expression, parameters or NO_PARAMETERS, rows)
            if values is None:
                return None
            columns[name] = values
        return pa.table(columns)

    def _admitted(self, table: TableDef, found: pa.Table, context: Context) -> Change:
        """New versions of rows, which may be written."""
        change = admitted(table, found, context.user, self._database.store.allocator, Strictness.STATEMENT)
        guard = self.guard(table, context)
        if guard is not None:
            guard.check(Privilege.UPDATE, change.rows)
        return change

    def truncate(self, statement: Truncate, context: Context, _: pa.Table | None) -> Affected:
        """Remove every row of the scope."""
        table = context.table(statement.table, Use.DELETE)
        store = self._database.store
        if not context.in_transaction and self.guard(table, context) is None:
            return Affected(truncate(store, store.state(*context.scope(table))))
        everything = Delete(statement.table, None, None, QueryText("TRUE"))
        return self.delete(everything, context, None)

    def _source_rows(
        self, statement: Insert, context: Context, bound: pa.Table | None, table: TableDef, names: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """The rows of VALUES or a query, under the names of the columns they are meant for."""
        runs: list[Parameters | None] = [None] if bound is None else list(bound_rows(bound))
        for parameters in runs:
            yield from self._source_batches(statement, context, parameters, table, names)

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
        planned = self._reader.plan(statement.source, context, parameters, Given(targets=types))
        check_width(names, len(planned.schema))
        for batch in until(context.stop, planned.rows().start(context.stop)):
            yield batch.rename_columns(list(names))

    def _ingest(
        self, table: TableDef, context: Context, batches: Iterator[pa.RecordBatch], rule: OnExisting
    ) -> Affected:
        guard = self.guard(table, context)
        load = Load(rule, Strictness.STATEMENT, lambda: context.request.idempotency, guard=guard)
        return Affected(ingest(self._database, table, context, batches, load).affected)

    def _upsert(
        self,
        ref: TableRef,
        conflict: OnConflict,
        context: Context,
        batches: Iterator[pa.RecordBatch],
        names: Sequence[str],
    ) -> Affected:
        """ON CONFLICT DO UPDATE with expressions: offered rows whose key exists update the existing row."""
        store, table = self._database.store, context.table(ref, Use.INSERT)
        rows = _as_table(batches, table, names)
        offered = admitted(table, rows, context.user, store.allocator, Strictness.STATEMENT)
        guard = self.guard(table, context)
        if guard is not None:
            guard.check(Privilege.INSERT, offered.rows)

        def build(snapshot: Snapshot) -> Change:
            if guard is not None:
                guard.refuse_hidden(snapshot, offered)
                guard.check(Privilege.UPDATE, offered.rows) if _replaces_whole_row(conflict, table, names) else None
            if _replaces_whole_row(conflict, table, names):
                _refuse_repeats(offered, table)
                return offered
            return self._merged(offered, conflict, context, ref, snapshot, None)

        return Affected(_commit(context, table, build))

    def _upsert_each(
        self, statement: Insert, conflict: OnConflict, context: Context, bound: pa.Table, names: Sequence[str]
    ) -> Affected:
        """ON CONFLICT DO UPDATE with parameters of its own: one row of them after another, as one commit."""
        table = context.table(statement.table, Use.INSERT)
        allocator = self._database.store.allocator
        guard = self.guard(table, context)

        def find(snapshot: Snapshot, parameters: Parameters | None, _: pa.Table | None) -> Change:
            rows = self._source_batches(statement, context, parameters, table, names)
            offered = admitted(table, _as_table(rows, table, names), context.user, allocator, Strictness.STATEMENT)
            if guard is not None:
                guard.check(Privilege.INSERT, offered.rows)
                guard.refuse_hidden(snapshot, offered)
            return self._merged(offered, conflict, context, statement.table, snapshot, parameters)

        return self._write(table, context, find, bound, at_once=False)

    def _merged(
        self,
        offered: Change,
        conflict: OnConflict,
        context: Context,
        ref: TableRef,
        snapshot: Snapshot,
        parameters: Parameters | None,
    ) -> Change:
        """Offered rows whose key is new, and the updated rows of those whose key exists."""
        _refuse_repeats(offered, snapshot.table)
        existing = existing_rows(snapshot, offered, self._database.store.files)
        fresh = offered.rows.filter(pa.array(~existing))
        updated = self._updated_on_conflict(conflict, context, offered, ref, snapshot, parameters)
        return Change(pa.concat_tables([fresh, updated]).combine_chunks())

    def _updated_on_conflict(
        self,
        conflict: OnConflict,
        context: Context,
        offered: Change,
        ref: TableRef,
        snapshot: Snapshot,
        parameters: Parameters | None,
    ) -> pa.Table:
        table = snapshot.table
        assigned = assigned_columns(conflict.assignments, table)
        name = quote_identifier(ref.table)
        excluded = offered.rows.rename_columns([f"{EXCLUDED}.{column.name}" for column in table.columns])
        items = [
            _item(qualify_excluded(assigned[column.name]), column.name)
            if column.name in assigned
            else f"{name}.{quote_identifier(column.name)}"
            for column in table.columns
        ]
        same_key = " AND ".join(
            f"{name}.{quote_identifier(c.name)} = {EXCLUDED}.{quote_identifier(f'{EXCLUDED}.{c.name}')}"
            for c in table.key_columns
        )
        also = [" AND (", qualify_excluded(conflict.where), ")"] if conflict.where else []
        text = select_from(items, context.name(ref), None, [EXCLUDED], QueryText.joined([same_key, *also]))
        found = self._read(text, context, snapshot, parameters, {EXCLUDED: excluded}, Privilege.UPDATE)
        rows = admitted(table, found, context.user, self._database.store.allocator, Strictness.STATEMENT).rows
        guard = self.guard(table, context)
        if guard is not None:
            guard.check(Privilege.UPDATE, rows)
        return rows

    def guard(self, table: TableDef, context: Context) -> Guard | None:
        """What a change of a table must keep to; None where no policy stands between."""

        def ask(
            text: QueryText, rows: Mapping[TableName, pa.Table], snapshots: Mapping[TableName, Snapshot]
        ) -> pa.Table:
            given = Given(snapshots, rows)
            return self._reader.plan(text, context.unguarded(), None, given).rows().to_table(context.stop)

        return Guard.of(table, context, ask, self._database.store.files)

    def _find(
        self,
        items: Sequence[str],
        search: _Search,
        *,
        snapshot: Snapshot,
        context: Context,
        parameters: Parameters | None,
        rows: pa.Table | None,
    ) -> pa.Table:
        """Run the query that finds a statement's rows; `rows` of parameters are joined in as a table."""
        others: list[str] = [_on_rows(search.others, rows)] if search.others else []
        others += [PARAMETERS] if rows is not None else []
        where = _on_rows(search.where, rows) if search.where else None
        text = select_from(items, context.name(search.table), search.alias, others, where)
        extra = (
            {}
            if rows is None
            else {PARAMETERS_NAME: rows.rename_columns([str(i + 1) for i in range(rows.num_columns)])}
        )
        return self._read(text, context, snapshot, parameters, extra, search.privilege)

    def _read(
        self,
        text: QueryText,
        context: Context,
        snapshot: Snapshot,
        parameters: Parameters | None,
        extra: Mapping[str, pa.Table],
        privilege: Privilege,
    ) -> pa.Table:
        rows = {TableName(context.namespace, name): rows for name, rows in extra.items()}
        name = snapshot.table.name
        targets = tuple(column.storage for column in snapshot.table.columns)
        given = Given({name: snapshot}, rows, targets, (name, privilege))
        return self._reader.plan(text, context, parameters, given).rows().to_table(context.stop)

    def _write(
        self, table: TableDef, context: Context, find: _Find, bound: pa.Table | None, *, at_once: bool
    ) -> Affected:
        """Commit what `find` finds, for all rows of parameters."""

        def build(snapshot: Snapshot) -> Change:
            if bound is None:
                return _distinct(find(snapshot, None, None), table)
            if bound.num_rows > 1 and at_once:
                change = find(snapshot, None, comparable(bound))
                if change.deleted is not None or key_of(table, change.rows).last_of_each.all():
                    return _distinct(change, table)
            return self._one_after_another(snapshot, find, bound)

        return Affected(_commit(context, table, build))

    def _one_after_another(self, snapshot: Snapshot, find: _Find, bound: pa.Table) -> Change:
        """What a statement writes when it runs for each row of parameters on top of the previous ones."""
        changes = []
        for parameters in bound_rows(bound):
            change = find(snapshot, parameters, None)
            changes.append(change)
            if bound.num_rows > 1 and change.rows.num_rows:
                resolved = resolve(snapshot, change, OnExisting.REPLACE, self._database.store.files)
                seqs = np.arange(1, resolved.rows.num_rows + 1, dtype=np.int64) + snapshot.last_seq
                snapshot = after_commit(snapshot, resolved, versions_of(snapshot.table, resolved, seqs), seqs)
        return Change.concat(changes)


def _on_rows(text: QueryText, rows: pa.Table | None) -> QueryText:
    """A part of a statement, over the relation of its parameters where all rows of them are taken at once."""
    return text if rows is None else on_parameters(text)


def _item(value: QueryText, name: str) -> QueryText:
    """An item of SELECT with the name of the column that it is for."""
    return QueryText.joined(["(", value, ") AS ", quote_identifier(name)])


def _commit(context: Context, table: TableDef, build: Callable[[Snapshot], Change]) -> int:
    """Carry out a change that overrides existing rows; return how many it affected."""
    scope = context.scope(table)
    return context.work.write(scope, build, OnExisting.REPLACE, context.request).affected


def _bound_columns(
    row: Sequence[int | Constants], bound: pa.Table, table: TableDef, names: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Bound parameters, and constants again and again, as the rows of VALUES ($1, 7, …)."""
    if len(row) != len(names):
        raise DatabaseError(ErrorKind.INVALID, f"INSERT names {len(names)} columns, VALUES has {len(row)}")
    columns = [
        bound.column(part - 1)
        if isinstance(part, int)
        else pa.repeat(column_of_constants(part, table.column(name))[0], bound.num_rows)
        for part, name in zip(row, names, strict=True)
    ]
    yield from pa.Table.from_arrays(columns, names=list(names)).to_batches()


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


def _has_parameters(conflict: OnConflict) -> bool:
    texts = [assignment.expression for assignment in conflict.assignments] + (
        [conflict.where] if conflict.where else []
    )
    return any(count_parameters(text) for text in texts)


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
    keys = key_of(table, offered.rows)
    if not keys.last_of_each.all():
        row = int(np.argmin(keys.last_of_each))
        raise DatabaseError(
            ErrorKind.INVALID,
            f"ON CONFLICT DO UPDATE cannot change a row of {table.name} twice: "
            f"key {keys.describe(row)} is offered twice",
        )


def _distinct(change: Change, table: TableDef) -> Change:
    """Leave one row of each key, so that what is counted is rows of the table."""
    last = key_of(table, change.rows).last_of_each
    return change if last.all() else change.filter(last)
