"""The rows of a LATERAL sub-query for all outer rows at once: each with the columns that tell for which it is.

    SELECT x FROM b WHERE b.k = a.k             SELECT x, d.k FROM d CROSS JOIN b WHERE b.k = d.k
    … GROUP BY y                                … GROUP BY y, d.k
    SELECT max(x) FROM b WHERE b.k = a.k        SELECT g.m, d.k FROM d LEFT JOIN (SELECT max(x) AS m … GROUP BY d.k) g
    … ORDER BY x LIMIT 3                        … of which row_number() OVER (PARTITION BY d.k ORDER BY x) <= 3

An aggregate of no rows is one, too: NULL, or 0 of what counts. All is written at once, from the inside out.
"""

from collections.abc import Iterator
from typing import NamedTuple

from catalog.identifiers import quote_identifier
from flightserver.sql.meaning.aggregates import aggregates_all, is_aggregate
from flightserver.sql.meaning.laterals.outer_rows import OuterRows
from flightserver.sql.meaning.scopes import output_name
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_COUNTS = frozenset({"count", "regr_count", "approx_distinct"})
_NUMBER, _ROWS, _GROUPS = map(quote_identifier, ("$number", "$rows", "$groups"))

_COMMON = "WITH in LATERAL may not use columns of the tables before it; write it as a sub-query in FROM"
_TOTALS = "LATERAL may not have ROLLUP, CUBE, GROUPING SETS and GROUP BY ALL; write UNION ALL of its groups"
_DISTINCT_ON = "LATERAL may not have DISTINCT ON; write row_number() OVER (PARTITION BY …) and QUALIFY"
_OUTER_ON = (
    "a RIGHT or FULL JOIN, or one of several tables, in LATERAL may not use columns of the tables before it in ON"
)
_ORDER = "LATERAL with LIMIT is ordered by what it selects, by a name that is there once"
_ORDER_ALL = "LATERAL with LIMIT may not have ORDER BY ALL; name the columns"
_NAMES = "name the columns that LATERAL selects"
_WINDOWS = "LATERAL may not have windows beside aggregates of all rows; select the aggregates in a sub-query in FROM"
_STAR = "name the columns instead of * EXCEPT, EXCLUDE or REPLACE in LATERAL"
_OF_AROUND = "an aggregate in LATERAL of nothing but columns of the tables before it is one of the query around it"
_LIMIT = "LIMIT and OFFSET in LATERAL are numbers or parameters"
_LONG_VALUES = "VALUES of literals alone need no LATERAL"


class _Key(NamedTuple):
    """What rows are ordered by: as it is called, ASC or DESC and NULLS behind it, and the item that it is, if new."""

    name: str
    direction: str
    added: str | None


