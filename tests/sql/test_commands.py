"""SHOW, FLUSH, transactions and session settings."""

import pytest

from catalog.errors import ErrorKind
from flightserver.sql.parser import parse
from flightserver.sql.server_statements import CheckAuditLog, CheckBackup, CheckTables, KillJob
from flightserver.sql.statements import (
    Begin,
    Commit,
    Release,
    ResetOption,
    Rollback,
    Savepoint,
    SetOption,
    SetTransaction,
    ShowOption,
    Statement,
    TableRef,
    TransactionModes,
    UseNamespace,
)
from flightserver.sql.table_statements import (
    Compact,
    Describe,
    Flush,
    PublishTable,
    RebuildManifest,
    ShowColumns,
    ShowJobs,
    ShowManifest,
    ShowManifestCache,
    ShowNamespaces,
    ShowPublished,
    ShowTables,
)
from tests.sql.refusals import refused

T = TableRef(None, "t")
NT = TableRef("n", "t")


@pytest.mark.parametrize(
    ("sql", "statement"),
    [
        ("DESCRIBE t", Describe(T)),
        ("DESC TABLE n.t", Describe(NT)),
        ('DESCRIBE "table"', Describe(TableRef(None, "table"))),
        ("SHOW NAMESPACES", ShowNamespaces()),
        ("SHOW SCHEMAS", ShowNamespaces()),
        ("SHOW TABLES", ShowTables(None)),
        ("SHOW TABLES IN n", ShowTables("n")),
        ("SHOW TABLES FROM NAMESPACE main.n", ShowTables("n")),
        ("SHOW COLUMNS FROM n.t", ShowColumns(NT)),
        ("SHOW MANIFEST t", ShowManifest(T)),
        ("SHOW MANIFEST CACHE", ShowManifestCache()),
        ("SHOW MANIFEST FOR TABLE n.t", ShowManifest(NT)),
        ("CHECK TABLE n.t", CheckTables(NT)),
        ("CHECK ALL", CheckTables(None)),
        ("CHECK BACKUP 'b'", CheckBackup("b")),
        ("CHECK AUDIT LOG", CheckAuditLog()),
        ("PUBLISH TABLE n.t", PublishTable(NT)),
        ("PUBLISH t", PublishTable(T)),
        ("SHOW PUBLISHED", ShowPublished()),
        ("REBUILD MANIFEST FOR n.t", RebuildManifest(NT)),
        ("REBUILD MANIFEST FOR TABLE t", RebuildManifest(T)),
        ("SHOW JOBS", ShowJobs()),
        ("SHOW jobs.x", ShowOption("jobs.x")),
        ("KILL JOB 'flush-7'", KillJob("flush-7")),
        ("SHOW ALL", ShowOption("all")),
        ("SHOW Time_Zone", ShowOption("time_zone")),
        ("SHOW TIME ZONE", ShowOption("timezone")),
        ("SHOW TRANSACTION ISOLATION LEVEL", ShowOption("transaction_isolation")),
        ("BEGIN READ ONLY", Begin(TransactionModes(read_only=True))),
        ("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", Begin(TransactionModes(read_only=True))),
        ("START TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE", Begin(TransactionModes(read_only=False))),
        ("BEGIN ISOLATION LEVEL SNAPSHOT NOT DEFERRABLE", Begin()),
        ("SET TRANSACTION READ ONLY", SetTransaction(TransactionModes(read_only=True))),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
            SetTransaction(TransactionModes(), lasts=True),
        ),
        ("SET TIME ZONE 'UTC'", SetOption("timezone", "UTC")),
        ("SET TIME ZONE LOCAL", ResetOption("timezone")),
        ("SET NAMES 'UTF8'", SetOption("client_encoding", "UTF8")),
        ("SET search_path TO a, public", SetOption("search_path", ("a", "public"))),
        ("SET search_path = DEFAULT", ResetOption("search_path")),
        ("SET SCHEMA 'n'", UseNamespace("n")),
        ("SHOW tables.x", ShowOption("tables.x")),
        ("FLUSH TABLE n.t", Flush(NT)),
        ("FLUSH t", Flush(T)),
        ("FLUSH ALL", Flush(None)),
        ("STORAGE FLUSH TABLE n.t;", Flush(NT)),
        ("storage flush all", Flush(None)),
        ("FLUSH TABLE all.t", Flush(TableRef("all", "t"))),
        ("COMPACT TABLE t", Compact(T)),
        ("STORAGE COMPACT TABLE main.n.t", Compact(NT)),
        ("STORAGE COMPACT ALL", Compact(None)),
        ("BEGIN", Begin()),
        ("BEGIN TRANSACTION", Begin()),
        ("START TRANSACTION", Begin()),
        ("COMMIT", Commit()),
        ("COMMIT WORK", Commit()),
        ("END", Commit()),
        ("ROLLBACK", Rollback()),
        ("ABORT", Rollback()),
        ("ROLLBACK TO s", Rollback("s")),
        ("ROLLBACK WORK TO SAVEPOINT S", Rollback("s")),
        ("SAVEPOINT s", Savepoint("s")),
        ("RELEASE s", Release("s")),
        ("RELEASE SAVEPOINT s", Release("s")),
        ("RELEASE savepoint", Release("savepoint")),
        ("SET a = 1", SetOption("a", "1")),
        ("SET a = -1.5", SetOption("a", "-1.5")),
        ("SET SESSION a.b TO 'X y'", SetOption("a.b", "X y")),
        ("SET session = on", SetOption("session", "on")),
        ("SET NAMESPACE n", UseNamespace("n")),
        ("SET SCHEMA n", UseNamespace("n")),
        ("SET schema = x", SetOption("schema", "x")),
        ("USE n", UseNamespace("n")),
        ("USE NAMESPACE main.n", UseNamespace("n")),
        ("USE namespace", UseNamespace("namespace")),
        ("RESET a.b", ResetOption("a.b")),
    ],
)
def test_commands(sql: str, statement: Statement) -> None:
    """Each form is one value."""
    assert parse(sql) == statement


@pytest.mark.parametrize(
    "sql",
    [
        "BEGIN ISOLATION LEVEL SERIALIZABLE",
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SET LOCAL a = 1",
    ],
)
def test_more_isolation_is_refused(sql: str) -> None:
    """A promise of another isolation is not given."""
    refused(ErrorKind.UNSUPPORTED, sql)


@pytest.mark.parametrize(
    "sql",
    [
        *(
            "FLUSH",
            "FLUSH TABLE",
            "FLUSH ALL x",
            "STORAGE",
            "STORAGE CHECK x",
            "COMPACT a.b.c.d",
            "SHOW",
            "SHOW COLUMNS",
        ),
        *(
            "SHOW TABLES x",
            "SET a",
            "SET a =",
            "SET a = 1 2",
            "SET a = (1)",
            "SET a = E'x'",
            "USE",
            "RESET",
            "SAVEPOINT",
        ),
        *("COMMIT x", "ROLLBACK x", "DESCRIBE", "DESCRIBE TABLE", "DESCRIBE 'x'", "SHOW MANIFEST"),
    ],
)
def test_malformed_commands_are_refused(sql: str) -> None:
    """A syntax error has a place."""
    assert refused(ErrorKind.SYNTAX, sql).startswith("line 1:")


def test_another_catalog_is_not_found() -> None:
    """There is one catalog."""
    refused(ErrorKind.NOT_FOUND, "USE other.n")
