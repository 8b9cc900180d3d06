"""Changes that wait while their table is defined anew: what comes out is what one after the other would have left.

Every kind of change meets every kind of definition, with a wait between the moment in which the change looks its table
up and the moment in which it is committed. The oracle is the server itself: both are run one after the other, in both
orders, on tables of their own.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations, product
from pathlib import Path

import pyarrow as pa
import pytest

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName
from catalog.registry import Registry
from catalog.roles import Role
from catalog.store import Change as DefinitionChange
from flightserver.access.principal import Principal
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.executor import Executor
from flightserver.execution.rows import Rows
from flightserver.protocol.commands import IfExists, IfNotExist, StatementIngest, TableDefinitionOptions
from flightserver.service.table_load import Stream, TableLoad
from flightserver.settings import Settings
from flightserver.sql.parser import parse_numbered
from providers.commit.idempotency import Outcome
from providers.commit.request import PLAIN, Request
from providers.commit.resolve import OnExisting
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import Durability
from providers.commit.work import Build, ScopeOf, StagedLoad, Work
from providers.rows.change import Change
from providers.snapshot import Snapshot

Act = Callable[[str, Context], object]
"""What is done to a table of some name."""

Statements = Sequence[str]

ROWS = "(1, 10, 'a'), (2, 20, 'b'), (3, 30, 'c')"
STREAMED = pa.table({"id": [1, 9], "v": [11, 90]})

CHANGES: dict[str, str | tuple[str, pa.Table] | IfExists] = {
    "insert": "INSERT INTO {t} (id, v) VALUES (9, 90)",
    "insert of a query": "INSERT INTO {t} (id, v) SELECT id + 10, 5 FROM {t}",
    "insert or nothing": "INSERT INTO {t} (id, v) VALUES (1, 0), (9, 90) ON CONFLICT DO NOTHING",
    "upsert": "INSERT INTO {t} (id, v) VALUES (1, 11), (9, 90) ON CONFLICT (id) DO UPDATE SET v = excluded.v",
    "upsert of a query": (
        "INSERT INTO {t} (id, v) SELECT id, v * 2 FROM {t} ON CONFLICT (id) DO UPDATE SET v = excluded.v"
    ),
    "upsert of an expression": (
        "INSERT INTO {t} (id, v) VALUES (1, 11), (9, 90) ON CONFLICT (id) DO UPDATE SET v = {t}.v + excluded.v"
    ),
    "upsert of whole rows": (
        "INSERT INTO {t} (id, v, s) VALUES (1, 11, 'x'), (9, 90, 'y') "
        "ON CONFLICT (id) DO UPDATE SET v = excluded.v, s = excluded.s"
    ),
    "update": "UPDATE {t} SET v = v + 1",
    "update of another column": "UPDATE {t} SET s = 'u' WHERE id < 3",
    "update by a join": "UPDATE {t} SET v = o.w FROM (VALUES (1, 7), (2, 8)) o(k, w) WHERE id = o.k",
    "delete": "DELETE FROM {t} WHERE v >= 20",
    "bound insert": ("INSERT INTO {t} (id, v) VALUES ($1, $2)", pa.table({"1": [8, 9], "2": [80, 90]})),
    "bound update": ("UPDATE {t} SET v = $1 WHERE id = $2", pa.table({"1": [5, 6], "2": [1, 2]})),
    "bound upsert": (
        "INSERT INTO {t} (id, v) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET v = excluded.v",
        pa.table({"1": [1, 9], "2": [11, 90]}),
    ),
    "bound delete": ("DELETE FROM {t} WHERE id = $1", pa.table({"1": [1, 2]})),
    "stream": IfExists.APPEND,
    "replacing stream": IfExists.REPLACE,
    "replacement": "INSERT OR REPLACE INTO {t} (id, v) VALUES (1, 11), (9, 90)",
    "merge": (
        "MERGE INTO {t} USING (VALUES (1, 7), (2, 8), (9, 90)) o(k, w) ON id = o.k"
        " WHEN MATCHED AND o.w = 7 THEN DELETE WHEN MATCHED THEN UPDATE SET v = v + o.w"
        " WHEN NOT MATCHED THEN INSERT (id, v) VALUES (o.k, o.w)"
    ),
    "merge of a column": "MERGE INTO {t} USING (VALUES (1)) o(k) ON id = o.k WHEN MATCHED THEN UPDATE SET s = 'm'",
}

DEFINITIONS: dict[str, Statements] = {
    "a column more": ["ALTER TABLE {t} ADD COLUMN x BIGINT DEFAULT 5"],
    "a column less": ["ALTER TABLE {t} DROP COLUMN v"],
    "another column less": ["ALTER TABLE {t} DROP COLUMN s"],
    "another name": ["ALTER TABLE {t} RENAME COLUMN v TO w"],
    "another name for another column": ["ALTER TABLE {t} RENAME COLUMN s TO r"],
    "another column of the name": [
        "ALTER TABLE {t} RENAME COLUMN v TO o",
        "ALTER TABLE {t} ADD COLUMN v BIGINT DEFAULT 1",
    ],
    "the column anew": ["ALTER TABLE {t} DROP COLUMN v", "ALTER TABLE {t} ADD COLUMN v BIGINT DEFAULT 1"],
    "another default": ["ALTER TABLE {t} ALTER s SET DEFAULT 'e', ALTER v SET DEFAULT 6"],
    "options": ["ALTER TABLE {t} SET (bloom_fpp = 0.01)"],
    "the table anew": ["DROP TABLE {t}", "CREATE TABLE {t} (id BIGINT PRIMARY KEY, v BIGINT, s TEXT)"],
    "a check": ["ALTER TABLE {t} ADD CONSTRAINT c CHECK (v < 80)"],
    "a check less": ["ALTER TABLE {t} DROP CONSTRAINT small"],
    "unique values": ["ALTER TABLE {t} ADD UNIQUE (v)"],
    "no NULL": ["ALTER TABLE {t} ALTER v SET NOT NULL"],
    "another type": ["ALTER TABLE {t} ALTER v TYPE TEXT"],
}

USES: dict[str, str] = {
    "a column more": "UPDATE {t} SET x = 7",
    "a column less": "UPDATE {t} SET s = 'z'",
    "another column less": "UPDATE {t} SET v = 0",
    "another name": "UPDATE {t} SET w = 0",
    "another name for another column": "UPDATE {t} SET r = 'z'",
    "another column of the name": "UPDATE {t} SET o = 0",
    "the column anew": "UPDATE {t} SET v = 2",
    "another default": "UPDATE {t} SET v = 0",
    "options": "UPDATE {t} SET v = 0",
    "the table anew": "INSERT INTO {t} VALUES (1, 1, 'new')",
    "a check": "UPDATE {t} SET v = 79 WHERE id = 2",
    "a check less": "UPDATE {t} SET v = 500 WHERE id = 2",
    "unique values": "UPDATE {t} SET v = v + 100",
    "no NULL": "UPDATE {t} SET v = v + 100",
    "another type": "UPDATE {t} SET v = 'z' WHERE id = 2",
}
"""A change of the rows after each of them, so that it is told from what was there before."""

OUTSIDE = {"a check", "unique values", "no NULL", "another type"}
"""No transaction has these inside."""

CLAUSES = {"a check less": ", CONSTRAINT small CHECK (v < 400)"}
"""What else is in the definition of the table that is defined anew."""

LONG = {"replacement", "merge", "merge of a column"} | {
    "a check",
    "a check less",
    "unique values",
    "no NULL",
    "another type",
}
"""Those whose meetings are proofs."""


def meetings(changes: Iterable[str]) -> list[object]:
    """Every change with every definition."""
    return [
        pytest.param(*pair, marks=pytest.mark.proof if LONG.intersection(pair) else ())
        for pair in product(changes, DEFINITIONS)
    ]


class Meanwhile:
    """A view of the database in which something else happens once, just before one of the changes, mostly the first."""

    def __init__(self, work: Work, act: Callable[[], object], before: int = 0) -> None:
        self._work = work
        self._before = before
        self._act: Callable[[], object] | None = act

    @property
    def registry(self) -> Registry:
        """The definitions."""
        return self._work.registry

    def snapshots(self, scopes: Sequence[ScopeOf]) -> list[Snapshot]:
        """Rows."""
        return self._work.snapshots(scopes)

    def write(self, scope: ScopeOf, build: Build, rule: OnExisting, request: Request = PLAIN) -> Outcome:
        """Wait, then write."""
        self._wait()
        return self._work.write(scope, build, rule, request)

    def offer(
        self,
        scope: ScopeOf,
        change: Change,
        named: Collection[str],
        rule: OnExisting,
        request: Request = PLAIN,
    ) -> Outcome:
        """Wait, then write."""
        self._wait()
        return self._work.offer(scope, change, named, rule, request)

    def staging(self, scope: ScopeOf) -> ScopeState:
        """Where a stream is staged."""
        return self._work.staging(scope)

    def take(self, scope: ScopeOf, load: StagedLoad, request: Request = PLAIN) -> Outcome:
        """Wait, then write."""
        self._wait()
        return self._work.take(scope, load, request)

    def define(self, change: DefinitionChange, request: Request = PLAIN) -> None:
        """Wait, then define."""
        self._wait()
        self._work.define(change, request)

    def _wait(self) -> None:
        self._before -= 1
        if self._before >= 0:
            return
        act, self._act = self._act, None
        if act is not None:
            act()


@dataclass(frozen=True)
class Seen:
    """What is left: the rows by column, or nothing, where the table is gone."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


