"""The grammar of everything that is neither data nor definition: SHOW, FLUSH, transactions, session settings."""

from collections.abc import Callable

from flightserver.sql.grants import parse_show_grants
from flightserver.sql.options import option_value
from flightserver.sql.server_statements import KillJob, KillQuery, KillSession, ShowBackups
from flightserver.sql.statements import (
    AT_MOST_SNAPSHOT,
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
    ShowCreate,
    ShowJobs,
    ShowManifest,
    ShowManifestCache,
    ShowNamespaces,
    ShowPublished,
    ShowTables,
)
from flightserver.sql.text.cursor import Cursor
from flightserver.sql.text.tokens import Kind, is_identifier


def parse_describe(cursor: Cursor) -> Describe:
    """Read `DESCRIBE [TABLE] table`."""
    cursor.accept("TABLE")
    return Describe(cursor.table())


def parse_show(cursor: Cursor) -> Statement:
    """Read what follows SHOW: a list, or the name of a session setting."""
    if cursor.accept("TIME", "ZONE"):
        return ShowOption("timezone")
    if cursor.accept("TRANSACTION", "ISOLATION", "LEVEL"):
        return ShowOption("transaction_isolation")
    show = _SHOWN.get(cursor.peek().key)
    if show is None or cursor.peek(1).key == ".":
        return ShowOption(cursor.dotted("setting"))
    cursor.next()
    return show(cursor)


def _show_tables(cursor: Cursor) -> ShowTables:
    if not cursor.accept_any("IN", "FROM"):
        return ShowTables(None)
    cursor.accept_any("NAMESPACE", "SCHEMA")
    return ShowTables(cursor.namespace())


def _show_columns(cursor: Cursor) -> ShowColumns:
    if not cursor.accept_any("IN", "FROM"):
        raise cursor.error(f"expected FROM and a table, found {cursor.found()}")
    return ShowColumns(cursor.table())


def _show_create(cursor: Cursor) -> ShowCreate:
    if not cursor.accept_any("TABLE", "VIEW"):
        raise cursor.error(f"expected TABLE or VIEW, found {cursor.found()}")
    return ShowCreate(cursor.table())


def _show_manifest(cursor: Cursor) -> ShowManifest | ShowManifestCache:
    if cursor.at("CACHE") and cursor.peek(1).key != ".":
        cursor.next()
        return ShowManifestCache()
    cursor.accept_any("FOR", "FROM", "IN")
    cursor.accept("TABLE")
    return ShowManifest(cursor.table())


_SHOWN: dict[str, Callable[[Cursor], Statement]] = {
    "BACKUPS": lambda _: ShowBackups(),
    "NAMESPACES": lambda _: ShowNamespaces(),
    "SCHEMAS": lambda _: ShowNamespaces(),
    "TABLES": _show_tables,
    "COLUMNS": _show_columns,
    "MANIFEST": _show_manifest,
    "CREATE": _show_create,
    "GRANTS": parse_show_grants,
    "JOBS": lambda _: ShowJobs(),
    "PUBLISHED": lambda _: ShowPublished(),
}


def parse_flush(cursor: Cursor) -> Flush:
    """Read what follows FLUSH: `[TABLE] table` or `ALL`."""
    return Flush(table_or_all(cursor))


def parse_compact(cursor: Cursor) -> Compact:
    """Read what follows COMPACT: `[TABLE] table` or `ALL`."""
    return Compact(table_or_all(cursor))


def parse_publish(cursor: Cursor) -> PublishTable:
    """Read what follows PUBLISH: `[TABLE] table`."""
    cursor.accept("TABLE")
    return PublishTable(cursor.table())


def parse_rebuild(cursor: Cursor) -> RebuildManifest:
    """Read what follows REBUILD: `MANIFEST FOR [TABLE] table`."""
    cursor.expect("MANIFEST")
    cursor.expect("FOR")
    cursor.accept("TABLE")
    return RebuildManifest(cursor.table())


def parse_storage(cursor: Cursor) -> Statement:
    """Read what follows STORAGE."""
    if cursor.accept("FLUSH"):
        return parse_flush(cursor)
    if cursor.accept("COMPACT"):
        return parse_compact(cursor)
    raise cursor.error(f"expected FLUSH or COMPACT, found {cursor.found()}")


def table_or_all(cursor: Cursor) -> TableRef | None:
    """Read `ALL`, which is None, or `[TABLE] table`."""
    if cursor.at("ALL") and cursor.peek(1).key != ".":
        cursor.next()
        return None
    cursor.accept("TABLE")
    return cursor.table()


def parse_begin(cursor: Cursor) -> Begin:
    """Read `BEGIN [TRANSACTION | WORK] [mode [,] …]`, or the same behind START."""
    _skip_transaction_word(cursor)
    return Begin(_transaction_modes(cursor))


