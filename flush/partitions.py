"""Whose rows a table has, whether anybody has used them since the start or not."""

from collections.abc import Sequence

from catalog.definition import TableDef
from providers.commit.scope_store import ScopeStore


def loaded_users(store: ScopeStore, table: TableDef) -> set[str | None]:
    """Those whose rows of a table are in memory."""
    return {state.head.scope.user for state in store.loaded() if state.head.table.id == table.id}


def users_of(store: ScopeStore, table: TableDef) -> Sequence[str | None]:
    """The users (None for a SHARED table) who have rows of a table, or had some."""
    with_files = (scope.user for scope in store.manifests.published(table.id))
    return sorted({*with_files, *store.hot_records.users(table)}, key=lambda user: user or "")
