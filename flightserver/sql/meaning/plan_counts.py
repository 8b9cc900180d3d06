"""Counts the plan of a query on its tree, with what its common tables and views stand for wherever they are named.

A condition over a column is as long as what the column is made of: the engine moves it through SELECTs, but not through
aggregates, windows and LIMIT. Counts are what a plan has at most; one source of a FROM is as good as another where its
alias does not tell them apart.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce

from flightserver.sql.meaning.aggregates import is_aggregate
from flightserver.sql.meaning.plan_size import (
    PlanSize,
    refuse_grouping_sets,
    refuse_large,
    refuse_multiplying_steps,
    refuse_wide,
)
from flightserver.sql.meaning.scopes import Definitions, output_name
from flightserver.sql.meaning.value_sizes import STORED_BYTES, ValueSizes
from flightserver.sql.text import tree
from flightserver.sql.text.query_text import QueryText

_BYTES_OF_TERM = 2
"""What a value in rows takes at least, with its comma."""

_QUERY_WORDS = frozenset({"SELECT", "FROM", "TABLE"})
"""Without one of them, rows of VALUES have no sub-query."""


def plan_size(text: QueryText, query: tree.Query, definitions: Definitions) -> PlanSize:
    """The size of a query of a text; RESOURCES where it is beyond a limit."""
    found = _Measure(text, definitions).query(query, {})
    refuse_large(found, len(text))
    return found


_MUCH_BYTES = 1 << 16
"""What a recursive query's rows are tried with, to see what a step makes of them."""

_Common = Mapping[str, PlanSize]


@dataclass(frozen=True)
class _Sources:
    """What a FROM reads: its size, and how each source is called, with what it yields."""

    size: PlanSize
    named: tuple[tuple[str | None, PlanSize], ...]

    def weight_of(self, name: tree.Name) -> int:
        """Of how many terms a column is made; one of an outer query counts as one."""
        qualifier = name.parts[-2] if len(name.parts) > 1 else None
        found = 1
        for called, size in self.named:
            if qualifier is None or called == qualifier:
                found = max(found, dict(size.weights).get(name.parts[-1], size.weight) if size.heaviest > 1 else 1)
        return found

    def bytes_of(self, name: tree.Name) -> int:
        """How large a column's values are; one of an outer query counts as stored."""
        qualifier = name.parts[-2] if len(name.parts) > 1 else None
        found = STORED_BYTES
        for called, size in self.named:
            if qualifier is None or called == qualifier:
                found = max(found, dict(size.bytes).get(name.parts[-1], size.value_bytes))
        return found

    def of_star(self, star: tree.Star) -> list[PlanSize]:
        """The sources whose columns a star selects."""
        return [size for called, size in self.named if not star.qualifier or called == star.qualifier[-1]]

    def and_(self, other: "_Sources") -> "_Sources":
        """Both joined."""
        width = self.size.width + other.size.width
        both = replace(self.size.beside(other.size), width=width)
        joined = replace(both, operators=both.operators + 1, columns=both.columns + width)
        return _Sources(joined, self.named + other.named)


_NO_SOURCES = _Sources(PlanSize(width=0), ())


