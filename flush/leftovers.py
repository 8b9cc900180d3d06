"""What a start finds of tables that are not in the catalog, and of statements that were cut off.

What is known to be gone is deleted: tables that were dropped, and tables that never came to be. What nobody knows is
kept, for it may be the catalog that lacks something: its folders are moved aside, and come back when the catalog knows
them again. A catalog without any table knows so little that nothing is even moved. Constraints are taken away that were
about to be added: nobody has looked at all rows, and nobody was told that they hold.
"""

import logging

from catalog.constraints import all_proven
from catalog.store import CatalogStore
from providers.cold.scope_folder import TableFolders
from providers.commit.scope_store import ScopeStore

log = logging.getLogger(__name__)


def clear_leftovers(catalog: CatalogStore, store: ScopeStore, folders: TableFolders, *, after_loss: bool) -> None:
    """Delete what is left of tables that are gone, and put aside what is unknown, before anybody else is served.

    After the loss of some commits was accepted, the records of what is gone may be older than what they speak of: then
    nothing is deleted.
    """
    catalog.change(all_proven)
    known = set(catalog.registry.ids)
    catalog.skip_table_ids(max([0, *folders.table_ids(), *folders.ids_aside(), *store.hot_records.tables()]))
    for place in folders.bring_back(known - folders.table_ids()):
        log.warning("%s is known again and was brought back", place)
    gone = catalog.gone_tables() - known
    if not after_loss:
        folders.remove(gone)
        store.forget_tables(gone)
    catalog.forget_gone(gone)
    unknown = folders.table_ids() - known
    if unknown and not known:
        log.warning("the catalog has no table, and there are folders of %d: they are left as they are", len(unknown))
    elif unknown:
        for place in folders.set_aside(unknown):
            log.warning("%s is a table's folder that the catalog does not know: it is kept there", place)


def reclaim_dropped(catalog: CatalogStore, store: ScopeStore, folders: TableFolders) -> int:
    """Delete the folders of dropped tables that nobody reads any more; return of how many."""
    unread = (store.dropped_tables - store.tables_in_use()) & catalog.gone_tables()
    if not unread:
        return 0
    with store.stillness.together():
        folders.remove(unread)
    catalog.forget_gone(unread)
    store.dropped_tables -= unread
    return len(unread)
