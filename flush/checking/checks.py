"""Checks of what a server serves: of some tables, or of everything.

What is found is known from then on: statements that would meet it fail by its name, and what can be put back is, by a
job. By a damaged manifest or deletion file of a scope that is in memory nothing fails, so that is only put back.
"""

from collections.abc import Collection, Iterable

from catalog.definition import Scope, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import KeyValueStore
from flush.checking.findings import FROM_A_COPY, Finding
from flush.checking.records import check_records
from flush.checking.scopes import StoredScope, check_scope
from flush.partitions import users_of
from flush.work import Work
from providers.commit.scope_store import ScopeStore
from providers.damage import Damage


def check_all(store: ScopeStore, keyvalue: KeyValueStore, tables: Collection[TableDef], work: Work) -> list[Finding]:
    """Everything that is damaged of some tables, whoever's rows they have, and of what belongs to no table."""
    found = []
    for table in tables:
        found += check_table(store, keyvalue, table, None, work)
    return [*found, *check_records(keyvalue, work)]


def check_table(
    store: ScopeStore, keyvalue: KeyValueStore, table: TableDef, users: Iterable[str | None] | None, work: Work
) -> list[Finding]:
    """Everything that is damaged of a table's rows: those of some users, or (None) of all."""
    found: list[Finding] = []
    try:
        for user in users_of(store, table) if users is None else users:
            work.check()
            stored = StoredScope(keyvalue, store.folder_of(table, user), table, Scope(table.id, user))
            damages = check_scope(stored, work)
            _tell(store, stored.scope, damages)
            found += map(Finding.of, damages)
    except DatabaseError as error:
        if error.kind is not ErrorKind.CORRUPT:
            raise
        found.append(Finding(table.name, None, "the records", error.message, FROM_A_COPY))
    return found


def _tell(store: ScopeStore, scope: Scope, found: Iterable[Damage]) -> None:
    """Let others know what is damaged of a scope."""
    state = store.in_memory(scope)
    for damage in found:
        entry = None if state is None else state.head.manifest.by_number.get(damage.batch or 0)
        if state is None or not damage.part.stops_loading:
            store.files.damages.note(damage)
        elif damage.part.may_be_derived:
            store.files.damages.wish_repair(scope)
        if entry is not None:
            store.files.distrust(scope, entry)