class _Measure:
    def __init__(self, text: QueryText, definitions: Definitions) -> None:
        self._text = text
        self._definitions = definitions
        self._bytes: dict[int, int] = {}
        """Of items, and of what sub-queries yield."""

    def query(self, query: tree.Query, common: _Common) -> PlanSize:
        """A query; its common tables count where they are named."""
        for table in query.common:
            common = {**common, table.name: self._common(table, common, is_recursive=query.is_recursive)}
        found = self._body(query.body, common)
        sources = _Sources(found, ((None, found),))
        for part in (*query.order_by, query.limit, query.offset):
            if part is not None:
                found = found.beside(self._expression(part, sources, common))
        self._bytes[id(query)] = found.widest
        return found if query.limit_start is None else replace(found, weights=(), weight=1)

    def _common(self, table: tree.CommonTable, common: _Common, *, is_recursive: bool) -> PlanSize:
        if not is_recursive:
            return _renamed(self.query(table.query, common), table.columns)
        first = self.query(table.query, {**common, table.name: PlanSize(operators=1)})
        if first.widest > STORED_BYTES:
            own = PlanSize(operators=1, largest=_MUCH_BYTES, value_bytes=_MUCH_BYTES)
            second = self.query(table.query, {**common, table.name: own})
            refuse_multiplying_steps(second.widest - first.widest, _MUCH_BYTES - STORED_BYTES)
        return _renamed(first, table.columns)

    def _body(self, body: tree.Body, common: _Common) -> PlanSize:
        match body:
            case tree.Select():
                return self._select(body, common)
            case tree.SetOperation():
                return _united(self._body(body.left, common), self._body(body.right, common))
            case tree.BracketBody():
                return self.query(body.query, common)
            case tree.TableBody():
                return self._table(body.source, common)
            case tree.Values():
                terms = len(self._text.of(body)) // _BYTES_OF_TERM
                width = len(body.rows[0])
                longest = self._longest_text(body)
                found = PlanSize(
                    operators=1, columns=width, terms=terms, width=width, largest=longest, value_bytes=longest
                )
                if self._text.keys.isdisjoint(_QUERY_WORDS):
                    return found
                queries = [self._expression(value, _NO_SOURCES, common) for row in body.rows for value in row]
                return reduce(PlanSize.beside, queries, found)

    def _select(self, select: tree.Select, common: _Common) -> PlanSize:
        _refuse_grouping_sets(select.group_by)
        parts = [self._source(source, common) for source in select.sources]
        sources = reduce(_Sources.and_, parts) if parts else _NO_SOURCES
        size = sources.size
        for condition in (select.where, select.having, select.qualify):
            if condition is not None:
                size = size.beside(self._condition(condition, sources, common))
        for part in (*select.items, *select.group_by, *select.distinct_on, *(window for _, window in select.windows)):
            size = size.beside(self._expression(part, sources, common))
        return self._yielding(size, select, sources)

    def _source(self, source: tree.Source, common: _Common) -> _Sources:
        match source:
            case tree.TableSource():
                found = self._table(source, common)
                return _Sources(found, ((source.called, found),))
            case tree.QuerySource():
                found = _renamed(self.query(source.query, common), source.columns)
                return _Sources(found, ((source.alias, found),))
            case tree.BracketSource() if source.alias is None:
                return self._source(source.inner, common)
            case tree.BracketSource():
                found = self._source(source.inner, common).size
                return _Sources(found, ((source.alias, found),))
            case tree.Join():
                both = self._source(source.left, common).and_(self._source(source.right, common))
                if source.on is None:
                    return both
                return replace(both, size=both.size.beside(self._condition(source.on, both, common)))
            case tree.CallSource():
                found = PlanSize(operators=1, columns=1).beside(self._expression(source.call, _NO_SOURCES, common))
                return _Sources(found, ((source.alias or source.call.name, found),))
            case _:
                return _Sources(PlanSize(operators=1), ())

    def _table(self, source: tree.TableSource, common: _Common) -> PlanSize:
        """A table, or what a view or a common table stands for."""
        if len(source.parts) == 1 and source.parts[0] in common:
            return _renamed(common[source.parts[0]], source.columns)
        relation = self._definitions(source.parts)
        if relation is not None and relation.size is not None:
            return _renamed(relation.size, source.columns)
        width = 1 if relation is None or relation.columns is None else len(relation.columns)
        return PlanSize(operators=1, columns=width, width=width)

    def _condition(self, condition: tree.Expression, sources: _Sources, common: _Common) -> PlanSize:
        """A condition, which the engine moves towards the sources that it is about."""
        found = self._expression(condition, sources, common)
        names = (node for node in tree.walk_here(condition) if isinstance(node, tree.Name))
        return replace(found, moved=found.moved + sum(sources.weight_of(name) - 1 for name in names))

    def _expression(self, node: tree.Node, sources: _Sources, common: _Common) -> PlanSize:
        """An expression with its sub-queries."""
        found = PlanSize()
        terms = 0
        for part in tree.walk_here(node):
            terms += 1
            if isinstance(part, tree.Query):
                found = found.beside(self.query(part, common))
        values = ValueSizes(self._text.of, sources.bytes_of, lambda query: self._bytes[query])
        self._bytes[id(node)] = values.of(node)
        return replace(found, terms=found.terms + terms, largest=max(found.largest, values.largest))

    def _longest_text(self, values: tree.Values) -> int:
        """The longest literal of rows of values."""
        return max(STORED_BYTES, *map(len, self._text.of(values).split("'")))

    def _yielding(self, size: PlanSize, select: tree.Select, sources: _Sources) -> PlanSize:
        """What a SELECT yields. A computed column weighs what it is made of; aggregates stay where they are."""
        width, weight = 0, 1
        weights: dict[str, int] = {}
        value_bytes, sizes = STORED_BYTES, dict[str, int]()
        for item in select.items or (None,):
            value = None if item is None else item.value
            if value is None or isinstance(value, tree.Star):
                selected = [size for _, size in sources.named] if value is None else sources.of_star(value)
                width += sum(source.width for source in selected) - (len(value.left_out) if value is not None else 0)
                for source in selected:
                    weight = max(weight, source.weight)
                    for name, known in source.weights:
                        weights[name] = max(known, weights.get(name, 1))
                    value_bytes = max(value_bytes, source.value_bytes)
                    for name, known in source.bytes:
                        sizes[name] = max(known, sizes.get(name, 0))
            else:
                width += 1
                name = (item.alias if item is not None else None) or output_name(value)
                weights[name] = max(_weight(value, sources), weights.get(name, 1))
                sizes[name] = max(self._bytes[id(item)], sizes.get(name, 0))
        refuse_wide(width)
        heavy = tuple((name, known) for name, known in weights.items() if known > weight)
        return replace(
            size,
            operators=size.operators + 1,
            columns=size.columns + width,
            width=max(width, 0),
            weights=heavy,
            weight=weight,
            bytes=tuple((name, known) for name, known in sizes.items() if known > value_bytes),
            value_bytes=value_bytes,
        )


