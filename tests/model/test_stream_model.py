"""Random histories of STREAM tables, with time passing, against lists.

Rows of a SHARED stream and of two users of another one are appended, deleted, expire, leave by size, and are evicted
or not, in any order, over changed limits and restarts, while readers and a transaction look as of earlier moments. Each
row says by its `_seq` when it was committed; whatever storage has done, a reader sees exactly what should be there.
`FLIGHTSERVER_MODEL_EXAMPLES` sets how many histories are tried.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from catalog.definition import Scope, StreamLimits, TableDef, TableKind, TableOptions
from catalog.evolution import set_options
from flush.stream_eviction import evict, evict_everything, evict_unloaded
from providers.commit.resolve import OnExisting
from providers.commit.transaction import Transaction
from providers.rows.change import Change
from providers.rows.sequence import AHEAD_TICKS, SEQUENCE_BITS, moment_of
from providers.snapshot import Snapshot
from tests.storage_fixtures import Database, TableAccess

pytestmark = pytest.mark.proof

SCOPES = ("shared", "ann", "bob")
SCOPE = st.sampled_from(SCOPES)
START_MS = 1_800_000_000_000
AHEAD_MS = AHEAD_TICKS >> SEQUENCE_BITS
"""By so much may each restart put ids ahead of the clock."""
PINNED_MAX = 4

Seqs = dict[int, int]
"""Rows by their number, each with its `_seq`, oldest first."""


@dataclass
class Pinned:
    """A reader that began some time ago."""

    scope: str
    snapshot: Snapshot
    expected: list[int]


@dataclass
class Open:
    """A transaction, what it saw of a scope when it began, and the numbers that it has appended."""

    scope: str
    transaction: Transaction
    seen: list[int]
    appended: list[int]


class StreamModel(RuleBasedStateMachine):
    """The database, and what it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="streams-"))
        self.now_ms = START_MS
        self.limits = {name: StreamLimits(ttl_seconds=20) for name in ("all", "each")}
        self.contents: dict[str, Seqs] = {scope: {} for scope in SCOPES}
        self.numbers = 0
        self.starts = 1
        self.pinned: list[Pinned] = []
        self.open: Open | None = None

    @initialize()
    def create(self) -> None:
        """One stream for everybody, and one with rows of each user."""
        self.db = Database(self.root)
        for name, kind in (("all", TableKind.SHARED), ("each", TableKind.USER)):
            self.db.create(
                [("n", pa.int64())], (), name=name, kind=kind, options=TableOptions(stream=self.limits[name])
            )
        self.use_clock()

    def teardown(self) -> None:
        """Leave no folder behind."""
        self.pinned.clear()
        if hasattr(self, "db"):
            self.db.close()
        shutil.rmtree(self.root)

    # -- helpers

    def use_clock(self) -> None:
        """Let time pass only as this history says."""
        self.db.store.allocator._clock_ms = lambda: self.now_ms

    @staticmethod
    def name_of(scope: str) -> str:
        """The table of a scope."""
        return "all" if scope == "shared" else "each"

    def table(self, scope: str) -> TableAccess:
        """The table of a scope, as its user."""
        name = next(known for known in self.db.catalog.registry.tables if known.table == self.name_of(scope))
        return TableAccess(self.db, name, None if scope == "shared" else scope)

    def rows(self, count: int) -> list[dict[str, int]]:
        """New rows."""
        found = [{"_row": self.numbers + place, "n": self.numbers + place} for place in range(count)]
        self.numbers += count
        return found

    def expire(self) -> None:
        """Let go what is too old: for good, as time does not go back."""
        for scope, rows in self.contents.items():
            since = self.now_ms - self.limits[self.name_of(scope)].ttl_seconds * 1000
            self.contents[scope] = {n: seq for n, seq in rows.items() if moment_of(seq) >= since}

    def keep(self, scope: str) -> None:
        """Let go what is too much, as commits and evictions do."""
        self.expire()
        self.keep_newest(scope)

    def appended(self, scope: str, numbers: list[int]) -> None:
        """Take new rows over, of which the database says when they came."""
        stored = self.stored(scope)
        known = list(self.contents[scope].values())
        rows = {n: stored[n] for n in numbers if n in stored}
        assert not known or not rows or min(rows.values()) > max(known)
        assert all(self.now_ms <= moment_of(seq) <= self.now_ms + self.starts * (AHEAD_MS + 1) for seq in rows.values())
        gone = [n for n in numbers if n not in stored]
        assert gone == numbers[: len(gone)]
        everything = {**self.contents[scope], **dict.fromkeys(gone, max([0, *known])), **rows}
        limit = self.limits[self.name_of(scope)].max_rows
        assert not gone or limit is not None
        self.contents[scope] = everything
        self.keep_newest(scope)

    def keep_newest(self, scope: str) -> None:
        """Let go what is too much, of rows that are young."""
        rows_max = self.limits[self.name_of(scope)].max_rows
        rows = list(self.contents[scope].items())
        self.contents[scope] = dict(rows if rows_max is None else rows[-rows_max:])

    def stored(self, scope: str, snapshot: Snapshot | None = None) -> Seqs:
        """What a reader sees, oldest first."""
        table = self.table(scope)
        listed = table.query(f'SELECT n, _seq FROM "{table.name.table}"', snapshot).to_pylist()
        assert len({row["n"] for row in listed}) == len(listed)
        return {row["n"]: row["_seq"] for row in sorted(listed, key=lambda row: row["_seq"])}

    # -- writes

    @rule(scope=SCOPE, count=st.integers(1, 6))
    def append(self, scope: str, count: int) -> None:
        """Some rows, in one commit."""
        rows = self.rows(count)
        self.table(scope).write(*rows)
        self.expire()
        self.appended(scope, [row["n"] for row in rows])

    @rule(scope=SCOPE, remainder=st.integers(0, 2))
    def delete(self, scope: str, remainder: int) -> None:
        """Every third row."""
        self.expire()
        gone = [n for n in self.contents[scope] if n % 3 == remainder]
        if gone:
            self.table(scope).delete(*({"_row": n} for n in gone))
            self.contents[scope] = {n: seq for n, seq in self.contents[scope].items() if n not in gone}
            self.keep(scope)

    @rule(scope=SCOPE)
    def truncate(self, scope: str) -> None:
        """Every row."""
        self.expire()
        assert evict_everything(self.db.store, self.table(scope).state) >= 0
        self.contents[scope] = {}

    # -- time, eviction, restarts

    @rule(seconds=st.sampled_from([0.001, 1.0, 4.9, 5.1, 12.0, 21.0]))
    def pass_time(self, seconds: float) -> None:
        """Time passes."""
        self.now_ms += round(seconds * 1000)

    @rule(scope=SCOPE)
    def evict(self, scope: str) -> None:
        """The job runs."""
        evict(self.db.store, self.table(scope).state)
        self.keep(scope)

    @rule(scope=SCOPE)
    def flush(self, scope: str) -> None:
        """There is nothing to flush."""
        assert self.table(scope).flush().batches == 0

    @rule(evicted=st.sampled_from([None, *SCOPES]))
    def reopen(self, evicted: str | None) -> None:
        """Everything comes from disk again; the job may run before a scope is loaded."""
        self.pinned.clear()
        self.open = None
        self.starts += 1
        self.db.reopen()
        self.use_clock()
        if evicted is not None:
            table = self.table(evicted)
            with self.db.store.kept_unloaded(table.definition, table.user) as folder:
                assert folder is not None
                scope = Scope(table.definition.id, table.user)
                evict_unloaded(self.db.keyvalue, table.definition, scope, self.now_ms)

    @rule(name=st.sampled_from(["all", "each"]), ttl=st.sampled_from([5, 20, 60]), most=st.sampled_from([None, 3, 8]))
    def alter(self, name: str, ttl: float, most: int | None) -> None:
        """Other limits: what had left does not come back."""
        self.expire()

        def changed(table: TableDef) -> TableDef:
            before = table.options.stream
            limits = replace(before, ttl_seconds=ttl, max_rows=most).succeeding(before, self.now_ms)
            return set_options(table, replace(table.options, stream=limits))

        self.table("shared" if name == "all" else "ann").alter(changed)
        self.limits[name] = replace(self.limits[name], ttl_seconds=ttl, max_rows=most)

    # -- readers and a transaction

    @precondition(lambda self: len(self.pinned) < PINNED_MAX)
    @rule(scope=SCOPE)
    def pin(self, scope: str) -> None:
        """A reader begins."""
        self.expire()
        self.pinned.append(Pinned(scope, self.table(scope).snapshot, list(self.contents[scope])))

    @precondition(lambda self: self.pinned)
    @rule()
    def look_again(self) -> None:
        """The oldest reader sees what it saw."""
        reader = self.pinned.pop(0)
        assert list(self.stored(reader.scope, reader.snapshot)) == reader.expected

    @precondition(lambda self: self.open is None)
    @rule(scope=SCOPE, count=st.integers(1, 4))
    def begin(self, scope: str, count: int) -> None:
        """A transaction sees a scope, and appends rows that nobody else sees."""
        self.expire()
        table, transaction = self.table(scope), Transaction(self.db.catalog, self.db.store)
        (snapshot,) = transaction.snapshots([(table.definition, table.user)])
        seen = list(self.stored(scope, snapshot))
        assert seen == list(self.contents[scope])
        rows = self.rows(count)
        change = Change(table.rows(rows))
        transaction.write((table.definition, table.user), lambda _: change, OnExisting.REFUSE)
        self.open = Open(scope, transaction, seen, [row["n"] for row in rows])

    @precondition(lambda self: self.open is not None)
    @rule()
    def look_inside(self) -> None:
        """It reads as of its beginning, with its own rows."""
        table = self.table(self.open.scope)
        if table.definition.version != self.open.transaction.registry.table(table.name).version:
            return
        (snapshot,) = self.open.transaction.snapshots([(table.definition, table.user)])
        assert list(self.stored(self.open.scope, snapshot)) == self.open.seen + self.open.appended

    @precondition(lambda self: self.open is not None)
    @rule(commits=st.booleans())
    def end(self, commits: bool) -> None:
        """Its rows come, as young as its commit, or never do."""
        ended, self.open = self.open, None
        table = self.table(ended.scope)
        was_altered = table.definition.version != ended.transaction.registry.table(table.name).version
        if not commits or was_altered:
            ended.transaction.rollback()
            return
        ended.transaction.commit()
        self.expire()
        self.appended(ended.scope, ended.appended)

    # -- what always holds

    @invariant()
    def holds(self) -> None:
        """Compare every scope with its model in every way that readers have."""
        if not hasattr(self, "db"):
            return
        self.expire()
        for scope in SCOPES:
            table, expected = self.table(scope), self.contents[scope]
            assert self.stored(scope) == expected
            assert table.snapshot.live_count == len(expected)
            assert not table.snapshot.manifest.batches


TestStreamModel = StreamModel.TestCase
TestStreamModel.settings = settings(
    max_examples=int(os.environ.get("FLIGHTSERVER_MODEL_EXAMPLES", "12")),
    stateful_step_count=40,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
