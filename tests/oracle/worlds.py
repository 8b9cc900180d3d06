"""Tables in every state: hot, in files, partly dead, altered, of a user, without a key, seen through a view.

A world is the list of statements that make them.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from tests.oracle.forms import EQUAL
from tests.oracle.generator import Generator
from tests.oracle.kinds import Kind, literal
from tests.oracle.queries import Table, columns_of
from tests.oracle.tree import (
    AddColumn,
    Assignment,
    ByAnother,
    Call,
    Column,
    CreateTable,
    CreateView,
    Definition,
    Delete,
    Expression,
    Insert,
    Literal,
    Named,
    Node,
    Output,
    Row,
    Select,
    Storage,
    Update,
    Values,
)

COLUMNS: tuple[tuple[str, Kind], ...] = (
    ("k", Kind.INT),
    ("n", Kind.INT),
    ("s", Kind.TEXT),
    ("u", Kind.TEXT),
    ("d", Kind.DECIMAL),
    ("x", Kind.DOUBLE),
    ("b", Kind.BOOL),
    ("day", Kind.DATE),
    ("ts", Kind.MOMENT),
)
"""Columns beside the key. A name means the same kind in every table, so that NATURAL joins are well typed."""

KEY = ("id", Kind.INT)
ROWS = 9


@dataclass(frozen=True)
class World:
    """Statements that make tables, and the tables."""

    steps: tuple[Node, ...]
    tables: tuple[Table, ...]


def world(chance: random.Random, *, special: bool = False) -> World:
    """One table of each sort, with a random half of the columns, and views of some."""
    builder = _Builder(chance, special)
    for build in (
        builder.hot,
        builder.cold,
        builder.mixed,
        builder.dead,
        builder.altered,
        builder.users,
        builder.keyless,
    ):
        build()
    builder.composite()
    builder.views()
    return World(tuple(builder.steps), tuple(builder.tables))


class _Builder:
    """Collects the steps of a world."""

    def __init__(self, chance: random.Random, special: bool) -> None:
        self._chance = chance
        self._special = special
        self.steps: list[Node] = []
        self.tables: list[Table] = []

    def hot(self) -> None:
        """All rows are hot."""
        table = self._table("hot")
        self._insert(table, range(1, ROWS))

    def cold(self) -> None:
        """All rows are in files."""
        table = self._table("cold")
        self._insert(table, range(1, ROWS))
        self._store("FLUSH", table)

    def mixed(self) -> None:
        """Rows in two files, and hot ones."""
        table = self._table("mixed")
        for start in (1, 4):
            self._insert(table, range(start, start + 3))
            self._store("FLUSH", table)
        self._insert(table, range(7, ROWS))

    def dead(self) -> None:
        """Rows in a file that were changed or deleted after it was written."""
        table = self._table("dead")
        self._insert(table, range(1, ROWS + 3))
        self._store("FLUSH", table)
        name, kind = self._chance.choice(table.columns[1:])
        values = (Assignment(name, self._literal(kind)),)
        self.steps.append(Update(table.name, "a0", values, where=self._row(2)))
        self.steps.append(Delete(table.name, "a0", where=self._row(5)))
        self._insert(table, [5])
        self.steps.append(Delete(table.name, "a0", where=self._row(7)))
        if self._chance.random() < 0.3:
            self._store("FLUSH", table)
        if self._chance.random() < 0.2:
            self._store("COMPACT", table)

    def altered(self) -> None:
        """Columns came later, with a default and without."""
        table = self._table("altered", count=5)
        old = Table(table.name, table.columns[:-2], table.key)
        first, second = table.columns[-2:]
        self.steps[-1] = self._created(old, "")
        self._insert(old, range(1, 5))
        self._store("FLUSH", table)
        self._insert(old, range(5, 7))
        self.steps.append(AddColumn(table.name, Definition(*first), self._literal(first[1])))
        self.steps.append(AddColumn(table.name, Definition(*second)))
        self._insert(table, range(7, ROWS + 1))
        self.steps.append(
            Update(table.name, "a0", (Assignment(second[0], self._literal(second[1])),), where=self._row(2))
        )

    def users(self) -> None:
        """A USER table, in which another user has rows of their own."""
        table = self._table("own", words="USER")
        self._insert(table, range(1, 5))
        self.steps.append(ByAnother(self._rows(table, range(1, 8))))
        self._store("FLUSH", table)
        self._insert(table, range(5, ROWS))

    def keyless(self) -> None:
        """No key, and equal rows."""
        table = self._table("loose", keyed=False)
        self._insert(table, [1, 1, 2, 3])
        self._store("FLUSH", table)
        self._insert(table, [1, 1, 2])

    def composite(self) -> None:
        """A key of a number and a text, in this order, and not in front."""
        columns = (("n", Kind.INT), ("id", Kind.INT), ("d", Kind.DECIMAL), ("s", Kind.TEXT))
        table = Table("pair", columns, ("id", "s"))
        self.tables.append(table)
        self.steps.append(self._created(table, ""))
        scope = [(1, "'a'"), (1, "'b'"), (2, "'a'"), (3, "''")]
        for key, text in scope:
            values = (
                self._literal(Kind.INT),
                Literal(Kind.INT, str(key)),
                self._literal(Kind.DECIMAL),
                Literal(Kind.TEXT, text),
            )
            self.steps.append(Insert("pair", tuple(name for name, _ in columns), values_of([values])))
            if self._chance.random() < 0.3:
                self._store("FLUSH", table)

    def views(self) -> None:
        """A view of all columns of a table, and one of a random query."""
        table = self._chance.choice(self.tables)
        outputs = tuple(Output(column, column.name) for column in columns_of(table.columns, "a0"))
        self._view("seen", Select(outputs, Named(table.name, "a0")), table.columns)
        kinds = self._chance.sample(list(Kind), 3)
        query = Generator(self._chance, self.tables).select(kinds, 2, ())
        self._view("shown", query, [(output.name, kind) for output, kind in zip(query.outputs, kinds, strict=True)])

    def _view(self, name: str, query: Select, columns: Iterable[tuple[str, Kind]]) -> None:
        self.steps.append(CreateView(name, query))
        self.tables.append(Table(name, tuple(columns), changeable=False))

    def _table(self, name: str, *, count: int = 0, keyed: bool = True, words: str = "") -> Table:
        some = self._chance.sample(COLUMNS, count or self._chance.randint(3, 6))
        table = Table(name, (KEY, *some), ("id",) if keyed else ())
        self.tables.append(table)
        self.steps.append(self._created(table, words))
        return table

    def _created(self, table: Table, words: str) -> CreateTable:
        return CreateTable(table.name, tuple(Definition(*column) for column in table.columns), table.key, words)

    def _insert(self, table: Table, keys: Iterable[int]) -> None:
        self.steps.append(self._rows(table, keys))

    def _rows(self, table: Table, keys: Iterable[int]) -> Insert:
        rows = [(Literal(Kind.INT, str(key)), *(self._literal(kind) for _, kind in table.columns[1:])) for key in keys]
        return Insert(table.name, tuple(name for name, _ in table.columns), values_of(rows))

    def _store(self, words: str, table: Table) -> None:
        self.steps.append(Storage(words, table.name))

    def _literal(self, kind: Kind) -> Literal:
        return Literal(
            kind, "NULL" if self._chance.random() < 0.2 else literal(self._chance, kind, special=self._special)
        )

    def _row(self, key: int) -> Expression:
        return Call(Kind.BOOL, EQUAL[Kind.INT], (Column(Kind.INT, "a0", "id"), Literal(Kind.INT, str(key))))


def values_of(rows: Iterable[tuple[Expression, ...]]) -> Values:
    """Rows of VALUES."""
    return Values(tuple(Row(row) for row in rows))
