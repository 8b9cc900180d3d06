"""Kept manifests as users see them: of tables that they may inspect, and of those their own rows; admins see all."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from catalog.definition import TableDef, TableKind
from catalog.grants import Privilege
from flightserver.access.rights import Use
from flightserver.access.row_rules import rule_on_rows
from flightserver.context import Context
from flightserver.database import Database
from providers.commit.scope_store import ScopeStore

_TIME = pa.timestamp("us", tz="UTC")

MANIFEST_CACHE = pa.schema(
    [
        ("namespace", pa.string()),
        ("table", pa.string()),
        ("user", pa.string()),
        ("version", pa.int64()),
        ("batches", pa.int64()),
        ("rows", pa.int64()),
        ("dead", pa.int64()),
        ("bytes", pa.int64()),
        ("etag", pa.string()),
        ("last_refreshed", _TIME),
        ("last_accessed", _TIME),
        ("source", pa.string()),
        ("sync_state", pa.string()),
    ]
)


def manifests_seen(database: Database, context: Context) -> Iterator[dict[str, object]]:
    """A row for each scope that has a manifest and is a user's business; a table with hidden rows is not."""
    committed = replace(context, work=database.autocommit).door
    for table in context.door.tables(Use.INSPECT):
        known = committed.find_table(table.name, Use.INSPECT)
        if known is None or known.id != table.id or rule_on_rows(context.door, table, Privilege.SELECT) is not None:
            continue
        for user in users_seen(database.store, known, context):
            found = database.store.known_manifest(known, user)
            if found is not None:
                yield {
                    "namespace": known.name.namespace,
                    "table": known.name.table,
                    "user": user,
                    "version": found.version,
                    "batches": found.batches,
                    "rows": found.rows,
                    "dead": found.dead,
                    "bytes": found.bytes,
                    "etag": found.etag,
                    "last_refreshed": _moment(found.last_refreshed),
                    "last_accessed": _moment(found.last_accessed),
                    "source": found.source.value,
                    "sync_state": found.sync_state and found.sync_state.value,
                }


def users_seen(store: ScopeStore, table: TableDef, context: Context) -> Iterator[str | None]:
    """Whose scopes of a table a user sees."""
    if table.kind is not TableKind.USER:
        yield None
    elif context.principal.is_admin:
        yield from (scope.user for scope in store.manifests.published(table.id))
    else:
        yield context.user


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
