"""Random histories of transactions against plain dicts.

Two tables, of which one is a USER table, up to three open transactions and writers without one; everything is flushed,
compacted and reopened in between. The model of a transaction is the contents at its beginning, its own changes, and
the keys that it writes; the model of a key is the number of the commit that changed it last. A commit must conflict
exactly when a key that it writes was changed by a commit since its beginning, other than to nothing and back to
nothing. `FLIGHTSERVER_MODEL_EXAMPLES` sets how many histories are tried.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from catalog.definition import TableKind
from catalog.errors import DatabaseError, ErrorKind
from flush.truncate import truncate
from providers.commit.resolve import OnExisting
from tests.storage_fixtures import Database, TableAccess, kv
from tests.transactions.inside import Inside, begin, commits

pytestmark = pytest.mark.proof

Contents = dict[int, int]
Tables = dict[str, Contents]

NAMES = ("shared", "private")
NAME = st.sampled_from(NAMES)
KEYS = st.lists(st.integers(0, 7), min_size=1, max_size=4, unique=True)
SAVEPOINT = st.sampled_from(["a", "b"])
OPEN_MAX = 3
WHO = st.integers(0, OPEN_MAX)
"""Who acts: one of the open transactions, or nobody's."""


def copied(tables: Tables) -> Tables:
    """Contents that do not change with others."""
    return {name: dict(contents) for name, contents in tables.items()}


@dataclass
class State:
    """What a transaction has done so far: what it sees, and the keys that it has written."""

    seen: Tables
    written: frozenset[tuple[str, int]] = frozenset()

    def copy(self) -> "State":
        """As it is now."""
        return State(copied(self.seen), self.written)


@dataclass
class Open:
    """An open transaction and its model."""

    transaction: Any
    base: Tables
    began: int
    state: State
    savepoints: list[tuple[str, State]] = field(default_factory=list)


