"""What statements leave in the audit log: with their commits, before their answers, or as failures."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from catalog.audit import Verdict
from catalog.audit_log import AuditLog
from catalog.definition import Audit, TableDef
from catalog.errors import DatabaseError
from catalog.identifiers import TableName
from flightserver.access.auditing import Deed, read_deed, write_deed
from flightserver.context import Context
from flightserver.execution.rows import Affected, Rows
from flightserver.service.call import Call
from flightserver.sql.statements import Delete, Insert, Merge, Statement, Update


class Hidden:
    """Whether a statement asked for something that its user may not see or use so."""

    def __init__(self) -> None:
        self.was_asked_for = False

    def note(self) -> None:
        """It did."""
        self.was_asked_for = True


@dataclass(frozen=True)
class Recorder:
    """Writes to the log. What cannot be recorded is an error, so that it does not happen."""

    log: AuditLog

    @contextmanager
    def failures(self, deed: Deed | None, hidden: Hidden | None = None) -> Iterator[None]:
        """Record it when nothing becomes of a deed; what it asked for that is `hidden` makes it one that was denied."""
        try:
            yield
        except DatabaseError as error:
            if deed is not None:
                self.log.record(deed.failure(error, hidden=hidden is not None and hidden.was_asked_for))
            raise

    def note(self, deed: Deed | None, outcome: Rows | Affected) -> None:
        """Record a deed that is no commit."""
        if deed is not None:
            rows = outcome.rows if isinstance(outcome, Affected) else None
            self.log.record(deed.record(Verdict.ALLOWED, rows))

    def reads_of(self, text: str, context: Context, call: Call) -> Callable[[TableDef], None]:
        """Records what a statement reads of tables that are asked for it, each once."""
        seen: set[int] = set()

        def record(table: TableDef) -> None:
            if table.id not in seen:
                seen.add(table.id)
                done = read_deed(table, text, context.principal, call.peer, call.session.id)
                self.log.record(done.record(Verdict.ALLOWED))

        return record


def deed_on_table(statement: Statement, text: str, context: Context, call: Call) -> Deed | None:
    """What a change is to the log when its table is asked for it."""
    if not isinstance(statement, Insert | Update | Delete | Merge):
        return None
    if not is_audited(context.name(statement.table), context):
        return None
    return write_deed(statement, text, context.principal, call.peer, call.session.id)


def is_audited(name: TableName, context: Context) -> bool:
    """Tell whether changes of a table are recorded."""
    return context.door.audit_of(name) is not Audit.NONE