class House:
    """A database and what runs in it, each history on a table of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._executor = Executor(database, {})
        self._load = TableLoad(database, self._executor.ddl, self._executor.dml.guard)
        self.context = Context(Principal.of("root", Role.SYSTEM), database.autocommit)
        self._tables = 0
        self.clause = ""

    def table(self) -> str:
        """A new table with three rows."""
        self._tables += 1
        name = f"t{self._tables}"
        self.run(
            f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, v BIGINT, s TEXT DEFAULT 'd'{self.clause})", self.context
        )
        self.run(f"INSERT INTO {name} VALUES {ROWS}", self.context)
        return name

    def run(self, text: str, context: Context, bound: pa.Table | None = None) -> None:
        """Run a statement."""
        self._executor.run(parse_numbered(text), context, bound)

    def stream(self, table: str, modes: TableDefinitionOptions, context: Context) -> None:
        """Ingest two rows."""
        self._load.run(
            StatementIngest(table, modes),
            context,
            Stream(lambda: STREAMED.schema, iter(STREAMED.to_batches()), context.user),
        )

    def change(self, kind: str, table: str, context: Context) -> None:
        """Make a change."""
        what = CHANGES[kind]
        if isinstance(what, IfExists):
            self.stream(table, TableDefinitionOptions(IfNotExist.FAIL, what), context)
        elif isinstance(what, str):
            self.run(what.format(t=table), context)
        else:
            self.run(what[0].format(t=table), context, what[1])

    def define(self, kind: str, table: str, context: Context) -> None:
        """Define the table anew."""
        for text in DEFINITIONS[kind]:
            self.run(text.format(t=table), context)

    def define_and_use(self, kind: str, table: str, context: Context) -> None:
        """Define the table anew, and change its rows."""
        self.define(kind, table, context)
        self.run(USES[kind].format(t=table), context)

    def seen(self, table: str) -> Seen:
        """What everybody sees."""
        found = self._executor.run(parse_numbered(f"SELECT * FROM {table} ORDER BY id"), self.context, None)
        assert isinstance(found, Rows)
        rows = found.to_table()
        return Seen(tuple(rows.column_names), tuple(tuple(row.values()) for row in rows.to_pylist()))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One database for all histories."""
    folder: Path = tmp_path_factory.mktemp("waits")
    database = Database(Settings(data_dir=folder / "data", durability=Durability.ASYNC))
    yield House(database)
    database.close()