class TransactionsModel(RuleBasedStateMachine):
    """The database, and what it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="model-"))
        self.db = Database(self.root)
        self.committed: Tables = {name: {} for name in NAMES}
        self.changed_at: dict[tuple[str, int], int] = {}
        self.commits = 0
        self.values = 0
        self.open: list[Open] = []

    @initialize()
    def create(self) -> None:
        """One SHARED and one USER table."""
        self.db.create(name="shared")
        self.db.create(name="private", kind=TableKind.USER)

    def teardown(self) -> None:
        """Leave no folder behind."""
        self.open.clear()
        self.db.close()
        shutil.rmtree(self.root)

    # -- helpers

    def table(self, name: str) -> TableAccess:
        """A table as everybody sees it; the USER table as one user."""
        found = next(known for known in self.db.catalog.registry.tables if known.table == name)
        return TableAccess(self.db, found, "ann" if name == "private" else None)

    def actor(self, who: int, name: str) -> tuple[TableAccess, Contents, Open | None]:
        """The table as a transaction or nobody's sees it, and what it should hold."""
        if who < len(self.open):
            actor = self.open[who]
            return Inside(self.table(name), actor.transaction), actor.state.seen[name], actor
        return self.table(name), self.committed[name], None

    def changed(self, name: str, actor: Open | None, touched: set[int]) -> None:
        """Note the keys that a statement has written: in a transaction, or as a commit."""
        if actor is not None:
            actor.state.written |= {(name, key) for key in touched}
        elif touched:
            self.commits += 1
            self.changed_at |= {(name, key): self.commits for key in touched}

    def rows(self, keys: list[int]) -> list[dict[str, int]]:
        """A row for each key, with values that no other has."""
        self.values += len(keys)
        return [kv(key, self.values - offset) for offset, key in enumerate(keys)]

    # -- statements, in a transaction or by themselves

    @rule(who=WHO, name=NAME, keys=KEYS)
    def upsert(self, who: int, name: str, keys: list[int]) -> None:
        """A new version of every key."""
        table, seen, actor = self.actor(who, name)
        rows = self.rows(keys)
        table.write(*rows)
        self.changed(name, actor, set(keys))
        seen |= {row["k"]: row["v"] for row in rows}

    @rule(who=WHO, name=NAME, keys=KEYS)
    def insert(self, who: int, name: str, keys: list[int]) -> None:
        """INSERT: all rows, or an error and nothing."""
        table, seen, actor = self.actor(who, name)
        rows = self.rows(keys)
        if seen.keys() & set(keys):
            with pytest.raises(DatabaseError) as caught:
                table.insert(*rows)
            assert caught.value.kind is ErrorKind.ALREADY_EXISTS
            return
        table.insert(*rows)
        self.changed(name, actor, set(keys))
        seen |= {row["k"]: row["v"] for row in rows}

    @rule(who=WHO, name=NAME, keys=KEYS)
    def insert_or_skip(self, who: int, name: str, keys: list[int]) -> None:
        """ON CONFLICT DO NOTHING: a key that is skipped is not written."""
        table, seen, actor = self.actor(who, name)
        rows = [row for row in self.rows(keys) if row["k"] not in seen]
        table.write(*rows, *[kv(key, -1) for key in keys if key in seen], rule=OnExisting.SKIP)
        self.changed(name, actor, {row["k"] for row in rows})
        seen |= {row["k"]: row["v"] for row in rows}

    @rule(who=WHO, name=NAME, low=st.integers(0, 7), length=st.integers(1, 4), update=st.booleans())
    def predicate_write(self, who: int, name: str, low: int, length: int, update: bool) -> None:
        """UPDATE or DELETE of a range, found by a query over what the actor sees."""
        table, seen, actor = self.actor(who, name)
        keys = sorted(table.select(f"SELECT k FROM {name} WHERE k >= {low} AND k < {low + length}"))
        assert keys == sorted(key for key in seen if low <= key < low + length)
        if not keys:
            return
        self.changed(name, actor, set(keys))
        if update:
            rows = self.rows(keys)
            table.write(*rows)
            seen |= {row["k"]: row["v"] for row in rows}
        else:
            table.delete(*[kv(key) for key in keys])
            for key in keys:
                del seen[key]

    @rule(who=WHO, name=NAME, keys=KEYS)
    def delete(self, who: int, name: str, keys: list[int]) -> None:
        """Tombstones, also for keys that are not there, which write nothing."""
        table, seen, actor = self.actor(who, name)
        table.delete(*[kv(key) for key in keys])
        self.changed(name, actor, set(keys) & seen.keys())
        for key in keys:
            seen.pop(key, None)

    @rule(name=NAME, keys=KEYS, gone=st.lists(st.integers(0, 7), max_size=2, unique=True))
    def bulk_load(self, name: str, keys: list[int], gone: list[int]) -> None:
        """A stream of rows and tombstones by nobody's transaction."""
        table, seen, _ = self.actor(OPEN_MAX, name)
        rows = [row for row in self.rows(keys) if row["k"] not in gone]
        load = table.bulk()
        load.add(table.part(*rows))
        load.add(table.part(*[kv(key) for key in gone], deleted=[True] * len(gone)))
        load.commit()
        self.changed(name, None, {row["k"] for row in rows} | (set(gone) & seen.keys()))
        seen |= {row["k"]: row["v"] for row in rows}
        for key in gone:
            seen.pop(key, None)

    @rule(name=NAME)
    def truncate(self, name: str) -> None:
        """Every row goes."""
        table, seen, _ = self.actor(OPEN_MAX, name)
        assert truncate(self.db.store, table.state) == len(seen)
        self.changed(name, None, set(seen))
        seen.clear()

    # -- transactions

    @precondition(lambda self: len(self.open) < OPEN_MAX)
    @rule()
    def begin(self) -> None:
        """A transaction whose moment is now."""
        transaction = begin(self.db)
        self.open.append(Open(transaction, copied(self.committed), self.commits, State(copied(self.committed))))

    @precondition(lambda self: self.open)
    @rule(who=st.integers(0, OPEN_MAX - 1))
    def commit(self, who: int) -> None:
        """Exactly the predicted commits conflict."""
        actor = self.open.pop(who % len(self.open))
        written = actor.state.written
        assert commits(actor.transaction) is not any(self.conflicts(actor, name, key) for name, key in written)
        if actor.transaction.phase.name == "CONFLICTED" or not written:
            return
        self.commits += 1
        for name, key in written:
            before, after = self.committed[name].get(key), actor.state.seen[name].get(key)
            if before is None and after is None:
                continue
            self.changed_at[name, key] = self.commits
            if after is None:
                del self.committed[name][key]
            else:
                self.committed[name][key] = after

    def conflicts(self, actor: Open, name: str, key: int) -> bool:
        """Tell whether a key was changed since a transaction began, other than from nothing to nothing."""
        was_there, is_there = key in actor.base[name], key in self.committed[name]
        return self.changed_at.get((name, key), 0) > actor.began and (was_there or is_there)

    @precondition(lambda self: self.open)
    @rule(who=st.integers(0, OPEN_MAX - 1))
    def rollback(self, who: int) -> None:
        """It never was."""
        self.open.pop(who % len(self.open)).transaction.rollback()

    @precondition(lambda self: self.open)
    @rule(who=st.integers(0, OPEN_MAX - 1), name=SAVEPOINT)
    def savepoint(self, who: int, name: str) -> None:
        """Remember what a transaction has done so far."""
        actor = self.open[who % len(self.open)]
        actor.transaction.savepoint(name)
        actor.savepoints.append((name, actor.state.copy()))

    @precondition(lambda self: any(actor.savepoints for actor in self.open))
    @rule(who=st.integers(0, OPEN_MAX - 1), name=SAVEPOINT, release=st.booleans())
    def end_savepoint(self, who: int, name: str, release: bool) -> None:
        """Return to the newest savepoint of a name, or forget it."""
        actor = self.open[who % len(self.open)]
        end = actor.transaction.release if release else actor.transaction.rollback_to
        positions = [number for number, (known, _) in enumerate(actor.savepoints) if known == name]
        if not positions:
            with pytest.raises(DatabaseError) as caught:
                end(name)
            assert caught.value.kind is ErrorKind.NOT_FOUND
            return
        end(name)
        if not release:
            actor.state = actor.savepoints[positions[-1]][1].copy()
        del actor.savepoints[positions[-1] + (not release) :]

    # -- maintenance

    @rule(name=NAME)
    def flush(self, name: str) -> None:
        """Hot rows go to a batch."""
        self.table(name).flush()

    @rule(name=NAME)
    def compact(self, name: str) -> None:
        """Streams are encoded, batches are merged, and files that nobody can reach go."""
        self.table(name).settle()
        self.table(name).compact()
        self.table(name).reclaim()

    @rule()
    def reopen(self) -> None:
        """Everything comes from disk again; open transactions are gone."""
        self.open.clear()
        self.db.reopen()

    # -- what always holds

    @invariant()
    def holds(self) -> None:
        """Compare both tables as everybody and as each transaction sees them."""
        for name in NAMES if self.db.catalog.registry.tables else ():
            for who in range(len(self.open) + 1):
                table, expected, _ = self.actor(who if who < len(self.open) else OPEN_MAX, name)
                assert table.values() == expected
                assert table.snapshot.live_count == len(expected)
        if not self.open:
            assert not self.db.store.visibility._changed


EXAMPLES = int(os.environ.get("FLIGHTSERVER_MODEL_EXAMPLES", "20"))

TestTransactionsModel = TransactionsModel.TestCase
TestTransactionsModel.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
