"""UPDATE, DELETE and TRUNCATE: rows are found by their keys or by a query, and get new versions or tombstones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from catalog.definition import SYSTEM_COLUMNS, Column, TableDef
from catalog.grants import Privilege
from catalog.identifiers import quote_identifier
from flightserver.access.rights import Use
from flightserver.access.row_rules import rule_on_rows
from flightserver.context import Context
from flightserver.execution.direct import NO_PARAMETERS, DirectReads
from flightserver.execution.parameters import comparable
from flightserver.execution.returning import whole_rows
from flightserver.execution.rewriting import (
    PARAMETERS,
    PARAMETERS_NAME,
    PLACE,
    mentions_query,
    names_in,
    on_parameters,
    select_from,
)
from flightserver.execution.rows import Affected
from flightserver.execution.searches import assigned_values
from flightserver.execution.sources import Parameters
from flightserver.execution.targets import assigned_columns, target
from flightserver.execution.writing import RUN, Writing, item_called
from flightserver.sql.meaning.lookups import bound_columns
from flightserver.sql.statements import Delete, Truncate, Update
from flightserver.sql.text.query_text import QueryText
from flush.truncate import truncate
from providers.rows.change import Change
from providers.rows.offered import tombstones
from providers.snapshot import Snapshot


@dataclass(frozen=True)
class _Search:
    """How a statement finds the rows that it changes: beside which others, and what for."""

    statement: Update | Delete
    others: QueryText | None
    privilege: Privilege

    @property
    def looks_around(self) -> bool:
        """Tell whether it may read more than the table that it changes."""
        of = self.statement
        values = [part.expression for part in of.assignments] if isinstance(of, Update) else []
        texts = [*values, of.where] if of.where else values
        return self.others is not None or of.common is not None or any(map(mentions_query, texts))


class Changes:
    """Runs UPDATE, DELETE and TRUNCATE."""

    def __init__(self, writing: Writing, direct: DirectReads) -> None:
        self._writing = writing
        self._direct = direct

    def update(self, statement: Update, context: Context, bound: pa.Table | None) -> Affected:
        """Write new versions of the rows that match."""
        table = target(statement, context)
        assigned = assigned_columns(statement.assignments, table)
        name = statement.alias or statement.table.table
        search = _Search(statement, statement.from_text, Privilege.UPDATE)

        def find(snapshot: Snapshot, parameters: Parameters | None, rows: pa.Table | None) -> Change:
            known = (
                None if rows is not None else self._updated_by_key(statement, assigned, context, snapshot, parameters)
            )
            if known is not None:
                return self._writing.new_versions(table, known, context)
            items = [
                item_called(_on_rows(assigned[column.name], rows), column.name)
                if column.name in assigned
                else f"{quote_identifier(name)}.{quote_identifier(column.name)}"
                for column in table.columns
            ]
            found = self._find(items, search, snapshot=snapshot, context=context, parameters=parameters, rows=rows)
            return self._writing.new_versions(table, found, context)

        def matches(snapshot: Snapshot, rows: pa.Table) -> pa.Table:
            items = [*_key_items(table, name), f"{PARAMETERS}.{quote_identifier(PLACE)} AS {quote_identifier(RUN)}"]
            return self._find(items, search, snapshot=snapshot, context=context, parameters=None, rows=rows)

        asked = set() if statement.where is None else names_in(statement.where)
        changed = asked & (assigned.keys() | SYSTEM_COLUMNS)
        is_apart = not changed or (bound is not None and bound.num_rows > 1 and _names_rows(statement, table, bound))
        return self._writing.write(
            table,
            context,
            find,
            bound,
            together=is_apart or changed.isdisjoint(SYSTEM_COLUMNS),
            matches=None if is_apart else matches,
            returning=self._writing.returning(statement, context, bound),
        )

    def delete(self, statement: Delete, context: Context, bound: pa.Table | None) -> Affected:
        """Write tombstones for the rows that match."""
        returning = self._writing.returning(statement, context, bound)
        if statement.where is None and statement.using_text is None and returning is None:
            return self.truncate(Truncate(statement.table), context, None)
        table = target(statement, context)
        name = statement.alias or statement.table.table
        search = _Search(statement, statement.using_text, Privilege.DELETE)
        read = table.key_columns if returning is None else table.columns

        def removed(found: Mapping[str, pa.Array] | pa.Table) -> Change:
            if returning is None:
                return tombstones(table, pa.table({c.physical: found[c.name] for c in read}))
            whole = pa.table({column.name: found[column.name] for column in read})
            return whole_rows(self._writing.offered(table, whole, context))

        def find(snapshot: Snapshot, parameters: Parameters | None, rows: pa.Table | None) -> Change:
            known = self._found_by_key(statement, context, snapshot, parameters) if rows is None else None
            if known is not None:
                return removed(known)
            items = [f"{quote_identifier(name)}.{quote_identifier(column.name)}" for column in read]
            return removed(
                self._find(items, search, snapshot=snapshot, context=context, parameters=parameters, rows=rows)
            )

        return self._writing.write(table, context, find, bound, together=True, returning=returning)

    def truncate(self, statement: Truncate, context: Context, _: pa.Table | None) -> Affected:
        """Remove every row of the scope."""
        table = context.table(statement.table, Use.DELETE)
        store = self._writing.database.store
        guard = self._writing.guard(table, context)
        if not context.in_transaction and (guard is None or not guard.hides_rows):
            return Affected(truncate(store, store.state(*context.scope(table))))
        everything = Delete(statement.table, None, None, QueryText("TRUE"))
        return self.delete(everything, context, None)

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
        of = search.statement
        where = _on_rows(of.where, rows) if of.where else None
        text = select_from(items, context.name(of.table), of.alias, others, where, of.common)
        extra = {} if rows is None else {PARAMETERS_NAME: rows}
        once = rows is not None and search.looks_around
        return self._writing.read(text, context, snapshot, parameters, extra, search.privilege, once=once)


def _on_rows(text: QueryText, rows: pa.Table | None) -> QueryText:
    """A part of a statement, over the relation of its parameters where all rows of them are taken at once."""
    return text if rows is None else on_parameters(text)


def _key_items(table: TableDef, called: str) -> list[str]:
    """The key of a table that is called so, in physical columns, as items of SELECT."""
    return [
        f"{quote_identifier(called)}.{quote_identifier(column.name)} AS {quote_identifier(column.physical)}"
        for column in table.key_columns
    ]


def _names_rows(statement: Update, table: TableDef, bound: pa.Table) -> bool:
    """Tell whether each row of parameters says a key of its own: then no run finds what another has changed."""
    if statement.where is None:
        return False
    numbers = bound_columns(statement.where, statement.alias or statement.table.table)
    key = table.key_columns
    if not all(column.name in numbers for column in key):
        return False
    given = bound.select([numbers[column.name] - 1 for column in key])
    if not all(map(_tells_apart, key, given.columns)):
        return False
    names = [column.physical for column in key]
    keys = comparable(given).rename_columns(names).group_by(names).aggregate([])
    return len(keys) == len(bound)


def _tells_apart(column: Column, given: pa.ChunkedArray) -> bool:
    """Tell whether different values of a parameter are different keys: not if they are converted, or -0.0 and 0.0."""
    if pa.types.is_integer(given.type):
        return bool(pa.types.is_integer(column.storage))
    return bool(given.type == column.type) and not pa.types.is_floating(given.type)