class TiedRows:
    """Writes a query so, whose names of outer columns are written already."""

    def __init__(self, writing: Writing, outer: OuterRows) -> None:
        self._writing = writing
        self._edits = writing.edits
        self._outer = outer
        self._given = outer.written()

    def tie(self, query: tree.Query) -> None:
        """Write a query."""
        for table in query.common:
            if self._uses_outer(table):
                raise self._writing.unsupported(table, _COMMON)
        if isinstance(query.body, tree.Select):
            self._part_windows(query.body)
        if query.limit_start is None:
            self._tie_body(query.body, ())
            return
        keys = list(self._keys(query))
        self._tie_body(query.body, tuple(key.added for key in keys if key.added is not None))
        before = self._edits.text_between(query.start, query.body.start)
        rows = self._edits.text_of(query.body)
        self._edits.span(query.start, query.end, f"{before} {self._first_rows(query, rows, keys)}")

    def names(self, source: tree.QuerySource) -> tuple[str, ...]:
        """All names of its columns, where the query around gives it some."""
        if not source.columns:
            return ()
        columns = self._writing.columns_of(source.query)
        rest = [column.name for column in (columns or ())[len(source.columns) :]]
        if columns is None or len(columns) < len(source.columns) or not all(rest):
            raise self._writing.unsupported(source, _NAMES)
        return tuple(map(quote_identifier, (*source.columns, *rest)))

    # The first rows of an order

    def _keys(self, query: tree.Query) -> Iterator[_Key]:
        body = query.body
        if not query.order_by and query.limit_start != body.end:
            raise self._writing.unsupported(query, _ORDER_ALL)
        if isinstance(body, tree.Select) and aggregates_all(body):
            return  # one row
        ends = [*(by.start - 1 for by in query.order_by), query.limit_start or query.end][1:]
        for number, (by, end) in enumerate(zip(query.order_by, ends, strict=True), start=1):
            direction = self._edits.text_between(by.end, end)
            name = quote_identifier(f"$key {number}")
            if isinstance(body, tree.Select) and not body.is_distinct:
                yield _Key(name, direction, f"{self._edits.text_of(self._meant(by, body))} AS {name}")
            else:
                yield _Key(self._column(by, query), direction, None)

    def _meant(self, by: tree.Expression, select: tree.Select) -> tree.Expression:
        """One of ORDER BY's; a name or a place of an item is that."""
        place = self._place(by)
        if place is not None:
            if not 1 <= place <= len(select.items) or isinstance(select.items[place - 1].value, tree.Star):
                raise self._writing.unsupported(by, _ORDER)
            return select.items[place - 1].value
        named = [
            item.value
            for item in select.items
            if isinstance(by, tree.Name) and by.parts == (item.alias or output_name(item.value),)
        ]
        return named[0] if named else by

    def _column(self, by: tree.Expression, query: tree.Query) -> str:
        """The same of what yields rows in which nothing but its columns is known."""
        names = [column.name for column in self._writing.columns_of(query) or ()]
        place = self._place(by)
        name = by.parts[0] if isinstance(by, tree.Name) and len(by.parts) == 1 else ""
        if place is not None and 1 <= place <= len(names):
            name = names[place - 1]
        if not name or names.count(name) != 1:
            raise self._writing.unsupported(by, _ORDER)
        return quote_identifier(name)

    def _place(self, by: tree.Expression) -> int | None:
        is_number = isinstance(by, tree.Literal) and by.kind == "integer"
        return int(self._writing.written(by), 0) if is_number else None

    def _first_rows(self, query: tree.Query, rows: str, keys: list[_Key]) -> str:
        hidden = ", ".join(self._outer.hidden)
        order = ", ".join(f"{key.name} {key.direction}" for key in keys)
        window = f"PARTITION BY {hidden}{f' ORDER BY {order}' if order else ''}"
        left_out = [_NUMBER, *(key.name for key in keys if key.added is not None)]
        first = self._number(query.offset) or "0"
        last = self._number(query.limit)
        asked = [f"{_NUMBER} > {first}", *([f"{_NUMBER} <= {first} + {last}"] if last is not None else [])]
        numbered = f"SELECT *, row_number() OVER ({window}) AS {_NUMBER} FROM ({rows}) AS {_ROWS}"
        return f"SELECT * EXCEPT ({', '.join(left_out)}) FROM ({numbered}) AS {_ROWS} WHERE {' AND '.join(asked)}"

    def _number(self, value: tree.Expression | None) -> str | None:
        match value:
            case None:
                return None
            case tree.OneRow():
                return "1"
            case tree.Literal(kind="integer"):
                return self._writing.written(value)
            case tree.Parameter():
                return f"CAST({self._writing.written(value)} AS BIGINT)"
        raise self._writing.unsupported(value, _LIMIT)

    # Bodies

    def _tie_body(self, body: tree.Body, added: tuple[str, ...]) -> None:
        inner = ", ".join(self._outer.items)
        match body:
            case tree.Select():
                self._tie_select(body, added)
            case tree.SetOperation():
                self._tie_body(body.left, ())
                self._tie_body(body.right, ())
            case tree.BracketBody():
                self.tie(body.query)
            case tree.TableBody():
                table = self._writing.written(body.source)
                written = f"SELECT {_ROWS}.*, {inner} FROM {self._given} CROSS JOIN {table} AS {_ROWS}"
                self._edits.span(body.start, body.end, written)
            case tree.Values():
                if body.is_partial:
                    raise self._writing.unsupported(body, _LONG_VALUES)
                rows = " UNION ALL ".join(f"SELECT {self._row(row)}, {inner} FROM {self._given}" for row in body.rows)
                self._edits.span(body.start, body.end, rows)

    def _row(self, values: tuple[tree.Expression, ...]) -> str:
        texts = map(self._edits.text_of, values)
        return ", ".join(f"({text}) AS column{place}" for place, text in enumerate(texts, start=1))

    def _tie_select(self, select: tree.Select, added: tuple[str, ...]) -> None:
        self._check(select)
        for source in self._sub_queries(select):
            if not source.is_lateral and self._uses_outer(source):
                self._edits.wrap(source, "LATERAL ", "")
        if aggregates_all(select):
            self._edits.span(select.start, select.end, self._aggregated(select))
            return
        for item in select.items:
            if isinstance(item.value, tree.Star) and not item.value.qualifier:
                self._edits.wrap(item.value, "", f" EXCEPT ({', '.join(self._outer.own)})")
        inner = ", ".join((*added, *self._outer.items))
        if select.from_start is None:
            self._edits.wrap(select.items[-1], "", f", {inner} FROM {self._given}")
        else:
            self._edits.wrap(select.items[-1], "", f", {inner}")
            self._edits.span(select.from_start, select.from_start + 1, f"FROM {self._given}{self._link(select)}")
        if select.has_groups:
            self._edits.wrap(select.group_by[-1], "", f", {', '.join(self._outer.grouped)}")

    def _link(self, select: tree.Select) -> str:
        """What stands between the values and what a SELECT reads."""
        return ", " if len(select.sources) > 1 or _has_optional_left(select.sources[0]) else " CROSS JOIN "

    def _check(self, select: tree.Select) -> None:
        """Refuse what cannot be written so."""
        is_total = select.has_groups and (not select.group_by or any(map(_is_several, select.group_by)))
        stars = [item.value for item in select.items if isinstance(item.value, tree.Star)]
        refused = {
            _TOTALS: is_total,
            _DISTINCT_ON: bool(select.distinct_on),
            _NAMES: not select.items,
            _STAR: any(not star.qualifier and star.end != star.star for star in stars),
        }
        for message, is_so in refused.items():
            if is_so:
                raise self._writing.unsupported(select, message)
        if select.from_start is not None and self._link(select) == ", ":
            for join in (node for source in select.sources for node in _of_source(source)):
                if isinstance(join, tree.Join) and join.on is not None and self._uses_outer(join.on):
                    raise self._writing.unsupported(join, _OUTER_ON)

    def _sub_queries(self, select: tree.Select) -> Iterator[tree.QuerySource]:
        for source in select.sources:
            yield from (node for node in _of_source(source) if isinstance(node, tree.QuerySource))

    def _uses_outer(self, node: tree.Node) -> bool:
        return any(start in self._outer.uses for start in range(node.start, node.end))

    def _part_windows(self, select: tree.Select) -> None:
        """Let windows begin anew for each outer row."""
        inner = ", ".join(self._outer.inner)
        for window, found in self._writing.of_kind(tree.Window):
            if found.scope.select is not select or window.based_on is not None:
                continue
            if window.partition_by:
                self._edits.wrap(window.partition_by[0], f"{inner}, ", "")
            else:
                self._edits.span(window.start, window.start + 1, f"(PARTITION BY {inner} ")

    # Aggregates without groups

    def _aggregated(self, select: tree.Select) -> str:
        """One row for each outer row: what is made of its aggregates, or of those of no rows."""
        inner, told = self._outer.inner, self._outer.items
        made = []
        for number, call in enumerate(self._aggregates(select), start=1):
            name = quote_identifier(f"$made {number}")
            made.append(f"{self._edits.text_of(call)} AS {name}")
            value = f"{_GROUPS}.{name}"
            self._edits.span(call.start, call.end, f"coalesce({value}, 0)" if call.name in _COUNTS else value)
        items = [
            self._edits.text_of(item)
            if item.alias is not None or output_name(item.value)
            else f"{self._edits.text_of(item)} AS {quote_identifier(self._writing.written(item.value))}"
            for item in select.items
        ]
        having = f" WHERE {self._edits.text_of(select.having)}" if select.having is not None else ""
        if not made:
            return f"SELECT {', '.join((*items, *told))} FROM {self._given}{having}"
        read = self._edits.text_between((select.from_start or 0) + 1, select.from_end)
        where = f" WHERE {self._edits.text_of(select.where)}" if select.where is not None else ""
        groups = (
            f"SELECT {', '.join((*made, *told))} FROM {self._given}{self._link(select)}{read}{where}"
            f" GROUP BY {', '.join(inner)}"
        )
        return (
            f"SELECT {', '.join((*items, *told))} FROM {self._given}"
            f" LEFT JOIN ({groups}) AS {_GROUPS} ON {self._outer.inner_ties(_GROUPS)}{having}"
        )

    def _aggregates(self, select: tree.Select) -> Iterator[tree.Call]:
        parts = (*(item.value for item in select.items), *([select.having] if select.having is not None else []))
        for part in parts:
            for node in tree.walk_here(part):
                if isinstance(node, tree.Call) and node.is_window:
                    raise self._writing.unsupported(node, _WINDOWS)
                if isinstance(node, tree.Call) and is_aggregate(node):
                    names = [name.start for name in tree.walk(node) if isinstance(name, tree.Name)]
                    if select.from_start is None or (names and all(start in self._outer.uses for start in names)):
                        raise self._writing.unsupported(node, _OF_AROUND)
                    yield node


def _of_source(source: tree.Source) -> Iterator[tree.Source]:
    """A source and those that it joins."""
    yield source
    match source:
        case tree.BracketSource(inner=inner):
            yield from _of_source(inner)
        case tree.Join(left=left, right=right):
            yield from _of_source(left)
            yield from _of_source(right)


def _has_optional_left(source: tree.Source) -> bool:
    """Tell whether a join may put NULL in the place of what stands first in it."""
    return isinstance(source, tree.Join) and (
        source.kind not in {"INNER", "CROSS", "LEFT"} or source.is_natural or _has_optional_left(source.left)
    )


def _is_several(group: tree.Expression) -> bool:
    """Tell whether a part of GROUP BY stands for several groups, or for all rows."""
    match group:
        case tree.Call(name="cube" | "rollup") | tree.Brackets(items=()):
            return True
        case tree.Compound(what="GROUPING SETS"):
            return True
    return False
