"""Queries: SELECT, UNION, common tables, and what stands in FROM.

Of every source the columns get new names, and of every query, too; a name of the text stands nowhere in the result.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from flightserver.cluster.translation.kinds import Value, known, ordered, refused
from flightserver.cluster.translation.scopes import FindTable, Numbers, Output, PublishedTable, Scope, Translated
from flightserver.cluster.translation.values import Values, folded, only

_DIALECT = "postgres"
_SELECT = ("expressions", "from_", "joins", "where", "group", "having", "order", "limit", "distinct", "with_")
_UNION = ("this", "expression", "distinct", "order", "limit", "with_")


def translated(text: str, find_table: FindTable) -> Translated:
    """A query in the cluster's language; UNSUPPORTED, with the reason, when that would not be the same."""
    try:
        (tree,) = sqlglot.parse(text, read=_DIALECT)
    except (SqlglotError, ValueError, RecursionError):
        raise refused("its text is not read") from None
    if tree is None:
        raise refused("its text is empty")
    try:
        return _Queries(find_table).query(tree, None, {}, is_whole=True)
    except RecursionError:
        raise refused("it is nested too deeply") from None


class _Queries:
    """Translates one text."""

    def __init__(self, find_table: FindTable) -> None:
        self._find_table = find_table
        self._numbers = Numbers()
        self._values = Values(lambda node, scope: self.query(node, scope, scope.common))
        self._sources: Mapping[type[exp.Expr], Callable[..., tuple[str, str, dict[str, Value]]]] = {
            exp.Table: self._table,
            exp.Subquery: self._derived,
        }

    def query(
        self,
        node: exp.Expr,
        outer: Scope | None,
        common: Mapping[str, Translated],
        *,
        is_whole: bool = False,
    ) -> Translated:
        """A query, with what is around it. LIMIT and ORDER BY are those of the whole text alone."""
        if isinstance(node, exp.Subquery):
            only(node, "this")
            return self.query(node.this, outer, common, is_whole=is_whole)
        if not isinstance(node, exp.Select | exp.Union):
            raise refused(f"{node.key.upper()} is not on its list")
        if not is_whole and (node.args.get("limit") or node.args.get("order")):
            raise refused("ORDER BY or LIMIT within a query")
        common = self._common(node, common)
        if isinstance(node, exp.Select):
            return self._select(node, outer, common)
        return self._union(node, outer, common)

    def _common(self, node: exp.Expr, common: Mapping[str, Translated]) -> Mapping[str, Translated]:
        found = node.args.get("with_")
        if found is None:
            return common
        only(found, "expressions")
        known_now = dict(common)
        for one in found.expressions:
            only(one, "this", "alias")
            made = self.query(one.this, None, known_now)
            known_now[folded(one.args["alias"].this)] = _renamed(made, one.args["alias"])
        return known_now

    def _union(self, node: exp.Union, outer: Scope | None, common: Mapping[str, Translated]) -> Translated:
        only(node, *_UNION)
        sides = [self.query(one, outer, common) for one in (node.this, node.expression)]
        left, right = (side.outputs for side in sides)
        if [one.value.kind for one in left] != [one.value.kind for one in right]:
            raise refused("a union of columns of several types")
        if node.args.get("distinct"):
            _check_comparable(one.value for one in left)
        word = "UNION" if node.args.get("distinct") else "UNION ALL"
        outputs = tuple(Output(one.name, replace(one.value, nullable=True)) for one in left)
        text = f"({sides[0].text}) {word} ({sides[1].text})"
        tail = self._tail(node, outputs, lambda _: None)
        if tail:
            text = (
                f"SELECT {', '.join(one.value.text for one in outputs)} FROM ({text}) AS {self._numbers.name()}{tail}"
            )
        return Translated(text, outputs, is_correlated=any(side.is_correlated for side in sides))

    def _select(self, node: exp.Select, outer: Scope | None, common: Mapping[str, Translated]) -> Translated:
        only(node, *_SELECT)
        scope = Scope(self._numbers, self._find_table, common, outer)
        source = self._from(node, scope)
        where = node.args.get("where")
        filtered = "" if where is None else f" WHERE {self._values.filter(where.this, scope)}"
        items = list(self._items(node, scope))
        named = [(name, value, self._numbers.name()) for name, value in items]
        groups = self._groups(node, scope, items)
        having = node.args.get("having")
        kept = ""
        if having is not None:
            if not groups:
                raise refused("HAVING without GROUP BY")
            kept = f" HAVING {self._values.condition(having.this, scope).text}"
        distinct = node.args.get("distinct")
        if distinct is not None:
            only(distinct)
            _check_comparable(value for _, value in items)
        outputs = tuple(
            Output(
                name,
                replace(
                    value,
                    text=called,
                    literal=None,
                    nullable=value.nullable or bool(groups) or scope.has_aggregates,
                ),
            )
            for name, value, called in named
        )
        by_text = {value.text: output for (_, value), output in zip(items, outputs, strict=True)}

        def expression(one: exp.Expr) -> Value | None:
            value = self._values.value(one, scope)
            output = by_text.get(value.text)
            if output is not None:
                return output.value
            if distinct is not None:
                raise refused("ORDER BY what is not selected, with DISTINCT")
            return value

        tail = self._tail(node, outputs, expression)
        columns = ", ".join(f"{value.text} AS {called}" for _, value, called in named)
        group = f" GROUP BY {', '.join(groups)}" if groups else ""
        text = f"SELECT {'DISTINCT ' if distinct is not None else ''}{columns}{source}{filtered}{group}{kept}{tail}"
        return Translated(
            text,
            outputs,
            is_one_row=scope.has_aggregates and not groups,
            is_correlated=scope.is_correlated,
            counts=scope.counts,
        )

    def _items(self, node: exp.Select, scope: Scope) -> list[tuple[str | None, Value]]:
        found: list[tuple[str | None, Value]] = []
        for item in node.expressions:
            if isinstance(item, exp.Star):
                only(item)
                found += [(name, value) for columns in scope.sources.values() for name, value in columns.items()]
            elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                only(item, "this", "table")
                only(item.this)
                source = folded(item.args["table"])
                if source not in scope.sources:
                    raise refused(f"{source}.*, which is no source")
                found += list(scope.sources[source].items())
            elif isinstance(item, exp.Alias):
                found.append((folded(item.args["alias"]), self._selected(item.this, scope)))
            else:
                name = folded(item.this) if isinstance(item, exp.Column) else None
                found.append((name, self._selected(item, scope)))
        return found

    def _selected(self, node: exp.Expr, scope: Scope) -> Value:
        if node.find(exp.Subquery, exp.Exists, exp.Select) is not None:
            raise refused("a query among the columns that are selected")
        value = self._values.value(node, scope)
        if value.kind is None:
            raise refused("NULL without a type among the columns that are selected")
        return value

    def _groups(self, node: exp.Select, scope: Scope, items: list[tuple[str | None, Value]]) -> list[str]:
        group = node.args.get("group")
        if group is None:
            return []
        only(group, "expressions")
        found = []
        for one in group.expressions:
            value = self._grouped(one, scope, items)
            if value.is_double:
                raise refused("GROUP BY a double")
            found.append(known(value, "GROUP BY").text)
        return found

    def _grouped(self, node: exp.Expr, scope: Scope, items: list[tuple[str | None, Value]]) -> Value:
        """What is grouped by: a place among the columns, a column of a source, one that is selected, or a value."""
        if isinstance(node, exp.Literal):
            return items[_place(node, len(items))][1]
        if isinstance(node, exp.Column) and node.args.get("table") is None:
            name = folded(node.this)
            is_source = any(name in columns for columns in scope.sources.values())
            selected = [value for called, value in items if called == name]
            if not is_source and len(selected) == 1:
                return selected[0]
        return self._values.value(node, scope)

    def _tail(self, node: exp.Expr, outputs: tuple[Output, ...], expression: Callable[[exp.Expr], Value | None]) -> str:
        """ORDER BY and LIMIT."""
        order, limit = node.args.get("order"), node.args.get("limit")
        text = ""
        if order is not None:
            only(order, "expressions")
            text = " ORDER BY " + ", ".join(_sorted(one, outputs, expression) for one in order.expressions)
        if limit is not None:
            only(limit, "expression")
            count = limit.expression
            if not isinstance(count, exp.Literal) or not str(count.this).isdecimal() or int(str(count.this)) >= 1 << 31:
                raise refused("LIMIT of anything but a constant")
            text += f" LIMIT {int(str(count.this))}"
        return text

    def _from(self, node: exp.Select, scope: Scope) -> str:
        source = node.args.get("from_")
        if source is None:
            raise refused("a query without FROM")
        only(source, "this")
        text = " FROM " + self._source(source.this, scope)
        for join in node.args.get("joins") or ():
            text += self._join(join, scope)
        return text

    def _join(self, join: exp.Join, scope: Scope) -> str:
        only(join, "this", "side", "kind", "on")
        side, kind, on = str(join.args.get("side") or ""), str(join.args.get("kind") or ""), join.args.get("on")
        if side not in ("", "LEFT") or kind not in ("", "INNER", "OUTER", "CROSS"):
            raise refused(f"{side or kind} JOIN is not on its list")
        before = set(scope.sources)
        source = self._source(join.this, scope)
        if on is None:
            if side:
                raise refused("LEFT JOIN without ON")
            return f" CROSS JOIN {source}"
        if on.find(exp.Select) is not None:
            raise refused("a query in ON")
        condition = self._values.condition(on, scope)
        if side:
            for name in scope.sources.keys() - before:
                columns = scope.sources[name]
                columns.update({one: replace(value, nullable=True) for one, value in columns.items()})
        return f" {side or 'INNER'} JOIN {source} ON {condition.text}"

    def _source(self, node: exp.Expr, scope: Scope) -> str:
        find = self._sources.get(type(node))
        if find is None:
            raise refused(f"{node.key.upper()} in FROM")
        text, name, columns = find(node, scope)
        scope.add(name, columns)
        return text

    def _table(self, node: exp.Table, scope: Scope) -> tuple[str, str, dict[str, Value]]:
        only(node, "this", "db", "catalog", "alias")
        if not isinstance(node.this, exp.Identifier):
            raise refused("a function in FROM")
        named = [node.args.get("catalog"), node.args.get("db"), node.this]
        parts = tuple(folded(one) for one in named if one is not None)
        alias = node.args.get("alias")
        name = parts[-1] if alias is None else folded(alias.this)
        if len(parts) == 1 and parts[0] in scope.common:
            return self._in_brackets(_renamed(scope.common[parts[0]], alias), name)
        table = self._find_table(parts)
        if table is None:
            raise refused(f"{'.'.join(parts)} is no table of its own")
        return self._in_brackets(_renamed(self._read(table), alias), name)

    def _read(self, table: PublishedTable) -> Translated:
        columns = [(name, kind, nullable, self._numbers.name()) for name, (kind, nullable) in table.columns.items()]
        read = ", ".join(f"`{name.replace('`', '``')}` AS {called}" for name, _, _, called in columns)
        outputs = tuple(Output(name, Value(called, kind, nullable)) for name, kind, nullable, called in columns)
        return Translated(f"SELECT {read} FROM {table.text}", outputs)

    def _derived(self, node: exp.Subquery, scope: Scope) -> tuple[str, str, dict[str, Value]]:
        only(node, "this", "alias")
        alias = node.args.get("alias")
        if alias is None or alias.this is None:
            raise refused("a query in FROM without a name")
        made = self.query(node.this, None, scope.common)
        return self._in_brackets(_renamed(made, alias), folded(alias.this))

    def _in_brackets(self, made: Translated, name: str) -> tuple[str, str, dict[str, Value]]:
        """A query as a source: its columns have other names again, for a common table may be read twice."""
        columns: dict[str, Value] = {}
        written = []
        for output in made.outputs:
            called = self._numbers.name()
            written.append(f"{output.value.text} AS {called}")
            if output.name is not None:
                if output.name in columns:
                    raise refused(f"two columns called {output.name}")
                columns[output.name] = replace(output.value, text=called)
        inner, outside = self._numbers.name(), self._numbers.name()
        return f"(SELECT {', '.join(written)} FROM ({made.text}) AS {inner}) AS {outside}", name, columns