def _transaction_modes(cursor: Cursor) -> TransactionModes:
    """Read modes up to the end; what was said last counts."""
    read_only: bool | None = None
    while not cursor.at_end():
        if cursor.accept("READ", "ONLY"):
            read_only = True
        elif cursor.accept("READ", "WRITE"):
            read_only = False
        elif cursor.accept("ISOLATION", "LEVEL"):
            _isolation_level(cursor)
        elif not cursor.accept("DEFERRABLE") and not cursor.accept("NOT", "DEFERRABLE"):
            raise cursor.error(f"expected a transaction mode, found {cursor.found()}")
        if cursor.accept(",") and cursor.at_end():
            raise cursor.error("expected a transaction mode behind the comma")
    return TransactionModes(read_only)


def _isolation_level(cursor: Cursor) -> None:
    """Read a level that asks for no more than there is."""
    words = 2 if cursor.at_any("READ", "REPEATABLE") else 1
    level = " ".join(cursor.peek(ahead).key for ahead in range(words))
    if level == "SERIALIZABLE":
        raise cursor.unsupported("every transaction has snapshot isolation, which is less than SERIALIZABLE")
    if level not in AT_MOST_SNAPSHOT:
        raise cursor.error(f"expected an isolation level, found {cursor.found()}")
    cursor.position += words


def parse_commit(cursor: Cursor) -> Commit:
    """Read `COMMIT [TRANSACTION | WORK]`."""
    _skip_transaction_word(cursor)
    return Commit()


def parse_rollback(cursor: Cursor) -> Rollback:
    """Read `ROLLBACK [TRANSACTION | WORK] [TO [SAVEPOINT] name]`."""
    _skip_transaction_word(cursor)
    if not cursor.accept("TO"):
        return Rollback()
    return Rollback(_savepoint_name(cursor))


def parse_savepoint(cursor: Cursor) -> Savepoint:
    """Read the name behind SAVEPOINT."""
    return Savepoint(cursor.name("savepoint"))


def parse_release(cursor: Cursor) -> Release:
    """Read `RELEASE [SAVEPOINT] name`."""
    return Release(_savepoint_name(cursor))


def _savepoint_name(cursor: Cursor) -> str:
    if is_identifier(cursor.peek(1)):
        cursor.accept("SAVEPOINT")
    return cursor.name("savepoint")


def _skip_transaction_word(cursor: Cursor) -> None:
    cursor.accept_any("TRANSACTION", "WORK")


def parse_set(cursor: Cursor) -> Statement:
    """Read `SET NAMESPACE name`, `SET TRANSACTION …`, or `SET [SESSION] option = value, …`."""
    if cursor.at_any("NAMESPACE", "SCHEMA") and cursor.peek(1).key not in {"=", "TO", "."}:
        cursor.next()
        is_text = cursor.peek().kind is Kind.STRING
        return UseNamespace(option_value(cursor) if is_text else cursor.namespace())
    if cursor.at("LOCAL"):
        raise cursor.unsupported("SET LOCAL is not supported; SET holds for the session")
    if cursor.accept("SESSION", "CHARACTERISTICS", "AS", "TRANSACTION"):
        return SetTransaction(_some_modes(cursor), lasts=True)
    if is_identifier(cursor.peek(1)):
        cursor.accept("SESSION")
    if cursor.at("TRANSACTION") and cursor.peek(1).key not in {"=", "TO", "."}:
        cursor.next()
        return SetTransaction(_some_modes(cursor))
    if cursor.accept("TIME", "ZONE"):
        return _setting(cursor, "timezone")
    if cursor.at("NAMES") and cursor.peek(1).key not in {"=", "TO", "."}:
        cursor.next()
        return _setting(cursor, "client_encoding")
    name = cursor.dotted("setting")
    if not cursor.accept_any("=", "TO"):
        raise cursor.error(f"expected = and a value, found {cursor.found()}")
    return _setting(cursor, name)


def _setting(cursor: Cursor, name: str) -> SetOption | ResetOption:
    """Read the value of a setting, or the values; DEFAULT returns it to what it was."""
    if cursor.accept("DEFAULT") or (name == "timezone" and cursor.accept("LOCAL")):
        return ResetOption(name)
    values = cursor.separated(lambda: option_value(cursor))
    return SetOption(name, values[0] if len(values) == 1 else values)


def _some_modes(cursor: Cursor) -> TransactionModes:
    if cursor.at_end():
        raise cursor.error("expected a transaction mode")
    return _transaction_modes(cursor)


def parse_reset(cursor: Cursor) -> ResetOption:
    """Read the name behind RESET."""
    return ResetOption(cursor.dotted("setting"))


def parse_use(cursor: Cursor) -> UseNamespace:
    """Read `USE [NAMESPACE | SCHEMA] name`."""
    if is_identifier(cursor.peek(1)):
        cursor.accept_any("NAMESPACE", "SCHEMA")
    return UseNamespace(cursor.namespace())


def parse_kill(cursor: Cursor) -> Statement:
    """Read what follows KILL: `QUERY number`, `SESSION id` or `JOB id`."""
    if cursor.accept("QUERY"):
        number = option_value(cursor)
        if not number.isdecimal():
            raise cursor.error(f"a query is named by its number, not by {number!r}; see system.queries")
        return KillQuery(int(number))
    if cursor.accept("SESSION"):
        return KillSession(option_value(cursor))
    if cursor.accept("JOB"):
        return KillJob(option_value(cursor))
    raise cursor.error(f"expected QUERY, SESSION or JOB, found {cursor.found()}")
