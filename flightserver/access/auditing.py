"""What the audit log says of a statement: which are recorded, and what of them. A declaration, and values made by it.

Recorded is every statement that changes what others may reach or see, or ends what they do, every statement for
another user, and of tables that are asked for it (option `audit`) each change, or each read, too. A change has its
record in its own commit; everything else has one before its client is answered.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

from catalog.audit import AuditRecord, Verdict
from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import NAME_LENGTH_MAX
from flightserver.access.principal import Principal
from flightserver.sql import access_statements as access
from flightserver.sql import server_statements as server
from flightserver.sql import statements as sql
from flightserver.sql import table_statements as tables
from flightserver.sql.access_statements import NamespaceRef
from flightserver.sql.statements import Statement, TableRef
from providers.commit.idempotency import Outcome

ACTIONS: Mapping[type[Statement], str] = {
    tables.CreateNamespace: "CREATE NAMESPACE",
    tables.DropNamespace: "DROP NAMESPACE",
    tables.CreateTable: "CREATE TABLE",
    tables.CreateTableAs: "CREATE TABLE",
    tables.CreateTableLike: "CREATE TABLE",
    tables.DropTable: "DROP TABLE",
    tables.AlterTable: "ALTER TABLE",
    tables.RenameTable: "ALTER TABLE",
    tables.CreateView: "CREATE VIEW",
    tables.DropView: "DROP VIEW",
    access.Grant: "GRANT",
    access.Revoke: "REVOKE",
    access.ChangeOwner: "ALTER OWNER",
    access.CreatePolicy: "CREATE POLICY",
    access.DropPolicy: "DROP POLICY",
    sql.Truncate: "TRUNCATE",
    access.CreateUser: "CREATE USER",
    access.AlterUser: "ALTER USER",
    access.DropUser: "DROP USER",
    access.CreateToken: "CREATE TOKEN",
    access.DropToken: "DROP TOKEN",
    server.SetSetting: "ALTER SYSTEM",
    server.ResetSetting: "ALTER SYSTEM",
    server.Backup: "BACKUP",
    server.KillQuery: "KILL QUERY",
    server.KillSession: "KILL SESSION",
    server.KillJob: "KILL JOB",
    tables.PublishTable: "PUBLISH TABLE",
    tables.RebuildManifest: "REBUILD MANIFEST",
}
"""Statements that are recorded whoever sends them, and how the log calls them."""

FOR_ANOTHER: Mapping[type[Statement], str] = {
    sql.Query: "SELECT",
    sql.SubstraitQuery: "SELECT",
    sql.Insert: "INSERT",
    sql.Update: "UPDATE",
    sql.Delete: "DELETE",
    sql.Merge: "MERGE",
}
"""How it calls others, which are recorded when they are for another user; those without a name are `STATEMENT`."""

_WITHOUT_COMMIT = frozenset(
    {server.Backup, server.KillQuery, server.KillSession, server.KillJob, tables.PublishTable, tables.RebuildManifest}
)

COMMITTED = frozenset({*ACTIONS, sql.Insert, sql.Update, sql.Delete, sql.Merge} - _WITHOUT_COMMIT)
"""Statements whose commits carry their records."""

READ = "SELECT"
INGEST = "INGEST"
LOGIN = "LOGIN"

_DIGEST_BYTES = 16


@dataclass(frozen=True)
class Deed:
    """What somebody is about to do. `digest` is that of its text; None where that holds a secret."""

    actor: str
    subject: str
    action: str
    object: str | None = None
    kind: str | None = None
    digest: str | None = None
    peer: str = ""
    session: str = ""

    def record(self, verdict: Verdict, rows: int | None = None, detail: str | None = None) -> AuditRecord:
        """What the log says of it once it has ended."""
        return AuditRecord(
            at=time.time_ns() // 1_000,
            actor=self.actor,
            subject=self.subject,
            action=self.action,
            object=self.object,
            verdict=verdict,
            kind=self.kind,
            digest=self.digest,
            rows=rows,
            peer=self.peer,
            session=self.session,
            detail=detail,
        )

    def note(self, outcome: Outcome, user: str | None) -> bytes:
        """What it says with the commit that carries it out; of rows that are somebody's, whose."""
        done = self.record(Verdict.ALLOWED, outcome.affected)
        return replace(done, subject=user or self.subject, seq=outcome.seq or None).encode()

    def failure(self, error: DatabaseError, *, hidden: bool) -> AuditRecord:
        """What it says when nothing was done; `hidden` tells that something was asked for that is hidden from its user.

        Of the error only its kind: its line may name what nobody should read.
        """
        is_denied = error.kind is ErrorKind.DENIED or (hidden and error.kind is ErrorKind.NOT_FOUND)
        verdict = Verdict.DENIED if is_denied else Verdict.FAILED
        return self.record(verdict, detail=error.kind.name.lower())


def deed_of(statement: Statement, text: str, principal: Principal, peer: str, session: str) -> Deed | None:
    """What a statement is to the log; None for one that is not recorded."""
    done = statement.statement if isinstance(statement, access.AsUser) else statement
    is_for_another = isinstance(statement, access.AsUser)
    action = ACTIONS.get(type(done)) or (FOR_ANOTHER.get(type(done), "STATEMENT") if is_for_another else None)
    if action is None:
        return None
    return Deed(
        principal.actor.name,
        statement.user if isinstance(statement, access.AsUser) else principal.user,
        action,
        _object_of(done),
        type(done).__name__,
        None if statement.has_secret else _digest(text),
        peer,
        session,
    )


def write_deed(statement: Statement, text: str, principal: Principal, peer: str, session: str) -> Deed:
    """What a change of an audited table is to the log."""
    return Deed(
        principal.actor.name,
        principal.user,
        FOR_ANOTHER[type(statement)],
        _object_of(statement),
        type(statement).__name__,
        _digest(text),
        peer,
        session,
    )


def read_deed(table: TableDef, text: str, principal: Principal, peer: str, session: str) -> Deed:
    """What a read of an audited table is to the log."""
    return Deed(
        principal.actor.name, principal.user, READ, str(table.name), sql.Query.__name__, _digest(text), peer, session
    )


def ingest_deed(table: str, subject: str | None, principal: Principal, peer: str, session: str) -> Deed:
    """What a stream into a table is to the log."""
    return Deed(principal.actor.name, subject or principal.user, INGEST, table, INGEST, None, peer, session)


def login_deed(user: str, peer: str = "", session: str = "") -> Deed:
    """What the beginning of a session is to the log, or what was meant to be one."""
    return Deed(user[:NAME_LENGTH_MAX], user[:NAME_LENGTH_MAX], LOGIN, peer=peer, session=session)


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def _object_of(statement: Statement) -> str | None:
    """What a statement is about, as it names it."""
    for name in ("table", "thing", "name", "number", "session_id", "job_id"):
        found = getattr(statement, name, None)
        if isinstance(found, NamespaceRef):
            return found.name
        if isinstance(found, TableRef | str | int):
            return str(found)
    return None
