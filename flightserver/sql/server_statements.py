"""What a client can ask for about the server as a whole: its settings, its backups, what it keeps and what it runs."""

from dataclasses import dataclass

from flightserver.sql.statements import Statement, TableRef


@dataclass(frozen=True)
class SetSetting(Statement):
    """ALTER SYSTEM SET: a setting of the server, for everybody."""

    name: str
    value: str


@dataclass(frozen=True)
class ResetSetting(Statement):
    """ALTER SYSTEM RESET: a setting is again what the server was started with."""

    name: str


@dataclass(frozen=True)
class Backup(Statement):
    """A copy of everything, as of one moment, is put among the backups."""

    name: str


@dataclass(frozen=True)
class ShowBackups(Statement):
    """All backups, oldest first."""


@dataclass(frozen=True)
class CheckTables(Statement):
    """Whether the files and records of a table are what was written; None: of all, and the server's own."""

    table: TableRef | None


@dataclass(frozen=True)
class CheckBackup(Statement):
    """Whether the files of a backup are what was written."""

    name: str


@dataclass(frozen=True)
class CheckAuditLog(Statement):
    """Whether the audit log is whole, and where it ends."""


@dataclass(frozen=True)
class KillQuery(Statement):
    """A running statement stops."""

    number: int


@dataclass(frozen=True)
class KillSession(Statement):
    """A session ends, with everything that it runs."""

    session_id: str


@dataclass(frozen=True)
class KillJob(Statement):
    """A job in the background ends, or never begins."""

    job_id: str
