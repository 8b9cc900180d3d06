"""What other engines read, as users see it: of tables that they may inspect, their own rows; admins see all.

A path is that below the folder of tables: where that is, nobody is told.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from catalog.definition import Scope, TableDef
from catalog.grants import Privilege
from flightserver.access.rights import Use
from flightserver.access.row_rules import rule_on_rows
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.manifests_seen import users_seen
from flush.publish.log import read_log
from flush.publish.publish import is_published_whole
from manifest.layout import scope_folder
from manifest.published import Published
from providers.commit.scope_store import ScopeStore

PUBLISHED = pa.schema(
    [
        ("namespace", pa.string()),
        ("table", pa.string()),
        ("user", pa.string()),
        ("path", pa.string()),
        ("manifest_version", pa.int64()),
        ("delta_version", pa.int64()),
        ("rows", pa.int64()),
        ("age_s", pa.float64()),
        ("lag_s", pa.float64()),
    ]
)


def published_seen(database: Database, context: Context) -> Iterator[dict[str, object]]:
    """A row for each scope that is published and is a user's business; a table with hidden rows is not."""
    committed = replace(context, work=database.autocommit).door
    for table in context.door.tables(Use.INSPECT):
        known = committed.find_table(table.name, Use.INSPECT)
        if known is None or known.id != table.id or not known.is_published:
            continue
        if rule_on_rows(context.door, table, Privilege.SELECT) is not None:
            continue
        for user in users_seen(database.store, known, context):
            found = _publication(database.store, known, user)
            if found.version >= 0:
                yield {
                    "namespace": known.name.namespace,
                    "table": known.name.table,
                    "user": user,
                    "path": scope_folder(Path(), known, Scope(known.id, user)).as_posix(),
                    "manifest_version": found.manifest,
                    "delta_version": found.version,
                    "rows": found.rows,
                    "age_s": _seconds_since(found.at_ms / 1_000),
                    "lag_s": _lag(database.store, known, user, found),
                }


def _publication(store: ScopeStore, table: TableDef, user: str | None) -> Published:
    state = store.in_memory(Scope(table.id, user))
    known = None if state is None else state.publication
    return read_log(store.folder_of(table, user)) if known is None else known


def _lag(store: ScopeStore, table: TableDef, user: str | None, found: Published) -> float:
    """For how long the newest manifest has been waiting to be shown."""
    state = store.in_memory(Scope(table.id, user))
    if state is not None and is_published_whole(state):
        return 0.0
    newest = store.known_manifest(table, user)
    if newest is None or newest.version == found.manifest or newest.last_refreshed is None:
        return 0.0
    return _seconds_since(datetime.fromisoformat(newest.last_refreshed).timestamp())


def _seconds_since(moment_s: float) -> float:
    return max(datetime.now(UTC).timestamp() - moment_s, 0.0)
