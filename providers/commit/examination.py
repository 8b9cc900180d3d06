"""What of a scope is damaged, as far as it is known: what was met before is looked at again, for it may be whole now.

Of a scope that is not in memory, its manifest and deletion files are read, and its hot rows if it has any.
"""

from catalog.definition import Scope, TableDef
from catalog.errors import DatabaseError
from providers.cold.files import ColdFiles
from providers.commit.definitions import StaleDefinitionError
from providers.commit.scope_store import ScopeStore
from providers.damage import Damage, DamagedError, DamagedPart
from providers.snapshot import ColdState


def damage_of(store: ScopeStore, table: TableDef, user: str | None) -> list[Damage]:
    """Everything that is known to be damaged of a scope; `table` is its committed definition."""
    scope, damages = Scope(table.id, user), store.files.damages
    try:
        cold = _examined(store, table, user)
    except DamagedError as error:
        return [error.damage]
    except StaleDefinitionError:
        return []
    except DatabaseError as error:
        return [Damage(table.name, scope, DamagedPart.RECORDS, error.message)]
    for damage in damages.of_scope(scope):
        if _is_whole_again(store.files, cold, damage):
            damages.forget(damage)
    return damages.of_scope(scope)


def _examined(store: ScopeStore, table: TableDef, user: str | None) -> ColdState:
    """What a scope's files say, if all of it can be read that is needed to load it."""
    if store.hot_records.are_there(Scope(table.id, user)):
        return store.state(table, user).head.cold
    return store.cold_state(table, user)


def _is_whole_again(files: ColdFiles, cold: ColdState, damage: Damage) -> bool:
    """Tell whether what was damaged is gone, or is what was written; the scope can be loaded."""
    if damage.part.stops_loading:
        return True
    entry = cold.manifest.by_number.get(damage.batch or 0)
    if entry is None:
        return True
    verify = files.verify if damage.part is DamagedPart.BATCH else files.verify_bloom
    try:
        verify(cold, entry)
    except DamagedError:
        return False
    return True
