"""A real database on disk for storage tests: RocksDB, Parquet, DataFusion, opened and closed in one place."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from catalog.audit_log import AuditLog
from catalog.data_folder import DataFolder
from catalog.definition import ColumnSpec, TableDef, TableKind, TableOptions
from catalog.evolution import create_table
from catalog.identifiers import TableName, quote_identifier
from catalog.keyvalue import KeyValueStore
from catalog.plain import plain
from catalog.store import CatalogStore
from flightserver.backup.listing import described
from flightserver.backup.moment import Source
from flightserver.backup.shelf import Shelf
from flush.bulk import BulkLoad
from flush.compaction import Compacted, compact, settle
from flush.hot_flush import Flushed, flush
from flush.jobs.jobs import Jobs
from flush.jobs.kinds import Tools
from flush.jobs.scheduler import DEFAULT_PLAN, Plan
from flush.leftovers import clear_leftovers, reclaim_dropped
from flush.reclaim import reclaim
from flush.work import Work
from manifest.layout import MANIFEST_NAME, staged_name
from providers.cold.files import ColdFiles
from providers.cold.pruning import Pruned, prune
from providers.cold.scope_folder import TableFolders
from providers.commit.idempotency import Idempotency, Outcome
from providers.commit.request import Request
from providers.commit.resolve import OnExisting
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.engine.plans import facts
from providers.engine.predicates import translate
from providers.engine.relations import Columns, Relations
from providers.engine.session import EngineLimits, QueryEngine
from providers.rows.change import Change
from providers.rows.pieces import JOINED_BYTES_MAX
from providers.snapshot import Snapshot

LIMITS = EngineLimits(memory_bytes=1 << 30, spill_bytes=1 << 30, threads=2)
KV_COLUMNS = (("v", pa.int64()), ("k", pa.int64()))
"""A value before its key, so that nothing can take the first column for the key."""

Row = Mapping[str, Any]


class Database:
    """One data folder, opened. Rows go in and come out as dicts of user column names."""

    def __init__(
        self,
        root: Path,
        keyvalue: type[KeyValueStore] = KeyValueStore,
        *,
        manifest_bytes_max: int = 256 << 20,
        scopes_max: int = 100_000,
        joined_bytes_max: int = JOINED_BYTES_MAX,
    ) -> None:
        self.root = root
        self._joined_bytes_max = joined_bytes_max
        self._keyvalue_type = keyvalue
        self._manifest_bytes_max = manifest_bytes_max
        self._scopes_max = scopes_max
        self._scratch = root / "scratch"
        self._scratch.mkdir(parents=True, exist_ok=True)
        self.open()

    def open(self) -> None:
        """Open what is there, or a new one."""
        self.folder = DataFolder(self.root / "data")
        self.keyvalue = self.folder.open_store(self._keyvalue_type)
        self.catalog = CatalogStore(self.keyvalue)
        self.folders = TableFolders(self.folder.tables)
        self.store = ScopeStore(
            self.keyvalue,
            self.folders,
            ColdFiles(),
            manifest_bytes_max=self._manifest_bytes_max,
            scopes_max=self._scopes_max,
            joined_bytes_max=self._joined_bytes_max,
        )
        self.engine = QueryEngine(LIMITS, self._scratch)
        self.relations = Relations(self.engine.context, self.store.files, self._scratch)

    def close(self) -> None:
        """Release the folder."""
        self.keyvalue.close()
        self.folder.close()

    def reopen(self) -> None:
        """Close and open again: everything comes from disk."""
        self.close()
        self.open()

    def clear_leftovers(self, *, after_loss: bool = False) -> None:
        """What a server does of tables that are not there, before it serves anybody."""
        clear_leftovers(self.catalog, self.store, self.folders, after_loss=after_loss)

    def tables(self) -> Collection[TableDef]:
        """The definitions of all tables."""
        return self.catalog.registry.tables.values()

    def _find_table(self, table_id: int) -> TableDef | None:
        return self.catalog.registry.table_of(table_id)

    def tools(self) -> Tools:
        """What jobs work with."""
        return Tools(
            self.keyvalue,
            self.store,
            AuditLog(self.keyvalue),
            find_table=self._find_table,
            reclaim_dropped=lambda: reclaim_dropped(self.catalog, self.store, self.folders),
            registry=lambda: self.catalog.registry,
            take_backup=self._take_backup,
        )

    @property
    def shelf(self) -> Shelf:
        """Where backups of it lie."""
        return Shelf(self.root / "shelf")

    def _take_backup(self, name: str, work: Work) -> str:
        source = Source(self.folder, self.keyvalue, lambda: self.store.stillness.alone(5.0))
        return described(self.shelf.take(name, source, kept_max=2, work=work))

    def jobs(self, plan: Plan = DEFAULT_PLAN, **options: Any) -> Jobs:
        """Jobs without threads, as long as they are not started."""
        return Jobs(self.tools(), plan, **options)

    def create(
        self,
        columns: Iterable[tuple[str, pa.DataType] | ColumnSpec] = KV_COLUMNS,
        key: Sequence[str] = ("k",),
        *,
        name: str = "t",
        kind: TableKind = TableKind.SHARED,
        options: TableOptions | None = None,
    ) -> "TableAccess":
        """Create a table; column order is as given, the key is named."""
        specs = [column if isinstance(column, ColumnSpec) else ColumnSpec(*column) for column in columns]
        table_id = self.catalog.reserve_table_id()
        table = create_table(table_id, TableName("public", name), kind, specs, key, options)
        self.catalog.change(lambda registry: registry.with_table(table))
        return TableAccess(self, table.name)


class TableAccess:
    """One scope of one table of a database, always by the newest definition."""

    def __init__(self, database: Database, name: TableName, user: str | None = None) -> None:
        self.db = database
        self.name = name
        self.user = user

    def of_user(self, user: str) -> "TableAccess":
        """The same USER table as another user."""
        return TableAccess(self.db, self.name, user)

    @property
    def definition(self) -> TableDef:
        """The newest definition."""
        return self.db.catalog.registry.table(self.name)

    @property
    def state(self) -> ScopeState:
        """The scope."""
        return self.db.store.state(self.definition, self.user)

    @property
    def snapshot(self) -> Snapshot:
        """What a reader that starts now sees."""
        return self.db.store.snapshot(self.definition, self.user)

    @property
    def folder(self) -> Path:
        """The scope's folder of files."""
        return self.state.head.cold.folder.root

    def alter(self, change: Any) -> None:
        """Replace the definition by `change(definition)`."""
        after = change(self.definition)
        self.db.catalog.change(lambda registry: registry.with_table(after))

    def rows(self, rows: Iterable[Row]) -> pa.Table:
        """Rows under physical names, plain as those that a client offers; absent columns are NULL."""
        listed = list(rows)
        columns = self.definition.columns
        return pa.table(
            [plain(pa.array([row.get(column.name) for row in listed], column.storage)) for column in columns],
            names=[column.physical for column in columns],
        )

    def write(
        self,
        *rows: Row,
        rule: OnExisting = OnExisting.REPLACE,
        deleted: Sequence[bool] | None = None,
        idempotency: Idempotency | None = None,
    ) -> Outcome:
        """Commit rows; `deleted` flags tombstones."""
        flags = None if deleted is None else np.array(deleted, dtype=np.bool_)
        change = Change(self.rows(rows), flags)
        return self.db.store.write(self.state, lambda _: change, rule, Request(idempotency))

    def insert(self, *rows: Row) -> Outcome:
        """Commit rows whose keys must be new."""
        return self.write(*rows, rule=OnExisting.REFUSE)

    def delete(self, *keys: Row) -> Outcome:
        """Commit tombstones."""
        return self.write(*keys, deleted=[True] * len(keys))

    def flush(self) -> Flushed:
        """Flush the scope."""
        return flush(self.db.store, self.state)

    def compact(self, *, everything: bool = True) -> Compacted:
        """Run one compaction job."""
        return compact(self.db.store, self.state, everything=everything)

    def settle(self) -> Compacted:
        """Settle segments, as many as one job takes."""
        return settle(self.db.store, self.state)

    def reclaim(self) -> int:
        """Delete unreachable files."""
        return reclaim(self.db.store, self.state)

    def bulk(self, rule: OnExisting = OnExisting.REPLACE) -> BulkLoad:
        """Begin a bulk load."""
        return BulkLoad(self.db.store, self.state, self.definition, rule)

    @contextmanager
    def unwritable(self) -> Iterator[None]:
        """Let no manifest be published: a folder stands where the next one would be written."""
        place = self.folder / staged_name(MANIFEST_NAME)
        place.mkdir(parents=True)
        yield
        place.rmdir()

    def part(self, *rows: Row, deleted: Sequence[bool] | None = None) -> Change:
        """A part of a bulk load."""
        return Change(self.rows(rows), None if deleted is None else np.array(deleted, dtype=np.bool_))

    def load(self, *parts: Sequence[Row]) -> Outcome:
        """A bulk load of some parts."""
        load = self.bulk()
        for rows in parts:
            load.add(self.part(*rows))
        return load.commit()

    def pruned(self, where: str) -> Pruned:
        """What a query with this condition reads."""
        return self._plan(f"SELECT * FROM {self.name.table} WHERE {where}", self.snapshot)[1]

    def query(self, sql: str, snapshot: Snapshot | None = None) -> pa.Table:
        """Run SQL over the table as of a snapshot, reading only the batches that cannot be ruled out."""
        pinned = snapshot or self.snapshot
        relation, _ = self._plan(sql, pinned)
        return self.db.engine.plan(sql, {self.name: relation}, self.name.namespace).to_arrow_table()

    def select(self, sql: str, snapshot: Snapshot | None = None) -> list[Any]:
        """Rows of a query: plain values when it has one column, dicts otherwise."""
        rows = self.query(sql, snapshot).to_pylist()
        return [next(iter(row.values())) for row in rows] if rows and len(rows[0]) == 1 else rows

    def all(self, snapshot: Snapshot | None = None) -> list[dict[str, Any]]:
        """The user's columns of the whole table in key order."""
        pinned = snapshot or self.snapshot
        columns = ", ".join(quote_identifier(column.name) for column in pinned.table.visible_columns)
        key = ", ".join(quote_identifier(column.name) for column in pinned.table.key_columns)
        return self.query(f"SELECT {columns} FROM {self.name.table} ORDER BY {key}", pinned).to_pylist()

    def values(self, snapshot: Snapshot | None = None) -> dict[Any, Any]:
        """`v` by `k`, for tables that have both."""
        return {row["k"]: row["v"] for row in self.all(snapshot)}

    def _plan(self, sql: str, snapshot: Snapshot) -> tuple[Any, Pruned]:
        shape = self.db.relations.shape(snapshot.table, Columns.ALL)
        plan = self.db.engine.plan(sql, {self.name: shape}, self.name.namespace).optimized_logical_plan()
        found = list(facts(plan).scans)
        predicate = translate(found[0].filters if len(found) == 1 else (), snapshot.table)
        pruned = prune(snapshot, predicate, self.db.store.files)
        return self.db.relations.merged(snapshot, pruned, Columns.ALL), pruned


def kv(k: Any, v: Any = 0) -> dict[str, Any]:
    """A row of a (v, k) table."""
    return {"v": v, "k": k}


def run_together(*tasks: Callable[[], object]) -> None:
    """Run tasks in threads of their own, wait for all, and raise what one of them raised."""
    with ThreadPoolExecutor(len(tasks)) as pool:
        for future in [pool.submit(task) for task in tasks]:
            future.result()


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """An open database in a folder of its own."""
    database = Database(tmp_path)
    yield database
    database.close()


@pytest.fixture
def table(db: Database) -> TableAccess:
    """An empty SHARED table of BIGINT `v` and BIGINT key `k`."""
    return db.create()