def left_by(house: House, *acts: Act) -> Seen | None:
    """What is left when each waits for the one before; None when one of them is refused."""
    table = house.table()
    return house.seen(table) if all(carried_out(partial(act, table, house.context)) for act in acts) else None


def is_left_by_some_order(house: House, table: str, *acts: Act) -> bool:
    """Tell whether a table looks as if all acts had been carried out, one after the other."""
    seen = house.seen(table)
    return any(seen == left_by(house, *order) for order in permutations(acts))


def carried_out(act: Callable[[], object]) -> bool:
    """Tell whether something was not refused."""
    try:
        act()
    except DatabaseError:
        return False
    return True


@pytest.mark.parametrize(("change", "definition"), meetings(CHANGES))
def test_a_change_that_waits_for_a_definition(house: House, change: str, definition: str) -> None:
    """It is carried out before or after what others did meanwhile, or refused and has left nothing."""
    house.clause = CLAUSES.get(definition, "")
    make, define = partial(house.change, change), partial(house.define_and_use, definition)
    table = house.table()
    waits = Meanwhile(house.database.autocommit, partial(define, table, house.context))
    if carried_out(partial(make, table, replace(house.context, work=waits))):
        assert is_left_by_some_order(house, table, define, make)
    else:
        assert house.seen(table) == left_by(house, define)


@pytest.mark.parametrize(
    ("change", "definition"), meetings(["insert", "upsert", "update", "delete", "stream", "replacing stream", "merge"])
)
def test_a_transaction_and_another_one(house: House, change: str, definition: str) -> None:
    """A change inside while others define, and a definition inside while others change: in some order, or refused."""
    house.clause = CLAUSES.get(definition, "")
    make, define = partial(house.change, change), partial(house.define, definition)
    for inside, outside in ((make, define), (define, make)):
        table, transaction = house.table(), house.database.begin()
        within = replace(house.context, work=transaction, in_transaction=True)
        if not carried_out(partial(inside, table, within)):
            assert definition in OUTSIDE
            transaction.rollback()
            continue
        outside(table, house.context)
        if carried_out(transaction.commit):
            assert is_left_by_some_order(house, table, inside, outside)
        else:
            assert house.seen(table) == left_by(house, outside)