def _renamed(made: Translated, alias: exp.Expr | None) -> Translated:
    """A query whose columns have the names that an alias gives."""
    names = [folded(one) for one in (alias.args.get("columns") or ())] if alias is not None else []
    if alias is not None:
        only(alias, "this", "columns")
    if not names:
        return made
    if len(names) > len(made.outputs):
        raise refused("more names than columns")
    outputs = [Output(name, output.value) for name, output in zip(names, made.outputs, strict=False)]
    return Translated(made.text, (*outputs, *made.outputs[len(names) :]))


def _place(node: exp.Literal, count: int) -> int:
    if node.is_string or not str(node.this).isdecimal() or not 1 <= int(str(node.this)) <= count:
        raise refused("a place that is none of a column")
    return int(str(node.this)) - 1


def _sorted(node: exp.Expr, outputs: tuple[Output, ...], expression: Callable[[exp.Expr], Value | None]) -> str:
    only(node, "this", "desc", "nulls_first")
    asked = node.this
    value: Value | None = None
    if isinstance(asked, exp.Literal):
        value = outputs[_place(asked, len(outputs))].value
    elif isinstance(asked, exp.Column) and asked.args.get("table") is None:
        found = [output.value for output in outputs if output.name == folded(asked.this)]
        if len(found) > 1:
            raise refused("ORDER BY a name of several columns")
        value = found[0] if found else None
    value = value or expression(asked)
    if value is None:
        raise refused("ORDER BY a value beside a union")
    way = "DESC" if node.args.get("desc") else "ASC"
    nulls = "FIRST" if node.args.get("nulls_first") else "LAST"
    return f"{ordered(known(value, 'ORDER BY')).text} {way} NULLS {nulls}"


def _check_comparable(values: Iterable[Value]) -> None:
    for value in values:
        if known(value, "DISTINCT").is_double:
            raise refused("DISTINCT of doubles")
