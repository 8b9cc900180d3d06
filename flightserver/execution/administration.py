"""Statements about the server as a whole: its settings. They take effect at once, durably, and for everybody."""

from collections.abc import Callable

from catalog.errors import DatabaseError, ErrorKind
from flightserver.access.rights import may_say
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.rows import Affected
from flightserver.sql.statements import ResetSetting, SetSetting, Statement
from providers.commit.transaction import Transaction

_DONE = Affected(0)


class Administration:
    """Runs statements about the server."""

    def __init__(self, database: Database) -> None:
        self._live = database.live
        self._handlers: dict[type[Statement], Callable[..., Affected]] = {
            SetSetting: self._set,
            ResetSetting: self._reset,
        }

    def handles(self, statement: Statement) -> bool:
        """Tell whether `run` takes the statement."""
        return type(statement) in self._handlers

    def run(self, statement: Statement, context: Context) -> Affected:
        """Run a statement; DENIED for who may not, before anything else is said."""
        if not may_say(statement, context.principal.subject.role):
            raise DatabaseError(ErrorKind.DENIED, f"{context.user} may not say what the server does")
        if isinstance(context.work, Transaction) and context.work.has_begun:
            raise DatabaseError(ErrorKind.INVALID, "this takes effect at once, so not in a transaction that has begun")
        return self._handlers[type(statement)](statement, context)

    def _set(self, statement: SetSetting, context: Context) -> Affected:
        self._live.set(statement.name, statement.value, context.request.complete)
        return _DONE

    def _reset(self, statement: ResetSetting, context: Context) -> Affected:
        self._live.reset(statement.name, context.request.complete)
        return _DONE
