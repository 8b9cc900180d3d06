"""What stands between a user and the rows of a table: its policies, and for those that are written its constraints.

The rows that somebody may have are found first, by a query of their own.

What a user asks is then planned over those rows in memory. So nothing that the user wrote is ever evaluated on a hidden
row, no statistic of a file that holds one is asked, and no plan shows how many there are: the optimizer cannot reach
behind a relation that has nothing else in it (docs/decisions). A condition that fails, fails for everybody alike.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pyarrow as pa

from catalog.definition import DELETED_COLUMN, SEQ_COLUMN, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import Privilege
from catalog.identifiers import TableName, quote_identifier
from flightserver.access.row_rules import RowRule, rule_on_rows, rule_on_writing
from flightserver.context import Context
from flightserver.execution.constraints import OFFERED, broken_text, counted, offered_rows, refuse_broken
from flightserver.execution.rewriting import select_from
from flightserver.execution.row_tests import is_broken
from flightserver.sql.text.query_text import QueryText, recurring
from providers.cold.files import ColdFiles
from providers.commit.resolve import existing_rows
from providers.engine.relations import Columns
from providers.rows.change import Change, key_of
from providers.snapshot import Snapshot

_OF_THE_SERVER = frozenset(
    {ErrorKind.CANCELLED, ErrorKind.TIMEOUT, ErrorKind.RESOURCES, ErrorKind.UNAVAILABLE, ErrorKind.CORRUPT}
)

Ask = Callable[[QueryText, Mapping[TableName, pa.Table], Mapping[TableName, Snapshot]], pa.Table]
"""Runs a query over rows and snapshots that are given, past all policies."""


def allowed_text(table: TableDef, columns: Columns, rule: RowRule) -> QueryText:
    """The query for the rows of a table that a rule leaves, in the order of the key: where they lie does not show."""
    names = [column.name for column in (table.columns if columns is Columns.ALL else table.visible_columns)]
    names += [SEQ_COLUMN, DELETED_COLUMN] if columns is Columns.ALL else []
    order = ", ".join(quote_identifier(column.name) for column in table.key_columns)
    found = select_from([quote_identifier(name) for name in names], table.name, None, [], QueryText(rule.condition))
    return QueryText.joined([found, f" ORDER BY {order}"])


def failing_closed(table: TableName, run: Callable[[], pa.Table]) -> pa.Table:
    """Apply a policy. What goes wrong in its condition says nothing of the rows on which it did."""
    try:
        return run()
    except DatabaseError as error:
        if error.kind in _OF_THE_SERVER:
            raise
        raise DatabaseError(
            ErrorKind.INVALID, f"a row policy of {table} cannot be applied; ask the owner of the table"
        ) from None


class Guard:
    """What a change must keep to in a table: made for one statement, None where nothing stands between."""

    def __init__(self, table: TableDef, context: Context, ask: Ask, files: ColdFiles) -> None:
        self._table = table
        self._context = context
        self._ask = ask
        self._files = files

    @classmethod
    def of(cls, table: TableDef, context: Context, ask: Ask, files: ColdFiles) -> "Guard | None":
        """The guard of a table, for who changes it; None where nothing stands between."""
        found = cls(table, context, ask, files)
        return found if found.hides_rows or table.checks else None

    @property
    def hides_rows(self) -> bool:
        """Tell whether there may be rows that the user must not see."""
        return rule_on_rows(self._context.door, self._table, Privilege.SELECT) is not None

    def admit(self, rows: pa.Table, *privileges: Privilege) -> None:
        """Hold rows in physical columns, which are written in these ways, against constraints and policies.

        Raise INVALID when one breaks a constraint, DENIED when one may not be written.
        """
        if not rows.num_rows:
            return
        named = rows.rename_columns([column.name for column in self._table.columns])
        given = {TableName(self._context.namespace, OFFERED): named}
        source = offered_rows(self._table)
        self._refuse_broken(named, source, given)
        for privilege in privileges:
            rule = rule_on_writing(self._context.door, self._table, privilege)
            if rule is None:
                continue
            self._refuse_outside(rule, source, given, "a new row is not allowed")

    def _refuse_broken(self, rows: pa.Table, source: str, given: Mapping[TableName, pa.Table]) -> None:
        """Raise INVALID when a row makes a condition false; the engine is asked of those that are not plain."""
        found = {check: is_broken(check.condition, self._table, rows) for check in self._table.checks}
        asked = [check for check, broken in found.items() if broken is None]
        if asked:
            counts = self._ask(broken_text(asked, source), given, {})
            found |= dict(zip(asked, counted(counts), strict=True))
        refuse_broken(self._table, self._table.checks, [bool(found[check]) for check in self._table.checks])

    def refuse_untouchable(self, rows: pa.Table, privilege: Privilege) -> None:
        """Raise DENIED when one of some stored rows, in physical columns, may not be changed so."""
        rule = rule_on_rows(self._context.door, self._table, Privilege.SELECT, privilege)
        if rule is not None and rows.num_rows:
            named = rows.rename_columns([column.name for column in self._table.columns])
            given = {TableName(self._context.namespace, OFFERED): named}
            self._refuse_outside(rule, offered_rows(self._table), given, "a row that exists may not be changed")

    def _refuse_outside(self, rule: RowRule, source: str, given: Mapping[TableName, pa.Table], what: str) -> None:
        text = recurring(f"SELECT count(*) AS n FROM {source} WHERE NOT ({rule.condition})")
        found = failing_closed(self._table.name, partial(self._ask, text, given, {}))
        if found.column(0)[0].as_py():
            raise DatabaseError(ErrorKind.DENIED, f"{what} by the row policies of {self._table.name}")

    def refuse_hidden(self, snapshot: Snapshot, offered: Change) -> None:
        """Raise DENIED when a row would be replaced that may not be seen or changed."""
        rule = rule_on_rows(self._context.door, self._table, Privilege.SELECT, Privilege.UPDATE)
        existing = None if rule is None else existing_rows(snapshot, offered, self._files)
        if rule is None or existing is None or not existing.any():
            return
        rows = offered.rows.filter(pa.array(existing))
        rows = rows.filter(pa.array(key_of(self._table, rows).last_of_each))
        keys: Sequence[str] = [column.name for column in self._table.key_columns]
        named = rows.rename_columns([column.name for column in self._table.columns]).select(keys)
        named = named.rename_columns([f"{OFFERED}.{name}" for name in keys])
        target = quote_identifier(self._table.name.table)
        same = " AND ".join(
            f"{target}.{quote_identifier(name)} = {quote_identifier(OFFERED)}.{quote_identifier(f'{OFFERED}.{name}')}"
            for name in keys
        )
        condition = QueryText(f"{same} AND {rule.condition}")
        text = select_from(["count(*) AS n"], self._table.name, None, [quote_identifier(OFFERED)], condition)
        here = TableName(self._context.namespace, OFFERED)
        given = {snapshot.table.name: snapshot}
        found = failing_closed(self._table.name, lambda: self._ask(text, {here: named}, given))
        if found.column(0)[0].as_py() != rows.num_rows:
            raise DatabaseError(
                ErrorKind.DENIED, f"a row that exists may not be changed by the row policies of {self._table.name}"
            )
