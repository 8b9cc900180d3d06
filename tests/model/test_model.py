"""Random histories of a database against plain dicts.

A state machine does everything that can be done to storage, in any order, to a SHARED table and two users' scopes of a
USER table, and compares whole tables, counts, limits, look-ups and ranges after every step. Readers are pinned at
random moments and looked at again later. Fewer scopes may fit into memory than there are, and what is refused or fails
half-way must leave nothing. `FLIGHTSERVER_MODEL_EXAMPLES` sets how many histories are tried.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from catalog.definition import ColumnSpec, Default, TableKind
from catalog.errors import DatabaseError, ErrorKind
from catalog.evolution import add_column, drop_column, rename_column
from flightserver.backup.moment import Source
from flightserver.backup.restoring import findings, restore
from flightserver.backup.shelf import Shelf
from flush.bulk import BulkLoad
from flush.jobs.tasks import ManifestRebuild
from manifest.layout import MANIFEST_NAME
from providers.commit.residents import SCOPE_BYTES
from providers.commit.resolve import OnExisting
from providers.rows.change import Change
from providers.rows.sequence import unix_ms
from providers.snapshot import Snapshot
from tests.storage_fixtures import Database, TableAccess

pytestmark = pytest.mark.proof

Key = tuple[int, str]
Values = dict[str, Any]
Contents = dict[Key, Values]

SCOPES = ("shared", "ann", "bob")
KEYS = st.tuples(st.integers(0, 24), st.sampled_from(["a", "b"]))
NUMBERS = st.one_of(st.none(), st.integers(-50, 50).map(float), st.just(float("nan")))
ROWS = st.lists(st.tuples(KEYS, NUMBERS), min_size=1, max_size=12)
SCOPE = st.sampled_from(SCOPES)
PINNED_MAX = 6
COLUMNS_MAX = 5


@dataclass
class Pinned:
    """A reader that began some time ago."""

    scope: str
    snapshot: Snapshot
    expected: Contents
    columns: list[str]


@dataclass
class Stream:
    """A bulk load on its way, and what it will do."""

    scope: str
    load: BulkLoad
    columns: list[str]
    effects: dict[Key, Values | None] = field(default_factory=dict)


def comparable(contents: Contents) -> dict[Key, dict[str, str]]:
    """Contents in which NaN can be compared."""
    return {key: {name: repr(value) for name, value in values.items()} for key, values in contents.items()}


class StorageModel(RuleBasedStateMachine):
    """The database, and what it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="model-"))
        self.clock_offset = 0
        self.contents: dict[str, Contents] = {scope: {} for scope in SCOPES}
        self.written_at: dict[str, dict[Key, int]] = {scope: {} for scope in SCOPES}
        self.commits = 0
        self.pinned: list[Pinned] = []
        self.stream: Stream | None = None
        self.names = 0

    @initialize(scopes=st.sampled_from([0, 1, 2, 10_000]))
    def create(self, scopes: int) -> None:
        """One SHARED and one USER table, with a composite key that does not come first."""
        self.db = Database(self.root, manifest_bytes_max=scopes * SCOPE_BYTES)
        columns = [("v", pa.float64()), ("s", pa.string()), ("w", pa.float64()), ("n", pa.int64())]
        self.db.create(columns, ["n", "s"], name="shared")
        self.db.create(columns, ["n", "s"], name="private", kind=TableKind.USER)
        self.columns = {"shared": ["v", "w"], "private": ["v", "w"]}
        self.defaults: dict[str, dict[str, Any]] = {"shared": {}, "private": {}}
        self.use_clock()

    def teardown(self) -> None:
        """Leave no folder behind."""
        self.pinned.clear()
        if hasattr(self, "db"):
            self.db.close()
        shutil.rmtree(self.root)

    # -- helpers

    def use_clock(self) -> None:
        """Let ids be made by the clock of this history."""
        self.db.store.allocator._clock_ms = lambda: unix_ms() + self.clock_offset

    @staticmethod
    def table_name(scope: str) -> str:
        """The table of a scope."""
        return "shared" if scope == "shared" else "private"

    def table(self, scope: str) -> TableAccess:
        """The table of a scope, as its user."""
        user = None if scope == "shared" else scope
        name = self.table_name(scope)
        found = next(known for known in self.db.catalog.registry.tables if known.table == name)
        return TableAccess(self.db, found, user)

    def row(self, scope: str, key: Key, number: Any) -> dict[str, Any]:
        """A row whose every value column holds something."""
        values = self.values(scope, number)
        return {"n": key[0], "s": key[1], **values}

    def values(self, scope: str, number: Any) -> Values:
        """What the columns of a row made from `number` hold."""
        return {
            name: number if index % 2 == 0 else float(self.commits)
            for index, name in enumerate(self.columns[self.table_name(scope)])
        }

    def set(self, scope: str, key: Key, values: Values | None) -> None:
        """Write or remove a key in the model."""
        if values is None:
            self.contents[scope].pop(key, None)
            self.written_at[scope].pop(key, None)
        else:
            self.contents[scope][key] = values
            self.written_at[scope][key] = self.commits

    def write(self, scope: str, rows: list[tuple[Key, Any]], on_existing: OnExisting) -> None:
        """Commit to the database."""
        table = self.table(scope)
        table.write(*[self.row(scope, key, number) for key, number in rows], rule=on_existing)

    # -- writes

    @rule(scope=SCOPE, rows=ROWS)
    def insert(self, scope: str, rows: list[tuple[Key, Any]]) -> None:
        """INSERT: all rows, or an error and nothing."""
        self.commits += 1
        keys = [key for key, _ in rows]
        if len(set(keys)) == len(keys) and not self.contents[scope].keys() & set(keys):
            self.write(scope, rows, OnExisting.REFUSE)
            for key, number in rows:
                self.set(scope, key, self.values(scope, number))
            return
        with pytest.raises(DatabaseError) as caught:
            self.write(scope, rows, OnExisting.REFUSE)
        assert caught.value.kind is ErrorKind.ALREADY_EXISTS

    @rule(scope=SCOPE, rows=ROWS)
    def upsert(self, scope: str, rows: list[tuple[Key, Any]]) -> None:
        """A new version of every key."""
        self.commits += 1
        self.write(scope, rows, OnExisting.REPLACE)
        for key, number in rows:
            self.set(scope, key, self.values(scope, number))

    @rule(scope=SCOPE, rows=ROWS)
    def insert_or_skip(self, scope: str, rows: list[tuple[Key, Any]]) -> None:
        """ON CONFLICT DO NOTHING."""
        self.commits += 1
        self.write(scope, rows, OnExisting.SKIP)
        for key, number in rows:
            if key not in self.contents[scope]:
                self.set(scope, key, self.values(scope, number))

    @rule(scope=SCOPE, rows=ROWS, data=st.data())
    def change_feed(self, scope: str, rows: list[tuple[Key, Any]], data: st.DataObject) -> None:
        """Rows and tombstones mixed; the last word on a key counts."""
        self.commits += 1
        deleted = [data.draw(st.booleans()) for _ in rows]
        self.table(scope).write(*[self.row(scope, key, number) for key, number in rows], deleted=deleted)
        for (key, number), gone in zip(rows, deleted, strict=True):
            self.set(scope, key, None if gone else self.values(scope, number))

    @rule(scope=SCOPE, low=st.integers(0, 24), length=st.integers(1, 8), update=st.booleans())
    def predicate_write(self, scope: str, low: int, length: int, update: bool) -> None:
        """UPDATE or DELETE of a range: rows are found by a query over both tiers, then written."""
        self.commits += 1
        table = self.table(scope)
        where = f"n >= {low} AND n < {low + length}"
        found = table.query(f"SELECT n, s FROM {table.name.table} WHERE {where}").to_pylist()
        keys = [(row["n"], row["s"]) for row in found]
        assert sorted(keys) == sorted(key for key in self.contents[scope] if low <= key[0] < low + length)
        if not keys:
            return
        rows = [self.row(scope, key, 7.0) for key in keys]
        table.write(*rows, deleted=None if update else [True] * len(rows))
        for key in keys:
            self.set(scope, key, self.values(scope, 7.0) if update else None)

    # -- streams

    @precondition(lambda self: self.stream is None)
    @rule(scope=SCOPE)
    def begin_stream(self, scope: str) -> None:
        """A bulk load begins; other things may happen before it commits."""
        table = self.table(scope)
        self.stream = Stream(scope, table.bulk(), list(self.columns[self.table_name(scope)]))

    @precondition(lambda self: self.stream is not None)
    @rule(rows=ROWS, data=st.data())
    def add_part(self, rows: list[tuple[Key, Any]], data: st.DataObject) -> None:
        """The next part of the stream, in the columns that the table had when it began."""
        stream = self.stream
        deleted = [data.draw(st.booleans()) for _ in rows]
        definition = stream.load._table
        listed = {
            column.physical: pa.array(
                [self.stream_values(stream, key, number)[column.id] for key, number in rows], column.storage
            )
            for column in definition.columns
        }
        stream.load.add(Change(pa.table(listed), np.array(deleted)))
        for (key, number), gone in zip(rows, deleted, strict=True):
            stream.effects[key] = None if gone else self.stream_values(stream, key, number)

    def stream_values(self, stream: Stream, key: Key, number: Any) -> dict[int, Any]:
        """A row of a stream by column id."""
        by_id: dict[int, Any] = {}
        for index, column in enumerate(stream.load._table.columns):
            by_id[column.id] = number if index % 2 == 0 else 1.5
            if column.name in {"n", "s"} and column.id in stream.load._table.key:
                by_id[column.id] = key[0] if column.name == "n" else key[1]
        return by_id

    @precondition(lambda self: self.stream is not None)
    @rule()
    def commit_stream(self) -> None:
        """The stream becomes visible as one commit."""
        self.commits += 1
        stream, self.stream = self.stream, None
        stream.load.commit()
        definition = self.table(stream.scope).definition
        defaults = self.defaults[self.table_name(stream.scope)]
        for key, by_id in stream.effects.items():
            values = None
            if by_id is not None:
                values = {
                    column.name: by_id.get(column.id, defaults.get(column.name))
                    for column in definition.columns
                    if column.id not in definition.key
                }
            self.set(stream.scope, key, values)

    @precondition(lambda self: self.stream is not None)
    @rule()
    def abort_stream(self) -> None:
        """The stream never was."""
        self.stream.load.abort()
        self.stream = None

    @rule(scope=SCOPE, parts=st.lists(ROWS, min_size=1, max_size=2))
    def load_new_rows(self, scope: str, parts: list[list[tuple[Key, Any]]]) -> None:
        """A stream of rows that must be new: all of them, or an error and nothing."""
        self.commits += 1
        table = self.table(scope)
        load = table.bulk(OnExisting.REFUSE)
        rows = [row for part in parts for row in part]
        keys = [key for key, _ in rows]
        is_new = len(set(keys)) == len(keys) and not self.contents[scope].keys() & set(keys)
        refused = None
        try:
            for part in parts:
                load.add(table.part(*[self.row(scope, key, number) for key, number in part]))
            load.commit()
        except DatabaseError as error:
            refused = error.kind
            load.abort()
        assert refused is (None if is_new else ErrorKind.ALREADY_EXISTS)
        for key, number in rows if is_new else ():
            self.set(scope, key, self.values(scope, number))

    @rule(scope=SCOPE, rows=ROWS)
    def load_onto_a_full_disk(self, scope: str, rows: list[tuple[Key, Any]]) -> None:
        """A stream whose manifest cannot be written leaves nothing."""
        table = self.table(scope)
        load = table.bulk()
        load.add(table.part(*[self.row(scope, key, number) for key, number in rows]))
        with table.unwritable(), pytest.raises(OSError, match="directory"):
            load.commit()
        load.abort()

    # -- maintenance

    @rule(scope=SCOPE)
    def flush_onto_a_full_disk(self, scope: str) -> None:
        """A flush whose manifest cannot be written changes nothing, and the next one does it."""
        table = self.table(scope)
        with table.unwritable():
            if table.snapshot.has_unflushed:
                with pytest.raises(OSError, match="directory"):
                    table.flush()

    @rule(scope=SCOPE)
    def flush(self, scope: str) -> None:
        """Hot rows go to a batch."""
        self.table(scope).flush()
        assert self.table(scope).snapshot.hot.live_count == 0

    @rule(scope=SCOPE, everything=st.booleans())
    def compact(self, scope: str, everything: bool) -> None:
        """Batches are merged."""
        self.table(scope).compact(everything=everything)

    @rule(scope=SCOPE)
    def settle(self, scope: str) -> None:
        """Streams that are still as they came are encoded."""
        self.table(scope).settle()
        assert not self.table(scope).snapshot.manifest.segments

    @rule(scope=SCOPE)
    def reclaim(self, scope: str) -> None:
        """Files that nobody can reach go."""
        self.table(scope).reclaim()

    @rule(jump=st.sampled_from([-3_600_000, -5, 10_000]))
    def move_clock(self, jump: int) -> None:
        """The wall clock jumps."""
        self.clock_offset += jump

    @rule()
    def reopen(self) -> None:
        """Everything comes from disk again; streams and readers of the process are gone."""
        self.stream = None
        self.pinned.clear()
        self.db.reopen()
        self.use_clock()

    @rule(bytes_max=st.sampled_from([0, 1 << 30]), age=st.sampled_from([-3_600.0, 3_600.0]))
    def evict_manifests(self, bytes_max: int, age: float) -> None:
        """What nobody uses leaves memory, and copies of manifests leave RocksDB."""
        self.db.store.evict_manifests(bytes_max, time.time() - age)

    @rule(scope=SCOPE)
    def rebuild_manifest(self, scope: str) -> None:
        """A manifest is lost while the server is down, and is written anew of the other files."""
        table = self.table(scope)
        lost, task = table.folder / MANIFEST_NAME, ManifestRebuild(table_id=table.definition.id, user=table.user)
        self.db.store.evict_manifests(0, time.time() + 1)
        self.reopen()
        lost.unlink(missing_ok=True)
        self.db.jobs().do(task, "root")

    @rule()
    def go_on_with_a_backup(self) -> None:
        """The database of a backup that was taken just now is the same."""
        shelf = Shelf(self.root / "backups")
        name = f"b{self.names}"
        self.names += 1
        shelf.take(name, Source(self.db.folder, self.db.keyvalue, lambda: self.db.store.stillness.alone(60.0)))
        assert list(findings(shelf.folder(name))) == []
        self.stream = None
        self.pinned.clear()
        self.db.close()
        shutil.rmtree(self.root / "data")
        restore(shelf.folder(name), self.root / "data")
        self.db.open()
        self.use_clock()

    # -- definitions

    @rule(name=st.sampled_from(["shared", "private"]), default=st.sampled_from([None, "2.5", "NULL"]))
    def add_column(self, name: str, default: str | None) -> None:
        """ALTER TABLE ADD COLUMN with and without a default."""
        if len(self.columns[name]) >= COLUMNS_MAX:
            return
        self.names += 1
        column = f"c{self.names % 3}" if f"c{self.names % 3}" not in self.columns[name] else f"x{self.names}"
        spec = ColumnSpec(column, pa.float64(), default=Default(literal=default) if default else None)
        value = 2.5 if default == "2.5" else None
        self.alter(name, lambda table: add_column(table, spec))
        self.columns[name].append(column)
        self.defaults[name][column] = value
        for contents in self.contents_of(name):
            for values in contents.values():
                values[column] = value

    @rule(name=st.sampled_from(["shared", "private"]), index=st.integers(0, COLUMNS_MAX))
    def drop_column(self, name: str, index: int) -> None:
        """ALTER TABLE DROP COLUMN."""
        if len(self.columns[name]) < 2:
            return
        column = self.columns[name].pop(index % len(self.columns[name]))
        self.alter(name, lambda table: drop_column(table, column))
        self.defaults[name].pop(column, None)
        for contents in self.contents_of(name):
            for values in contents.values():
                del values[column]

    @rule(name=st.sampled_from(["shared", "private"]), index=st.integers(0, COLUMNS_MAX))
    def rename_column(self, name: str, index: int) -> None:
        """ALTER TABLE RENAME COLUMN."""
        self.names += 1
        position = index % len(self.columns[name])
        old, new = self.columns[name][position], f"r{self.names}"
        self.alter(name, lambda table: rename_column(table, old, new))
        self.columns[name][position] = new
        if old in self.defaults[name]:
            self.defaults[name][new] = self.defaults[name].pop(old)
        for contents in self.contents_of(name):
            for values in contents.values():
                values[new] = values.pop(old)

    def alter(self, name: str, change: Callable[[Any], Any]) -> None:
        """Change a table's definition."""
        self.table("shared" if name == "shared" else "ann").alter(change)

    def contents_of(self, name: str) -> list[Contents]:
        """The model of all scopes of a table."""
        return [self.contents[scope] for scope in SCOPES if self.table_name(scope) == name]

    # -- readers

    @precondition(lambda self: len(self.pinned) < PINNED_MAX)
    @rule(scope=SCOPE)
    def pin(self, scope: str) -> None:
        """A long reader begins."""
        expected = {key: dict(values) for key, values in self.contents[scope].items()}
        columns = list(self.columns[self.table_name(scope)])
        self.pinned.append(Pinned(scope, self.table(scope).snapshot, expected, columns))

    @precondition(lambda self: self.pinned)
    @rule(data=st.data())
    def look_again(self, data: st.DataObject) -> None:
        """A long reader sees what it saw when it began, and may end."""
        reader = data.draw(st.sampled_from(self.pinned))
        assert comparable(self.read(reader.scope, reader.snapshot, reader.columns)) == comparable(reader.expected)
        if data.draw(st.booleans()):
            self.pinned.remove(reader)

    def read(self, scope: str, snapshot: Snapshot, columns: list[str]) -> Contents:
        """The whole table as a dict; a key that occurs twice is a failure."""
        table = self.table(scope)
        listed = table.query(f"SELECT n, s, {', '.join(columns)} FROM {table.name.table}", snapshot).to_pylist()
        found = {(row.pop("n"), row.pop("s")): row for row in listed}
        assert len(found) == len(listed)
        return found

    # -- what always holds

    @invariant()
    def holds(self) -> None:
        """Compare every scope with its model."""
        for scope in SCOPES:
            self.compare(scope)

    def compare(self, scope: str) -> None:
        """Compare a scope with its model in every way that readers have."""
        if not hasattr(self, "columns"):
            return
        table, contents = self.table(scope), self.contents[scope]
        name, snapshot = table.name.table, table.snapshot
        columns = self.columns[self.table_name(scope)]
        assert comparable(self.read(scope, snapshot, columns)) == comparable(contents)
        assert table.select(f"SELECT count(*) FROM {name}") == [len(contents)]
        assert snapshot.live_count == len(contents)
        assert table.query(f"SELECT n FROM {name} LIMIT 3").num_rows == min(3, len(contents))
        self.compare_look_ups(table, contents, columns[0])
        ordered = table.query(f"SELECT n, s, _deleted FROM {name} ORDER BY _seq").to_pylist()
        ages = [self.written_at[scope][row["n"], row["s"]] for row in ordered]
        assert ages == sorted(ages)
        assert not any(row["_deleted"] for row in ordered)

    def compare_look_ups(self, table: TableAccess, contents: Contents, column: str) -> None:
        """Point look-ups of a present and an absent key, a range, and a value predicate."""
        name, turn = table.name.table, self.commits % 25
        for key in ((turn, "a"), next(iter(contents), (99, "b"))):
            sql = f"SELECT {column} FROM {name} WHERE n = {key[0]} AND s = '{key[1]}'"
            expected = [contents[key][column]] if key in contents else []
            assert list(map(repr, table.select(sql))) == list(map(repr, expected))
        found = table.select(f"SELECT n FROM {name} WHERE n BETWEEN {turn} AND {turn + 4} ORDER BY n")
        assert found == sorted(key[0] for key in contents if turn <= key[0] <= turn + 4)
        above = [key[0] for key, values in contents.items() if _above(values[column], 10.0)]
        assert table.select(f"SELECT n FROM {name} WHERE {column} > 10 ORDER BY n") == sorted(above)


def _above(value: float | None, bound: float) -> bool:
    """Compare as the engine does: NaN is larger than every number, NULL is nothing."""
    return value is not None and (value != value or value > bound)  # noqa: PLR0124 - NaN


EXAMPLES = int(os.environ.get("FLIGHTSERVER_MODEL_EXAMPLES", "12"))

TestStorageModel = StorageModel.TestCase
TestStorageModel.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
