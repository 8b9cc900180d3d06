"""What statements read and write: the committed state at once, or a transaction's own view of it.

`Work` is what execution knows. `Autocommit` makes each change durable by itself; `Transaction` (in `transaction.py`)
keeps changes to itself until it is committed. Both hold a change against the definition that it is committed by (see
`definitions.py`): the table of a `ScopeOf` is the one that the statement looked up.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Protocol

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import AtomicWrite
from catalog.registry import Registry
from catalog.store import CatalogStore
from catalog.store import Change as DefinitionChange
from manifest.predicate import Predicate
from providers.commit.definitions import require_columns, require_same
from providers.commit.first_rows import FirstRows, Writes
from providers.commit.idempotency import Outcome, put_outcome
from providers.commit.request import PLAIN, Request
from providers.commit.resolve import OnExisting
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.commit.uniqueness import resolve
from providers.rows.change import Change, RowsOfUsers
from providers.rows.keys import Keys
from providers.snapshot import Snapshot

ScopeOf = tuple[TableDef, str | None]
"""A table, and whose partition of it (None for a SHARED one)."""

Build = Callable[[Snapshot], Change]
"""Derives a change from a state of its scope."""

Written = Iterable[tuple[Keys, Predicate | None]]
"""Keys about to be written, some at a time, with what all rows that have them satisfy."""

Refuse = Callable[[Snapshot, Written], None]
"""Looks at a scope's newest state and at what is about to be written; may raise."""