def _weight(value: tree.Expression, sources: _Sources) -> int:
    """Of how many terms a value is made with what its columns are made of."""
    terms = 0
    for node in tree.walk_here(value):
        if is_aggregate(node) or (isinstance(node, tree.Call) and node.is_window):
            return 1
        terms += sources.weight_of(node) if isinstance(node, tree.Name) else 1
    return terms


def _renamed(size: PlanSize, names: tuple[str, ...]) -> PlanSize:
    """The same under other names."""
    if not names:
        return size
    return replace(size, weights=(), weight=size.heaviest, bytes=(), value_bytes=size.widest)


def _united(left: PlanSize, right: PlanSize) -> PlanSize:
    both = left.beside(right)
    weight, value_bytes = right.heaviest, max(left.value_bytes, right.widest)
    return replace(
        both,
        operators=both.operators + 1,
        columns=both.columns + left.width,
        weights=tuple((name, known) for name, known in left.weights if known > weight),
        weight=max(left.weight, weight),
        bytes=tuple((name, known) for name, known in left.bytes if known > value_bytes),
        value_bytes=value_bytes,
    )


def _refuse_grouping_sets(groups: Iterable[tree.Expression]) -> None:
    count = 1
    for group in groups:
        count *= _grouping_sets(group)
    refuse_grouping_sets(count)


def _grouping_sets(group: tree.Expression) -> int:
    match group:
        case tree.Call(name="cube", arguments=arguments):
            return int(2 ** len(arguments))
        case tree.Call(name="rollup", arguments=arguments):
            return len(arguments) + 1
        case tree.Compound(what="GROUPING SETS", parts=sets):
            return sum(map(_grouping_sets, sets))
        case _:
            return 1
