"""CHECK: what is stored, held against what was written. One kind of job for tables, backups and the audit log.

What a check finds it lists, with what can be done. A user's check of a table is about the rows that the user's
statements see, an admin's about everybody's; one of everything is, for those who look after the server, also about what
belongs to no table. Checks change nothing, and everything goes on meanwhile.
"""

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from flightserver.access.rights import OVERSEERS, Use, may_say
from flightserver.backup.restoring import findings
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.rows import Rows, client_schema
from flightserver.sql.server_statements import CheckAuditLog, CheckBackup, CheckTables
from flightserver.sql.statements import Statement
from flush.checking.findings import Finding
from flush.jobs.tasks import Check
from flush.work import Work

_TABLES = client_schema(
    pa.schema(
        [
            ("namespace", pa.string()),
            ("table", pa.string()),
            ("user", pa.string()),
            ("what", pa.string()),
            ("problem", pa.string()),
            ("remedy", pa.string()),
        ]
    )
)
_BACKUP = client_schema(pa.schema([("file", pa.string()), ("problem", pa.string())]))
_AUDIT_LOG = client_schema(pa.schema([("record", pa.int64()), ("digest", pa.string()), ("problem", pa.string())]))
_SCHEMAS = {CheckTables: _TABLES, CheckBackup: _BACKUP, CheckAuditLog: _AUDIT_LOG}


class Checks:
    """Runs statements that check."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._handlers: dict[type[Statement], Callable[..., pa.Table]] = {
            CheckTables: self._tables,
            CheckBackup: self._backup,
            CheckAuditLog: self._audit_log,
        }

    def handles(self, statement: Statement) -> bool:
        """Tell whether `run` takes the statement."""
        return type(statement) in self._handlers

    def schema(self, statement: Statement) -> pa.Schema:
        """The columns of a statement's result."""
        return _SCHEMAS[type(statement)]

    def run(self, statement: Statement, context: Context) -> Rows:
        """Run a check, as a job."""
        return Rows.of_table(self._handlers[type(statement)](statement, context))

    def _tables(self, statement: CheckTables, context: Context) -> pa.Table:
        outside = replace(context, work=self._database.autocommit)
        table = None if statement.table is None else outside.table(statement.table, Use.MAINTAIN)
        tables = outside.door.tables(Use.MAINTAIN) if table is None else [table]
        task = Check(table_id=None if table is None else table.id)
        with self._database.jobs.at_work(task, context.user, context.stop) as work:
            found: list[Finding] = []
            for one in tables:
                users = None if context.principal.is_admin else [context.scope(one)[1]]
                found += self._database.check_table(one, users, work)
            if table is None and context.principal.subject.role in OVERSEERS:
                found += self._database.check_records(work)
            _tell(work, len(found))
        return pa.Table.from_pylist([_row(one) for one in found], schema=_TABLES)

    def _backup(self, statement: CheckBackup, context: Context) -> pa.Table:
        if not may_say(statement, context.principal.subject.role):
            raise DatabaseError(ErrorKind.DENIED, f"{context.user} may not say what the server does")
        folder = self._database.shelf.folder(statement.name)
        with self._database.jobs.at_work(Check(backup=statement.name), context.user, context.stop) as work:
            rows = [{"file": file, "problem": problem} for file, problem in findings(folder, work)]
            _tell(work, len(rows))
        return pa.Table.from_pylist(rows, schema=_BACKUP)

    def _audit_log(self, statement: CheckAuditLog, context: Context) -> pa.Table:
        """What is wrong with the log, and last where it ends."""
        if not may_say(statement, context.principal.subject.role):
            raise DatabaseError(ErrorKind.DENIED, "the audit log is for those who look after the server")
        with self._database.jobs.at_work(Check(audit_log=True), context.user, context.stop) as work:
            found, head = self._database.audit_log.check()
            _tell(work, len(found))
        numbers, problems = [one.number for one in found], [one.problem for one in found]
        digests = [*(None for _ in found), head.digest.hex()]
        return pa.table([[*numbers, head.number], digests, [*problems, None]], schema=_AUDIT_LOG)


def _tell(work: Work, count: int) -> None:
    work.message = f"{count} findings" if count else "all is as it was written"


def _row(one: Finding) -> dict[str, object]:
    return {
        "namespace": None if one.table is None else one.table.namespace,
        "table": None if one.table is None else one.table.table,
        "user": one.user,
        "what": one.what,
        "problem": one.problem,
        "remedy": one.remedy,
    }
