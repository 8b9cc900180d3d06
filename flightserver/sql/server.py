"""The grammar of statements about the server as a whole: its settings, its backups, and checks of what it keeps."""

from flightserver.sql.commands import table_or_all
from flightserver.sql.options import option_value
from flightserver.sql.server_statements import (
    Backup,
    CheckAuditLog,
    CheckBackup,
    CheckTables,
    ResetSetting,
    SetSetting,
)
from flightserver.sql.statements import Statement
from flightserver.sql.text.cursor import Cursor


def parse_alter_system(cursor: Cursor) -> Statement:
    """Read what follows ALTER SYSTEM: `SET setting = value` or `RESET setting`."""
    if cursor.accept("RESET"):
        return ResetSetting(cursor.dotted("setting"))
    if not cursor.accept("SET"):
        raise cursor.error(f"expected SET or RESET and a setting, found {cursor.found()}")
    name = cursor.dotted("setting")
    if not cursor.accept_any("=", "TO"):
        raise cursor.error(f"expected = and a value, found {cursor.found()}")
    return SetSetting(name, option_value(cursor))


def parse_backup(cursor: Cursor) -> Backup:
    """Read what follows BACKUP: `TO 'name'`."""
    cursor.expect("TO")
    return Backup(option_value(cursor))


def parse_check(cursor: Cursor) -> Statement:
    """Read what follows CHECK: `TABLE table`, `ALL`, `AUDIT LOG` or `BACKUP 'name'`."""
    if cursor.accept("BACKUP"):
        return CheckBackup(option_value(cursor))
    if cursor.accept("AUDIT", "LOG"):
        return CheckAuditLog()
    if cursor.at_any("TABLE", "ALL"):
        return CheckTables(table_or_all(cursor))
    raise cursor.error(f"expected TABLE and a table, ALL, AUDIT LOG or BACKUP, found {cursor.found()}")
