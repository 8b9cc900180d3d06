"""Random changes over given tables, beside `queries`: INSERT, UPDATE and DELETE with one right outcome."""

from dataclasses import replace

from tests.oracle import tree
from tests.oracle.forms import EQUAL, LESS, PLUS
from tests.oracle.kinds import Kind
from tests.oracle.queries import QueryGenerator, Scope, Table, both, columns_of
from tests.oracle.tree import Column, Expression, Literal, Output, Query, Select, Source


class Generator(QueryGenerator):
    """Writes statements; the same ones for the same chance."""

    def change(self) -> tree.Change:
        """An INSERT, UPDATE or DELETE of a table that can be changed."""
        self._fresh()
        table = self._pick([table for table in self.tables if table.changeable])
        change = self._weighted({self._insert: 2, self._update: 3, self._delete: 1})(table)
        return replace(change, returning=self._returned(change, table)) if self._is(0.3) else change

    def _returned(self, change: tree.Change, table: Table) -> tuple[Output, ...]:
        """What is made of the rows that a change has written, or removed."""
        alias = change.alias if isinstance(change, tree.Update | tree.Delete) else table.name
        scope = Scope(columns_of(table.columns, alias), queries=False)
        kinds = [self._pick(tuple(Kind)) for _ in range(self._chance.randint(1, 3))]
        return tuple(Output(self.expression(kind, 2, scope), f"o{at + 1}") for at, kind in enumerate(kinds))

    def _insert(self, table: Table) -> tree.Change:
        keys = [name for name, _ in table.columns if name in table.key]
        others = [column for column in table.columns if column[0] not in table.key]
        chosen = others[: self._chance.randint(1, len(others))]
        columns = tuple(column for column in table.columns if column[0] in keys or column in chosen)
        rows = self._source_of_rows(table, columns) if self._is(0.5) else self._new_rows(table, columns)
        conflict = self._conflict(table, columns) if table.key and self._is(0.6) else None
        return tree.Insert(table.name, tuple(name for name, _ in columns), rows, conflict)

    def _new_rows(self, table: Table, columns: tuple[tuple[str, Kind], ...]) -> Query:
        """Expressions without columns; the key of each row is its own."""
        scope = Scope((), queries=self._is(0.2))
        rows = []
        for at in range(self._chance.randint(1, 3)):
            first = self._chance.randint(0, 15) * 4 + at
            values = [
                Literal(kind, str(first) if kind is Kind.INT else f"'{'abc'[at]}'")
                if name in table.key
                else self.expression(kind, 1, scope)
                for name, kind in columns
            ]
            rows.append(tree.Row(tuple(values)))
        return tree.Values(tuple(rows))

    def _source_of_rows(self, table: Table, columns: tuple[tuple[str, Kind], ...]) -> Query:
        """Rows of another table; the key of each is that of its row, moved by a number."""
        keyed = [other for other in self.tables if other.key == ("id",)]
        other = self._pick(keyed)
        alias = self._name("a")
        scope = Scope(columns_of(other.columns, alias))
        moved = tree.Call(Kind.INT, PLUS, (Column(Kind.INT, alias, "id"), Literal(Kind.INT, self._pick(("0", "20")))))
        outputs = tuple(
            Output(
                (moved if kind is Kind.INT else Literal(Kind.TEXT, "'a'"))
                if name in table.key
                else self.expression(kind, 2, scope),
                f"o{at + 1}",
            )
            for at, (name, kind) in enumerate(columns)
        )
        few = tree.Call(Kind.BOOL, LESS[Kind.INT], (Column(Kind.INT, alias, "id"), Literal(Kind.INT, "6")))
        where = both(few, self.condition(scope, 2) if self._is(0.6) else None)
        return Select(outputs, tree.Named(other.name, alias), where)

    def _conflict(self, table: Table, columns: tuple[tuple[str, Kind], ...]) -> tree.Conflict:
        if self._is(0.3):
            return tree.Conflict(table.key)
        offered = columns_of(columns, "excluded")
        stored = columns_of(table.columns, table.name)
        scope = Scope(offered + stored, queries=False)
        where = self.condition(scope, 2) if self._is(0.4) else None
        return tree.Conflict(table.key, self._assignments(table, scope), where)

    def _update(self, table: Table) -> tree.Change:
        alias = self._name("a")
        own = columns_of(table.columns, alias)
        source, more, tie = self._beside(table, own)
        scope = Scope(own + more)
        where = both(tie, self.condition(scope, 3) if self._is(0.7) else None)
        return tree.Update(table.name, alias, self._assignments(table, scope), source, where)

    def _delete(self, table: Table) -> tree.Change:
        alias = self._name("a")
        own = columns_of(table.columns, alias)
        source, more, tie = self._beside(table, own)
        where = self.condition(Scope(own + more), 3)
        few = tree.Call(Kind.BOOL, EQUAL[Kind.INT], (self._number(own), Literal(Kind.INT, self._pick(("1", "2", "3")))))
        return tree.Delete(table.name, alias, source, both(tie, where if self._is(0.3) else both(few, where)))

    def _number(self, columns: tuple[Column, ...]) -> Expression:
        return next(column for column in columns if column.kind is Kind.INT)

    def _beside(
        self, table: Table, own: tuple[Column, ...]
    ) -> tuple[Source | None, tuple[Column, ...], Expression | None]:
        """Perhaps another table, one row of which meets a row of this one: by its key."""
        if not table.key or self._is(0.75):
            return None, (), None
        other = self._pick([other for other in self.tables if other.key == ("id",)])
        alias = self._name("a")
        theirs = columns_of(other.columns, alias)
        tie = tree.Call(Kind.BOOL, EQUAL[Kind.INT], (Column(Kind.INT, alias, "id"), self._number(own)))
        return tree.Named(other.name, alias), theirs, tie

    def _assignments(self, table: Table, scope: Scope) -> tuple[tree.Assignment, ...]:
        others = [column for column in table.columns if column[0] not in table.key]
        chosen = self._chance.sample(others, self._chance.randint(1, min(3, len(others))))
        return tuple(tree.Assignment(name, self.expression(kind, 2, scope)) for name, kind in chosen)
