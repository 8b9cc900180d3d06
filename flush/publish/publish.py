"""Publication of a scope: its Delta table shows what files alone hold, and what was promised to nobody goes.

Work in the background, after the commit; it holds no lock of writers. Several manifests that came meanwhile are one
version of the table. What is shown is the table as it was at one commit, the last that was flushed: a row that was
changed later is there as it was. With segments it is not shown: those are no Parquet files, and will soon be some.
Cut off anywhere it is begun again: deletion vectors come out the same, and the log's newest version is what there is.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.definition import Scope, TableDef
from catalog.errors import DatabaseError, ErrorKind
from flush.publish.actions import Shown, new_dead_rows, next_version
from flush.publish.columns import check_publishable
from flush.publish.log import append, log_of, read_log, remove_log, shorten, with_checkpoint
from flush.publish.vectors import FILE_VECTORS_MAX, encode_vectors
from manifest.dead_rows import DeadRows
from manifest.layout import batch_of_file, retired_name, staged_name
from manifest.published import Published, Vector
from providers.cold.scope_folder import ScopeFolder
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.snapshot import Snapshot

ATTEMPTS = 3
"""How often a version is tried whose number somebody else takes each time."""


@dataclass(frozen=True)
class PublishedNow:
    """What became of a scope: the version that shows it, None if there is none, and whether anything was done."""

    version: int | None
    changed: bool


def publish(store: ScopeStore, state: ScopeState) -> PublishedNow:
    """Let the Delta table of a scope show what its manifest says now, or be gone if nobody wants one."""
    with state.publishing:
        snapshot = state.published
        folder = snapshot.cold.folder
        if not snapshot.table.is_published:
            state.publication = state.in_files = None
            with store.stillness.together():
                return PublishedNow(None, remove_log(folder))
        check_publishable(snapshot.table)
        for _ in range(ATTEMPTS):
            before, rows = publication_of(state, snapshot), rows_in_files(state)
            try:
                after = before if rows is None else _shown(folder, before, rows)
            except FileExistsError:
                state.publication = None
                continue
            state.publication = _without_expired(store, folder, after, snapshot.table)
            return PublishedNow(after.version, changed=after.version > before.version)
    raise DatabaseError(
        ErrorKind.UNAVAILABLE, f"somebody else writes versions of the Delta table of {snapshot.table.name}"
    )


def rows_in_files(state: ScopeState) -> Snapshot | None:
    """The newest state that other engines can be shown, None if there is none: that takes a flush."""
    snapshot = state.published
    if not snapshot.has_unflushed:
        state.has_in_files(snapshot)
    found = state.in_files
    return None if found is None or found.manifest.segments else found


def publication_of(state: ScopeState, snapshot: Snapshot) -> Published:
    """What is published of a scope, from its log when nobody has looked before."""
    if state.publication is None:
        state.publication = read_log(snapshot.cold.folder)
    return state.publication


def held(state: ScopeState, now_s: float) -> frozenset[str]:
    """The files of a scope that readers of its Delta table were promised, with the marks of retired batches.

    A batch that stays must not look as if it were current to whoever makes a lost manifest again.
    """
    table = state.head.table
    if not table.is_published:
        return frozenset()
    names = publication_of(state, state.head).held(_since_ms(table, now_s))
    batches = (batch_of_file(name) for name in names)
    return names.union(retired_name(batch) for batch in batches if batch is not None)


def expires_in(published: Published, table: TableDef, now_s: float) -> float | None:
    """After how many seconds something of what was let go is promised to nobody any more."""
    if not published.let_go:
        return None
    return max(published.let_go[0].at_ms / 1_000 + table.options.publication.retention_seconds - now_s, 0.0)


def _shown(folder: ScopeFolder, before: Published, rows: Snapshot) -> Published:
    """Make the next version, if there is anything new."""
    vectors = _with_vectors(folder, rows.scope, new_dead_rows(before, rows))
    actions, after = next_version(before, Shown(rows, int(time.time() * 1_000)), vectors)
    if actions:
        append(folder, after, actions)
        after = with_checkpoint(folder, after)
    return after


def _with_vectors(folder: ScopeFolder, scope: Scope, dead: Mapping[int, DeadRows]) -> Mapping[int, Vector]:
    """Write the deletion vectors of some batches, durably."""
    vectors: dict[int, Vector] = {}
    batches = list(dead)
    for start in range(0, len(batches), FILE_VECTORS_MAX):
        some = {batch: dead[batch] for batch in batches[start : start + FILE_VECTORS_MAX]}
        found, data = encode_vectors(f"{scope.table_id} {scope.user}", some)
        path = found[batches[start]].path
        folder.write_synced(staged_name(path), data)
        folder.rename(staged_name(path), path)
        vectors |= found
    if vectors:
        folder.sync()
    return vectors


def _without_expired(store: ScopeStore, folder: ScopeFolder, published: Published, table: TableDef) -> Published:
    """Delete the log's old versions, and deletion vectors that nobody was promised any more."""
    now = time.time()
    expired, left = published.expired(_since_ms(table, now))
    if left is not published or published.version == published.checkpoint:
        with store.stillness.together():
            _delete(folder, expired)
            shorten(folder, left, now - table.options.publication.retention_seconds)
    return left


def _delete(folder: ScopeFolder, names: Iterable[str]) -> None:
    for name in names:
        folder.unlink(name)


def _since_ms(table: TableDef, now_s: float) -> int:
    return int((now_s - table.options.publication.retention_seconds) * 1_000)


def is_published_whole(state: ScopeState) -> bool:
    """Tell whether what is published is the newest that can be shown, as far as somebody has looked."""
    published = state.publication
    if not state.published.table.is_published:
        return published is None
    rows = rows_in_files(state)
    if rows is None:
        return True
    return (
        published is not None
        and published.manifest == rows.manifest.version
        and published.definition == rows.table.version
    )


def waits_for_flush(state: ScopeState) -> bool:
    """Tell whether only a flush leads to rows that can be shown, and read by the newest definition."""
    snapshot = state.published
    if not snapshot.table.is_published or not snapshot.has_unflushed or snapshot.manifest.segments:
        return False
    rows = rows_in_files(state)
    return rows is None or rows.table.version != snapshot.table.version


def is_behind(store: ScopeStore, table: TableDef, user: str | None) -> bool:
    """Tell whether a scope, which need not be in memory, has another Delta table than it should have, or old files."""
    folder = store.folder_of(table, user)
    if not table.is_published:
        return bool(log_of(folder).names())
    known, published = store.known_manifest(table, user), read_log(folder)
    newest = 0 if known is None else known.version
    return published.manifest != newest or published.definition != table.version or bool(published.let_go)