class StagedLoad(Protocol):
    """A large stream into one scope that lies in files which no manifest names yet.

    One that `replaces` takes the place of every row of the scope.
    """

    @property
    def replaces(self) -> bool:
        """Whether older rows go."""

    def commit(self, request: Request = PLAIN, refuse: Refuse | None = None) -> Outcome:
        """Make it visible and durable by itself; `refuse` may raise for what it finds in the newest state."""

    def over(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot in which it has happened, for readers who may see it before it is committed."""

    def offered(self) -> int:
        """How many rows it has."""

    def abort(self) -> None:
        """Delete its files."""


class Work(Protocol):
    """A view of the database that can be changed."""

    @property
    def registry(self) -> Registry:
        """The definitions."""

    def snapshots(self, scopes: Sequence[ScopeOf]) -> list[Snapshot]:
        """The rows of some scopes, all as of one moment."""

    def write(self, scope: ScopeOf, build: Build, rule: OnExisting, request: Request = PLAIN) -> Outcome:
        """Carry out the change that `build` derives from the newest state of a scope.

        StaleDefinitionError when that is not read by the definition that `build` was made for.
        """

    def offer(
        self,
        scope: ScopeOf,
        change: Change,
        named: Collection[str],
        rule: OnExisting,
        request: Request = PLAIN,
    ) -> Outcome:
        """Write rows in which a client named some columns; those that came since have their default.

        StaleDefinitionError when one of the columns is not the same any more.
        """

    def offer_each(
        self,
        table: TableDef,
        rows: RowsOfUsers,
        named: Collection[str],
        rule: OnExisting,
        request: Request = PLAIN,
    ) -> Outcome:
        """Write rows of some users to a USER table as one commit, as `offer` does to one scope."""

    def staging(self, scope: ScopeOf) -> ScopeState:
        """The scope into whose folder a large stream may be staged."""

    def take(self, scope: ScopeOf, load: StagedLoad, request: Request = PLAIN) -> Outcome:
        """Carry out a staged load."""

    def define(self, change: DefinitionChange, request: Request = PLAIN) -> None:
        """Change definitions. Tables that the change leaves out are dropped."""


class Autocommit:
    """Every change is a commit."""

    def __init__(self, catalog: CatalogStore, store: ScopeStore) -> None:
        self._catalog = catalog
        self._store = store

    @property
    def registry(self) -> Registry:
        """The definitions as they are now."""
        return self._catalog.registry

    def snapshots(self, scopes: Sequence[ScopeOf]) -> list[Snapshot]:
        """What a reader that starts now sees."""
        return self._store.snapshots(scopes)

    def write(self, scope: ScopeOf, build: Build, rule: OnExisting, request: Request = PLAIN) -> Outcome:
        """Commit a change: nobody else's commit to the scope comes between `build` and it."""
        return self._store.write(self._store.state(*scope), derived(scope, build), rule, request)

    def offer(
        self,
        scope: ScopeOf,
        change: Change,
        named: Collection[str],
        rule: OnExisting,
        request: Request = PLAIN,
    ) -> Outcome:
        """Commit rows."""
        return self._store.write(self._store.state(*scope), offered(scope, change, named), rule, request)

    def offer_each(
        self,
        table: TableDef,
        rows: RowsOfUsers,
        named: Collection[str],
        rule: OnExisting,
        request: Request = PLAIN,
    ) -> Outcome:
        """Commit rows of some users as one."""
        first = FirstRows.of(table, rows, self._store.allocator)
        outcomes: list[Outcome] = []
        stages = []
        for place, (user, change) in enumerate(rows.parts()):
            state = self._store.state(table, user)
            replayed = self._store.replayed(state, request.idempotency)
            if replayed is not None:
                outcomes.append(replayed)
            usual = partial(self._written, offered((table, user), change, named), rule)
            writes = usual if first is None else partial(first.write, place, usual)
            stages.append((state, self._staged(state, writes, request, outcomes)))
        if not outcomes:
            self._store.write_together(stages, AtomicWrite())
            self._store.after_writing([state for state, _ in stages])
        elif len(outcomes) < len(rows.users):
            raise DatabaseError(ErrorKind.CONFLICT, "the idempotency key was used before, for a part of the stream")
        return Outcome.together(outcomes)

    def _written(self, build: Build, rule: OnExisting, head: Snapshot, batch: AtomicWrite) -> tuple[Snapshot, int]:
        """Put the rows of one of several scopes into a batch; return the snapshot after it, and how many they are."""
        resolved = resolve(head, build(head), rule, self._store.files)
        return self._store.stage(head, resolved, batch), resolved.affected

    def _staged(
        self,
        state: ScopeState,
        writes: Writes,
        request: Request,
        outcomes: list[Outcome],
    ) -> Callable[[Snapshot, AtomicWrite], Snapshot]:
        """Puts the rows of one scope into a batch, and notes what becomes of them."""

        def stage(head: Snapshot, batch: AtomicWrite) -> Snapshot:
            if self._store.replayed(state, request.idempotency) is not None:
                raise DatabaseError(
                    ErrorKind.CONFLICT, "the same stream was committed meanwhile; it is not taken twice"
                )
            after, affected = writes(head, batch)
            outcome = Outcome(affected, after.last_seq)
            put_outcome(batch, head.scope, request.idempotency, outcome)
            request.audit(batch, outcome, head.scope.user)
            outcomes.append(outcome)
            return after

        return stage

    def staging(self, scope: ScopeOf) -> ScopeState:
        """The scope itself."""
        return self._store.state(*scope)

    def take(self, scope: ScopeOf, load: StagedLoad, request: Request = PLAIN) -> Outcome:
        """Commit a staged load."""
        state = self._store.state(*scope)  # before the commit: nothing may fail after it
        outcome = load.commit(request)
        self._store.after_writing([state])
        return outcome

    def define(self, change: DefinitionChange, request: Request = PLAIN) -> None:
        """Change the catalog."""
        dropped: list[TableDef] = []

        def noted(before: Registry) -> Registry:
            after = change(before)
            dropped.extend(before.left_out_by(after))
            return after

        self._catalog.change(noted, request.complete)
        for table in dropped:
            self._store.drop_table(table)


def derived(scope: ScopeOf, build: Build) -> Build:
    """`build`, for the definition that it was made for alone."""

    def checked(snapshot: Snapshot) -> Change:
        require_same(scope[0], snapshot.table)
        return build(snapshot)

    return checked


def offered(scope: ScopeOf, change: Change, named: Collection[str]) -> Build:
    """Rows, for every definition in which the columns that were named are the same."""

    def read_by(snapshot: Snapshot) -> Change:
        require_columns(scope[0], snapshot.table, named)
        return change.read_by(snapshot.table)

    return read_by