BROKEN = {
    "a check": "INSERT INTO {t} VALUES (9, 90, 'x')",
    "unique values": "INSERT INTO {t} VALUES (9, 10, 'x')",
    "no NULL": "INSERT INTO {t} VALUES (9, NULL, 'x')",
}
"""Changes that those forbid."""


@pytest.mark.parametrize("definition", BROKEN)
def test_rows_that_come_between_two_looks_are_found(house: House, definition: str) -> None:
    """Then nothing is demanded, of nobody; what was broken can come again."""
    house.clause, breaks = "", BROKEN[definition]
    table = house.table()
    waits = Meanwhile(house.database.autocommit, lambda: house.run(breaks.format(t=table), house.context))
    assert not carried_out(partial(house.define, definition, table, replace(house.context, work=waits)))
    assert len(house.seen(table).rows) == 4
    now = house.database.catalog.registry.tables[TableName("public", table)]
    assert not now.checks
    assert not now.uniques
    assert not now.unproven
    assert all(column.nullable for column in now.columns if column.name != "id")
    house.run(f"INSERT INTO {table} SELECT id + 100, v, s FROM {table}", house.context)
    house.run(f"DELETE FROM {table} WHERE id % 100 = 9", house.context)
    house.run(f"DELETE FROM {table} WHERE id > 100", house.context)
    house.define(definition, table, house.context)
    assert not carried_out(lambda: house.run(breaks.format(t=table), house.context))


@pytest.mark.parametrize("definition", BROKEN)
def test_a_writer_between_the_second_look_and_the_definition_is_held_against_it(house: House, definition: str) -> None:
    """What is offered breaks what is about to be demanded, and is refused."""
    house.clause, breaks, refused = "", BROKEN[definition], []
    table = house.table()

    def write() -> None:
        refused.append(not carried_out(lambda: house.run(breaks.format(t=table), house.context)))

    offered = Meanwhile(house.database.autocommit, write, before=1)
    house.define(definition, table, replace(house.context, work=offered))
    assert refused == [True]
    assert len(house.seen(table).rows) == 3


def test_an_upsert_keeps_what_was_acknowledged_while_it_waited(house: House) -> None:
    """It sets `v`; a column that came meanwhile, and was filled, stays as it is."""
    table = house.table()
    waits = Meanwhile(house.database.autocommit, partial(house.define_and_use, "a column more", table, house.context))
    house.change("upsert", table, replace(house.context, work=waits))
    assert house.seen(table).rows == ((1, 11, "a", 7), (2, 20, "b", 7), (3, 30, "c", 7), (9, 90, "d", 5))


@pytest.mark.parametrize(
    ("statement", "meanwhile"),
    [
        ("CREATE TABLE IF NOT EXISTS {t}n (id BIGINT)", "CREATE TABLE {t}n (other BIGINT)"),
        ("CREATE TABLE IF NOT EXISTS {t}n AS SELECT 1 AS id", "CREATE TABLE {t}n (other BIGINT)"),
        ("CREATE VIEW IF NOT EXISTS {t}n AS SELECT 1 AS id", "CREATE VIEW {t}n AS SELECT 2 AS other"),
        ("CREATE OR REPLACE VIEW {t}n AS SELECT 1 AS other", "CREATE VIEW {t}n AS SELECT 2 AS id"),
        ("CREATE NAMESPACE IF NOT EXISTS {t}n", "CREATE NAMESPACE {t}n"),
        ("DROP TABLE IF EXISTS {t}", "DROP TABLE {t}"),
    ],
)
def test_what_may_be_there_may_come_meanwhile(house: House, statement: str, meanwhile: str) -> None:
    """IF EXISTS and IF NOT EXISTS speak of the moment in which the definition changes."""
    table = house.table()
    waits = Meanwhile(house.database.autocommit, lambda: house.run(meanwhile.format(t=table), house.context))
    house.run(statement.format(t=table), replace(house.context, work=waits))
    made = house.database.catalog.registry.tables.get(TableName("public", f"{table}n"))
    assert made is None or list(made.by_name) == ["_row", "other"]


def test_a_table_that_is_made_while_a_stream_makes_it_is_a_conflict(house: House) -> None:
    """The stream may come again, and is then appended; nothing is left of it."""
    table = f"{house.table()}n"
    make = f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, v BIGINT)"
    waits = Meanwhile(house.database.autocommit, lambda: house.run(make, house.context))
    modes = TableDefinitionOptions(IfNotExist.CREATE, IfExists.APPEND)
    with pytest.raises(DatabaseError, match="send the stream again") as caught:
        house.stream(table, modes, replace(house.context, work=waits))
    assert caught.value.kind is ErrorKind.CONFLICT
    assert house.seen(table).rows == ()
    house.stream(table, modes, house.context)
    assert house.seen(table).rows == ((1, 11), (9, 90))
