"""Random queries over given tables: well typed, and with one right answer.

What would leave an answer open is avoided: windows whose functions depend on the order of rows have an order by all
columns that are in sight, the same one in all windows of a SELECT, because equal rows may come in any order; LIMIT
comes with an order by all outputs, and a scalar sub-query has one row at most.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tests.oracle import tree
from tests.oracle.forms import AGGREGATES, AND, EQUAL, LESS, NEIGHBOURS, RANKS, SCALARS, SUMMARIES, Form
from tests.oracle.kinds import Kind, literal, null
from tests.oracle.tree import Column, Expression, Literal, Node, Output, Query, Select, Source

T = TypeVar("T")

FORMS: dict[Kind, list[Form]] = {kind: [form for form in SCALARS if form.gives is kind] for kind in Kind}
AGGREGATES_OF: dict[Kind, list[Form]] = {kind: [form for form in AGGREGATES if form.gives is kind] for kind in Kind}

FRAMES = (
    "",
    "",
    "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
    "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
    "ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING",
    "ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING",
)
JOINS = ("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
SETS = ("UNION", "UNION ALL", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL")
NULLS = ("", "", "FIRST", "LAST")
MEMBERS = ("IN", "IN", "NOT IN", "NOT IN", "= ANY", "<> ALL", "< ANY", ">= ALL")

SUB_QUERY_CHANCE = 0.12
OUTER_CHANCE = 0.3
ANYTHING = tuple(Kind)

_Sorted = tuple[tuple[Column, ...], tuple[tree.Key, ...]]
"""The partition and the order of a window."""


@dataclass(frozen=True)
class Table:
    """A table or a view as statements know it: the names of its columns and their kinds; `key` makes rows unique."""

    name: str
    columns: tuple[tuple[str, Kind], ...]
    key: tuple[str, ...] = ()
    changeable: bool = True


@dataclass(frozen=True)
class Scope:
    """What an expression may be made of.

    `leaves` are the values in sight: columns, or, within a grouped query, its keys. `outer` are columns of the queries
    around. `aggregated` is the scope whose rows may be summed up, `windows` says whether windows may stand.
    """

    leaves: tuple[Expression, ...]
    outer: tuple[Column, ...] = ()
    aggregated: "Scope | None" = None
    windows: bool = False
    queries: bool = True
    members: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        """The leaves that are columns."""
        return tuple(leaf for leaf in self.leaves if isinstance(leaf, Column))

    def without_queries(self) -> "Scope":
        """The same without sub-queries, windows, aggregates and outer columns, for what must be plain."""
        return replace(self, outer=(), queries=False, windows=False, members=False, aggregated=None)

    def as_condition(self) -> "Scope":
        """The same for a condition, where IN may ask a query and windows may not stand."""
        return replace(self, members=self.queries, windows=False)


class QueryGenerator:
    """Writes queries; the same ones for the same chance."""

    def __init__(self, chance: random.Random, tables: Sequence[Table], *, special: bool = False) -> None:
        self._chance = chance
        self._special = special
        self._common: list[Table] = []
        self._names = 0
        self._rows_in_order: _Sorted | None = None
        self.tables = list(tables)

    def query(self) -> Query:
        """A query, perhaps with common table expressions, an order and a page."""
        self._fresh()
        common = tuple(self._common_table() for _ in range(self._pick((0, 0, 0, 0, 0, 1, 1, 2))))
        kinds = [self._pick(ANYTHING) for _ in range(self._chance.randint(1, 4))]
        body = self._ordered(self.rows(kinds, self._pick((1, 2, 2, 3)), outer=()), inner=False)
        return tree.With(common, body) if common else body

    def question(self) -> Node:
        """What is asked beside changes."""
        return self.query()

    def condition(self, scope: Scope, depth: int = 3) -> Expression:
        """Something that is true of some rows."""
        return self.expression(Kind.BOOL, depth, scope.as_condition())

    # Queries

    def rows(self, kinds: Sequence[Kind], depth: int, outer: tuple[Column, ...]) -> Query:
        """A query with columns of these kinds."""
        if depth > 1 and self._is(0.12):
            left, right = (self.rows(kinds, depth - 1, outer) for _ in range(2))
            return tree.SetOperation(left, self._pick(SETS), right)
        return self.select(kinds, depth, outer)

    def select(self, kinds: Sequence[Kind], depth: int, outer: tuple[Column, ...]) -> Select:
        """A SELECT with columns of these kinds."""
        source, scope = self.source(depth, outer)
        where = self._where(scope, depth)
        shape = self._weighted({"plain": 5, "windows": 1.5, "grouped": 2.5, "whole": 1, "distinct": 1})
        if shape in {"grouped", "whole"}:
            return self._grouped(kinds, source, scope, where, keyed=shape == "grouped")
        inner = replace(scope, windows=shape == "windows")
        around, self._rows_in_order = self._rows_in_order, None
        outputs = self._outputs(kinds, min(depth, 2), replace(inner, members=inner.queries))
        self._rows_in_order = around
        return Select(outputs, source, where, distinct=shape == "distinct")

    def _where(self, scope: Scope, depth: int) -> Expression | None:
        """Perhaps a condition; one that ties the query to those around it, if it may use their columns."""
        where = self.condition(scope, depth) if self._is(0.6) else None
        tie = self._meeting(scope.columns, scope.outer) if self._is(0.7) else None
        return both(tie, where)

    def _grouped(
        self, kinds: Sequence[Kind], source: Source, scope: Scope, where: Expression | None, *, keyed: bool
    ) -> Select:
        tried = [self._key(kinds, scope) for _ in range(self._pick((1, 1, 2)) if keyed else 0)]
        keys = list(dict.fromkeys(key for key in tried if key is not None))
        inner = replace(scope, leaves=tuple(keys), aggregated=scope.without_queries())
        outputs = self._outputs(kinds, self._pick((1, 1, 2)), replace(inner, members=True))
        having = self.condition(inner, 2) if self._is(0.35) else None
        rollup = len(keys) > 1 and self._is(0.1)
        return Select(outputs, source, where, tuple(keys), having, rollup=rollup)

    def _key(self, kinds: Sequence[Kind], scope: Scope) -> Expression | None:
        """What rows are grouped by; a bare number would be the place of an output."""
        if self._is(0.75) and scope.columns:
            return self._pick(scope.columns)
        value = self.expression(self._pick(kinds), 1, scope.without_queries())
        return None if isinstance(value, Literal) else value

    def _outputs(self, kinds: Sequence[Kind], depth: int, scope: Scope) -> tuple[Output, ...]:
        outputs: list[Output] = []
        for at, kind in enumerate(kinds):
            value = self.expression(kind, depth, scope)
            taken = {output.name for output in outputs}
            own = isinstance(value, Column) and value.name not in taken and value.name[-1].isalpha() and self._is(0.5)
            outputs.append(Output(value, value.name if own and isinstance(value, Column) else f"o{at + 1}"))
        return tuple(outputs)

    def _ordered(self, query: Query, *, inner: bool) -> Query:
        """Perhaps with an order and a page; within another query they come together."""
        assert isinstance(query, Select | tree.SetOperation)
        if not self._is(0.1 if inner else 0.5):
            return query
        order = tree.Order((self._is(0.5), self._is(0.3)), self._pick(NULLS))
        page = None
        if inner or self._is(0.5):
            limit = self._pick((0, 1, 2, 3, 5, None))
            offset = self._pick((None, 1, 2, 4)) if limit is not None else self._pick((1, 2, 3))
            page = tree.Page(limit, offset, in_words=self._is(0.3))
        return replace(query, order=order, page=page)

    def _common_table(self) -> tree.Common:
        kinds = [self._pick(ANYTHING) for _ in range(self._chance.randint(1, 3))]
        query = self._ordered(self.rows(kinds, 2, ()), inner=True)
        name = self._name("w")
        self._common.append(Table(name, described(query, kinds)))
        return tree.Common(name, query)

    # Sources

    def source(self, depth: int, outer: tuple[Column, ...] = ()) -> tuple[Source, Scope]:
        """One to three sources, and the scope of their columns."""
        count = self._pick((1, 1, 1, 2, 2, 3)) if depth > 1 else self._pick((1, 1, 2))
        if count > 1 and self._is(0.2):
            source, columns = self._merged(depth)
        else:
            source, columns = self._relation(depth)
            for _ in range(count - 1):
                right, more = self._relation(depth)
                source = self._joined(source, columns, right, more)
                columns = columns + more
        if depth > 1 and self._is(0.06):
            source, more = self._beside_lateral(source, columns, depth)
            columns = columns + more
        return source, Scope(self._unqualified(columns), outer)

    def _beside_lateral(
        self, left: Source, columns: tuple[Column, ...], depth: int
    ) -> tuple[Source, tuple[Column, ...]]:
        """A source beside rows that are others for each of its own."""
        kinds = [self._pick(ANYTHING) for _ in range(self._chance.randint(1, 2))]
        outer = tuple(column for column in columns if column.source)
        alias = self._name("a")
        if self._is(0.35):
            one = self._single(kinds[0], depth - 1, outer)
            query, found = one, ((tree.names(one)[0], kinds[0]),)
        else:
            query = self._ordered(self.rows(kinds, depth - 1, outer), inner=True)
            found = described(query, kinds)
        right, more = tree.Lateral(query, alias), columns_of(found, alias)
        if self._is(0.5):
            return tree.Join(left, "CROSS JOIN", right), more
        return tree.Join(left, "LEFT JOIN", right, Literal(Kind.BOOL, "true")), more

    def _joined(self, left: Source, ours: tuple[Column, ...], right: Source, theirs: tuple[Column, ...]) -> Source:
        if self._is(0.08):
            return tree.Join(left, "CROSS JOIN", right)
        words = self._pick(JOINS)
        on = self._meeting(ours, theirs)
        if on is None:
            return tree.Join(left, "CROSS JOIN", right)
        if words != "FULL JOIN" and self._is(0.35):
            asks = self._is(0.25)
            extra = self.expression(Kind.BOOL, 2 if asks else 1, Scope(ours + theirs, queries=asks, members=asks))
            on = both(on, extra)
        return tree.Join(left, words, right, on)

    def _meeting(self, ours: tuple[Column, ...], theirs: tuple[Column, ...]) -> Expression | None:
        """An equality of two columns of a kind; None when there are none."""
        pairs = [(a, b) for a in ours for b in theirs if a.kind is b.kind]
        if not pairs:
            return None
        pair = self._pick(pairs)
        return tree.Call(Kind.BOOL, EQUAL[pair[0].kind], pair)

    def _merged(self, depth: int) -> tuple[Source, tuple[Column, ...]]:
        """Sources that are joined by the names of their columns: USING one of them, or NATURAL."""
        left, ours = self._relation(depth)
        right, theirs = self._relation(depth)
        kinds = {column.name: column.kind for column in theirs}
        shared = [column for column in ours if column.name in kinds]
        if not shared or any(kinds[column.name] is not column.kind for column in shared):
            return self._joined(left, ours, right, theirs), ours + theirs
        words = self._pick(("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"))
        natural = self._is(0.4)
        merged = shared if natural else [self._pick(shared)]
        names = {column.name for column in merged}
        rest = tuple(column for column in ours + theirs if column.name not in names)
        columns = (*(Column(column.kind, "", column.name) for column in merged), *rest)
        using = () if natural else tuple(column.name for column in merged)
        return tree.Join(left, f"NATURAL {words}" if natural else words, right, using=using), columns

    def _relation(self, depth: int) -> tuple[Source, tuple[Column, ...]]:
        alias = self._name("a")
        if depth > 1 and self._is(0.22):
            kinds = [self._pick(ANYTHING) for _ in range(self._chance.randint(1, 3))]
            if self._is(0.15):
                names = tuple(f"v{at + 1}" for at in range(len(kinds)))
                found = tuple(Column(kind, alias, name) for name, kind in zip(names, kinds, strict=True))
                return tree.Derived(self._values(kinds), alias, names), found
            query = self._ordered(self.rows(kinds, depth - 1, ()), inner=True)
            return tree.Derived(query, alias), columns_of(described(query, kinds), alias)
        if self._is(0.04):
            first, last = self._chance.randint(-1, 2), self._chance.randint(0, 5)
            return tree.Series(first, last, alias, "v1"), columns_of((("v1", Kind.INT),), alias)
        table = self._pick(self._common) if self._common and self._is(0.5) else self._pick(self.tables)
        return tree.Named(table.name, alias), columns_of(table.columns, alias)

    def _values(self, kinds: Sequence[Kind]) -> Query:
        return tree.Values(tuple(self.row(kinds) for _ in range(self._chance.randint(1, 3))))

    def row(self, kinds: Iterable[Kind]) -> tree.Row:
        """Literals of these kinds."""
        return tree.Row(tuple(self._literal(kind, nulls=0.2) for kind in kinds))

    def _unqualified(self, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        """Some of the columns whose name is alone are used without their source."""
        names = [column.name for column in columns]
        return tuple(
            replace(column, bare=bool(column.source) and names.count(column.name) == 1 and self._is(0.3))
            for column in columns
        )

    # Expressions

    def expression(self, kind: Kind, depth: int, scope: Scope) -> Expression:
        """A value of a kind from what is in sight."""
        if depth <= 0 or self._is(0.2 if kind is Kind.BOOL else 0.4):
            return self.leaf(kind, scope)
        if scope.queries and depth > 1 and self._is(SUB_QUERY_CHANCE):
            return self._sub_query(kind, depth, scope)
        form = self._form(FORMS[kind])
        return tree.Call(kind, form, tuple(self.expression(part, depth - form.cost, scope) for part in form.takes))

    def leaf(self, kind: Kind, scope: Scope) -> Expression:
        """A column, an aggregate, a window or a literal."""
        if scope.aggregated and self._is(0.7):
            aggregate = self._aggregate(kind, scope.aggregated)
            if aggregate is not None:
                return aggregate
        if scope.windows and self._is(0.6):
            return self._window(kind, replace(scope, windows=False, queries=False))
        found = [leaf for leaf in scope.leaves if leaf.kind is kind]
        outer = [column for column in scope.outer if column.kind is kind]
        if outer and self._is(OUTER_CHANCE):
            return self._pick(outer)
        if found and self._is(0.85):
            return self._pick(found)
        return self._literal(kind, nulls=0.08)

    def _literal(self, kind: Kind, nulls: float) -> Literal:
        if self._is(nulls):
            return Literal(kind, null(kind) if self._is(0.7) else "NULL")
        return Literal(kind, literal(self._chance, kind, special=self._special))

    def _aggregate(self, kind: Kind, scope: Scope) -> Expression | None:
        forms = AGGREGATES_OF[kind]
        if not forms:
            return None
        form = self._form(forms)
        parts = tuple(self.expression(part, 1, scope) for part in form.takes)
        condition = self.expression(Kind.BOOL, 1, scope) if self._is(0.12) else None
        if condition is not None and self._is(0.3):
            condition = self.expression(Kind.BOOL, 2, replace(scope, queries=True, members=True))
        return tree.Aggregate(kind, form, parts, condition)

    def _window(self, kind: Kind, scope: Scope) -> Expression:
        ranks = RANKS if kind is Kind.INT else ()
        form = self._form([form for form in (*ranks, *NEIGHBOURS, *SUMMARIES) if form.gives is kind])
        parts = tuple(self.expression(part, 1, scope) for part in form.takes)
        partition = tuple(self._pick(scope.columns) for _ in range(self._pick((0, 1, 1)))) if scope.columns else ()
        if form in SUMMARIES and self._is(0.4):
            return tree.Window(kind, form, parts, partition)
        down, nulls = self._is(0.4), self._pick(NULLS)
        order = tuple(tree.Key(column, down, nulls) for column in self._shuffled(scope.columns))
        self._rows_in_order = partition, order = self._rows_in_order or (partition, order)
        frame = "" if form in RANKS or form.text.startswith(("lag", "lead")) else self._pick(FRAMES)
        return tree.Window(kind, form, parts, partition, order, frame if order else "")

    def _sub_query(self, kind: Kind, depth: int, scope: Scope) -> Expression:
        outer = scope.outer + tuple(replace(column, bare=False) for column in scope.columns if column.source)
        if kind is Kind.BOOL and scope.members and self._is(0.8):
            outer = outer if self._is(0.6) else ()
            if self._is(0.45):
                return tree.Exists(Kind.BOOL, self.rows([self._pick(ANYTHING)], depth - 1, outer), self._is(0.4))
            if self._is(0.15):
                kinds = [self._pick(ANYTHING), Kind.INT]
                values = tuple(self.expression(kind, 1, scope.without_queries()) for kind in kinds)
                return tree.RowMember(Kind.BOOL, values, self.rows(kinds, depth - 1, ()), self._is(0.3))
            of = self._pick((Kind.INT, Kind.INT, Kind.TEXT, *ANYTHING))
            value = self.expression(of, 1, scope.without_queries())
            return tree.Member(Kind.BOOL, value, self._pick(MEMBERS), self.rows([of], depth - 1, outer))
        return tree.Scalar(kind, self._single(kind, depth - 1, outer if self._is(0.5) else ()))

    def _single(self, kind: Kind, depth: int, outer: tuple[Column, ...]) -> Query:
        """A query with one row at most: an aggregate of all rows, or the first of an order."""
        source, scope = self.source(depth, outer)
        tie = self._meeting(scope.columns, outer)
        if self._is(0.15):
            tie = both(tie, self._compared(scope.columns, outer))
        where = both(tie, self.condition(replace(scope, outer=(), queries=False), 1) if self._is(0.4) else None)
        aggregate = self._aggregate(kind, scope.without_queries()) if self._is(0.75) else None
        if aggregate is not None:
            return Select((Output(aggregate, "o1"),), source, where)
        order, page = tree.Order((self._is(0.5),), self._pick(NULLS)), tree.Page(1, self._pick((None, None, 1)))
        return Select((Output(self.leaf(kind, scope), "o1"),), source, where, order=order, page=page)

    def _compared(self, ours: tuple[Column, ...], outer: tuple[Column, ...]) -> Expression | None:
        """A comparison of numbers with those of a query around, by something other than an equality."""
        pairs = [(a, b) for a in ours for b in outer if a.kind is b.kind is Kind.INT]
        if not pairs:
            return None
        pair = self._pick(pairs)
        return tree.Call(Kind.BOOL, LESS[Kind.INT], pair if self._is(0.5) else pair[::-1])

    # Chance

    def _fresh(self) -> None:
        """Begin a statement."""
        self._names = 0
        self._common = []

    def _is(self, probability: float) -> bool:
        return self._chance.random() < probability

    def _pick(self, choices: Sequence[T]) -> T:
        return self._chance.choice(choices)

    def _form(self, forms: Sequence[Form]) -> Form:
        return self._chance.choices(forms, [form.weight for form in forms])[0]

    def _weighted(self, weights: dict[T, float]) -> T:
        return self._chance.choices(list(weights), list(weights.values()))[0]

    def _shuffled(self, items: Sequence[T]) -> list[T]:
        return self._chance.sample(items, len(items))

    def _name(self, letter: str) -> str:
        self._names += 1
        return f"{letter}{self._names}"


def both(first: Expression | None, second: Expression | None) -> Expression | None:
    """Two conditions as one, each of which may be missing."""
    if first is None or second is None:
        return first or second
    return tree.Call(Kind.BOOL, AND, (first, second))


def columns_of(columns: Iterable[tuple[str, Kind]], source: str) -> tuple[Column, ...]:
    """The columns of a source."""
    return tuple(Column(kind, source, name) for name, kind in columns)


def described(query: Query, kinds: Sequence[Kind]) -> tuple[tuple[str, Kind], ...]:
    """The names and kinds of what a query yields."""
    return tuple(zip(tree.names(query), kinds, strict=True))
