"""Statements about the server as a whole: its settings, and its backups.

Settings change at once, durably, and for everybody. A backup is of everything, whoever takes it.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from flightserver.access.rights import may_say
from flightserver.backup.listing import Listing
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.rows import Affected, Rows, client_schema
from flightserver.sql.server_statements import Backup, ResetSetting, SetSetting, ShowBackups
from flightserver.sql.statements import Statement
from providers.commit.transaction import Transaction

_DONE = Affected(0)

_BACKUPS = client_schema(
    pa.schema(
        [
            ("name", pa.string()),
            ("created_at", pa.timestamp("us", tz="UTC")),
            ("files", pa.int64()),
            ("bytes", pa.int64()),
            ("new_bytes", pa.int64()),
            ("problem", pa.string()),
        ]
    )
)
_SCHEMAS = {Backup: _BACKUPS, ShowBackups: _BACKUPS}


class Administration:
    """Runs statements about the server."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._live = database.live
        self._handlers: dict[type[Statement], Callable[..., Affected | Rows]] = {
            SetSetting: self._set,
            ResetSetting: self._reset,
            Backup: self._backup,
            ShowBackups: self._show_backups,
        }

    def handles(self, statement: Statement) -> bool:
        """Tell whether `run` takes the statement."""
        return type(statement) in self._handlers

    def schema(self, statement: Statement) -> pa.Schema | None:
        """The columns of a statement's result, None when it has none."""
        return _SCHEMAS.get(type(statement))

    def run(self, statement: Statement, context: Context) -> Affected | Rows:
        """Run a statement; DENIED for who may not, before anything else is said."""
        if not may_say(statement, context.principal.subject.role):
            raise DatabaseError(ErrorKind.DENIED, f"{context.user} may not say what the server does")
        return self._handlers[type(statement)](statement, context)

    def _set(self, statement: SetSetting, context: Context) -> Affected:
        _refuse_inside(context)
        self._live.set(statement.name, statement.value, context.request.complete)
        return _DONE

    def _reset(self, statement: ResetSetting, context: Context) -> Affected:
        _refuse_inside(context)
        self._live.reset(statement.name, context.request.complete)
        return _DONE

    def _backup(self, statement: Backup, context: Context) -> Rows:
        _refuse_inside(context)
        listing = self._database.backup(statement.name, context.principal.actor.name, context.stop)
        return Rows.of_table(pa.Table.from_pylist([_told(statement.name, listing)], schema=_BACKUPS))

    def _show_backups(self, _: ShowBackups, __: Context) -> Rows:
        found = [_told(one.name, one.listing, one.problem) for one in self._database.shelf.listed()]
        return Rows.of_table(pa.Table.from_pylist(found, schema=_BACKUPS))


def _refuse_inside(context: Context) -> None:
    if isinstance(context.work, Transaction) and context.work.has_begun:
        raise DatabaseError(ErrorKind.INVALID, "this takes effect at once, so not in a transaction that has begun")


def _told(name: str, listing: Listing | None, problem: str | None = None) -> dict[str, object]:
    """A backup as a row."""
    if listing is None:
        return {"name": name, "problem": problem}
    damaged = f"damaged when it was taken: {', '.join(listing.problems)}" if listing.problems else None
    return {
        "name": name,
        "created_at": datetime.fromtimestamp(listing.created_at / 1e6, UTC),
        "files": len(listing.files),
        "bytes": listing.bytes,
        "new_bytes": listing.new_bytes,
        "problem": damaged,
    }
