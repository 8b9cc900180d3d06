"""Reads queries: WITH, SELECT, set operations, VALUES, FROM and its joins, ORDER BY and LIMIT."""

from collections.abc import Callable
from typing import TypeVar

from flightserver.sql.text import tree
from flightserver.sql.text.expressions import ExpressionReader
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.tokens import Kind, identifier_name, is_identifier
from flightserver.sql.text.tree import Expression
from flightserver.sql.text.words import NO_COLUMN_ALIAS, NO_TABLE_ALIAS, SET_OPERATORS

_BINDS = {"UNION": 1, "EXCEPT": 1, "MINUS": 1, "INTERSECT": 2}
_SIDES = frozenset({"LEFT", "RIGHT", "FULL"})

Found = TypeVar("Found")


def query_of(text: QueryText) -> tree.Query:
    """The tree of a query; SYNTAX where a text is none."""
    return _kept(text, "query", lambda reader: reader.query())


def expression_of(text: QueryText) -> tree.Expression:
    """The tree of an expression; SYNTAX where a text is none."""
    return _kept(text, "expression", lambda reader: reader.expression())


def _kept(text: QueryText, what: str, read: "Callable[[QueryReader], Found]") -> Found:
    """What a whole text reads as, which stays with the text."""
    known: Found | None = text.__dict__.get(what)
    if known is not None:
        return known
    reader = QueryReader(text, list(text.tokens))
    found = read(reader)
    reader.expect_end()
    text.__dict__[what] = found
    return found


class QueryReader(ExpressionReader):
    """A cursor that reads queries."""

    def query(self) -> tree.Query:
        """Read a query with what may stand before and behind its body."""
        start = self.position
        common, is_recursive = self.common_tables()
        body = self._body(0)
        order_by = self._order_by()
        limit = offset = limit_start = None
        has_long_limit = False
        while self.at_any("LIMIT", "OFFSET", "FETCH"):
            limit_start = self.position if limit_start is None else limit_start
            if self.accept("LIMIT"):
                if self.accept("ALL"):
                    has_long_limit = True
                    continue
                limit = self.expression()
                if self.accept(","):
                    offset, limit = limit, self.expression()
            elif self.accept("OFFSET"):
                offset = self.expression()
                self.accept_any("ROW", "ROWS")
            else:
                limit, has_long_limit = self._fetched(), True
        self._refuse_locks()
        return tree.Query(
            start, self.position, common, is_recursive, body, order_by, limit, offset, limit_start, has_long_limit
        )

    def _fetched(self) -> Expression:
        """Read `FETCH FIRST | NEXT [n] ROW | ROWS ONLY`, which is LIMIT."""
        start = self.position
        self.expect("FETCH")
        if not self.accept_any("FIRST", "NEXT"):
            raise self.error(f"expected FIRST or NEXT, found {self.found()}")
        has_number = not self.at_any("ROW", "ROWS")
        limit = self.expression() if has_number else tree.OneRow(start, self.position)
        if self.at("PERCENT"):
            raise self.unsupported("FETCH … PERCENT is not supported; count the rows, and write LIMIT")
        if not self.accept_any("ROW", "ROWS"):
            raise self.error(f"expected ROWS, found {self.found()}")
        if self.at("WITH", "TIES"):
            raise self.unsupported(
                "WITH TIES is not supported; write WHERE on rank() OVER (ORDER BY …) of a sub-query, or QUALIFY"
            )
        self.expect("ONLY")
        return limit

    def common_tables(self) -> tuple[tuple[tree.CommonTable, ...], bool]:
        """Read `[WITH [RECURSIVE] name AS (…), …]`."""
        if not self.accept("WITH"):
            return (), False
        is_recursive = self.accept("RECURSIVE")
        return self.separated(self._common_table), is_recursive

    def sources(self) -> tuple[tree.Source, ...]:
        """Read the items of FROM."""
        return self.separated(self.source)

    def source(self) -> tree.Source:
        """Read an item of FROM with its joins."""
        start = self.position
        left = self._factor()
        while True:
            join_start = self.position
            is_natural = self.accept("NATURAL")
            kind = self._join_kind()
            if kind is None:
                if is_natural:
                    raise self.error(f"expected JOIN after NATURAL, found {self.found()}")
                return left
            left = self._join(start, left, kind, join_start, is_natural=is_natural)

    def _refuse_locks(self) -> None:
        """Refuse what DataFusion parses and then leaves out."""
        if self.at("FOR") and self.peek(1).key in {"UPDATE", "SHARE", "NO", "KEY"}:
            what = self.peek(1).key
            raise self.unsupported(
                f"FOR {what} is not supported: nothing is locked, of two writers the second is refused"
            )

    def _order_by(self) -> tuple[Expression, ...]:
        if not self.accept("ORDER", "BY"):
            return ()
        if self.at("ALL") and self.peek(1).key in {"", ")", "ASC", "DESC", "LIMIT", "OFFSET", "NULLS"}:
            self.position += 1
            self.accept_any("ASC", "DESC")
            if self.accept("NULLS"):
                self.next()
            return ()
        return self.order_items()

    def _common_table(self) -> tree.CommonTable:
        start, name = self.position, self.name("query")
        columns = self.names("column") if self.at("(") else ()
        self.expect("AS")
        self.accept("NOT")
        self.accept("MATERIALIZED")
        self.expect("(")
        query = self.query()
        self.expect(")")
        return tree.CommonTable(start, self.position, name, columns, query)

    def _body(self, binding: int) -> tree.Body:
        start = self.position
        left = self._single()
        while _BINDS.get(self.peek().key, 0) > binding:
            at, operator = self.position, self.next().key
            is_all = self.accept("ALL")
            if not is_all:
                self.accept("DISTINCT")
            if self.at("BY", "NAME"):
                self.position += 2
                operator = f"{operator} BY NAME"
            right = self._body(_BINDS[operator.split()[0]])
            left = tree.SetOperation(start, self.position, operator.replace("MINUS", "EXCEPT"), is_all, at, left, right)
        return left

    def _single(self) -> tree.Body:
        start, key = self.position, self.peek().key
        match key:
            case "SELECT" | "FROM":
                return self._select()
            case "VALUES":
                self.position += 1
                rows = self._rows()
                is_partial = any(token.kind is Kind.ROWS for token in self.tokens[start : self.position])
                return tree.Values(start, self.position, rows, is_partial)
            case "TABLE":
                self.position += 1
                source = self._table()
                return tree.TableBody(start, self.position, source)
            case "(":
                self.position += 1
                query = self.query()
                self.expect(")")
                return tree.BracketBody(start, self.position, query)
        raise self.error(f"expected a query, found {self.found()}")

    def _rows(self) -> tuple[tuple[Expression, ...], ...]:
        """Read the rows of VALUES. Of rows that are one token nothing is looked at."""
        rows = []
        while True:
            while self.peek().kind is Kind.ROWS:
                self.position += 1
            self.accept("ROW")
            self.expect("(")
            rows.append(() if self.at(")") else self.expressions())
            self.expect(")")
            if not self.accept(","):
                return tuple(rows)

    def _select(self) -> tree.Select:
        start = self.position
        from_start: int | None = None
        sources: tuple[tree.Source, ...] = ()
        from_end = start
        if self.at("FROM"):  # DuckDB's order: FROM first, SELECT perhaps never
            from_start = self.position
            self.position += 1
            sources, from_end = self.sources(), self.position
        items: tuple[tree.Item, ...] = ()
        is_distinct = False
        distinct_on: tuple[Expression, ...] = ()
        items_start = self.position
        if self.accept("SELECT"):
            is_distinct = self.accept("DISTINCT")
            if is_distinct and self.accept("ON"):
                self.expect("(")
                distinct_on = self.expressions()
                self.expect(")")
            if not is_distinct:
                self.accept("ALL")
            items_start = self.position
            items = () if self._ends_items() else self.items()
            if from_start is None:
                from_end = self.position
        if self.at("INTO"):
            raise self.unsupported("SELECT INTO is not supported; write CREATE TABLE … AS")
        if from_start is None and self.at("FROM"):
            from_start = self.position
            self.position += 1
            sources, from_end = self.sources(), self.position
        where = self.expression() if self.accept("WHERE") else None
        group_by, has_groups = self._groups()
        having = self.expression() if self.accept("HAVING") else None
        windows = self._windows()
        qualify = self.expression() if self.accept("QUALIFY") else None
        windows += self._windows()
        return tree.Select(
            start,
            self.position,
            items,
            sources,
            where,
            group_by,
            has_groups,
            having,
            qualify,
            windows,
            is_distinct,
            distinct_on,
            items_start,
            from_start,
            from_end,
        )

    def _ends_items(self) -> bool:
        return self.at("FROM") or self.at_end() or self.at(")")

    def items(self) -> tuple[tree.Item, ...]:
        """Read the items of SELECT."""
        return self.separated(self._item)

    def _item(self) -> tree.Item:
        start = self.position
        value = self.expression()
        alias_start = self.position
        alias = None
        if self.accept("AS") or (is_identifier(self.peek()) and not self._ends_item()):
            alias = self.name("alias")
        return tree.Item(start, self.position, value, alias, alias_start)

    def _ends_item(self) -> bool:
        token = self.peek()
        return token.kind is Kind.WORD and (token.key in NO_COLUMN_ALIAS or token.key in SET_OPERATORS)

    def _groups(self) -> tuple[tuple[Expression, ...], bool]:
        if not self.accept("GROUP", "BY"):
            return (), False
        if self.at("ALL") and self.peek(1).key in {"", ")", "HAVING", "ORDER", "LIMIT", "OFFSET", *SET_OPERATORS}:
            self.position += 1
            return (), True
        return self.separated(self._group), True

    def _group(self) -> Expression:
        start = self.position
        if self.at("GROUPING", "SETS"):
            self.position += 2
            self.expect("(")
            sets = self.separated(self._group)
            self.expect(")")
            return tree.Compound(start, self.position, "GROUPING SETS", sets)
        if self.at("(", ")"):
            self.position += 2
            return tree.Brackets(start, self.position, ())
        return self.expression()

    def _windows(self) -> tuple[tuple[str, tree.Window], ...]:
        return self.separated(self._named_window) if self.accept("WINDOW") else ()

    def _named_window(self) -> tuple[str, tree.Window]:
        name = self.name("window")
        self.expect("AS")
        return name, self.window()

    def _join_kind(self) -> str | None:
        """Consume the words of a join up to JOIN; None where there is no join."""
        start = self.position
        words = []
        if self.at_any("INNER", "CROSS"):
            words.append(self.next().key)
        else:
            if self.peek().key in _SIDES:
                words.append(self.next().key)
            self.accept("OUTER")
            if self.at_any("SEMI", "ANTI"):
                words.append(self.next().key)
        if not self.accept("JOIN"):
            self.position = start
            return None
        return " ".join(words) or "INNER"

    def _join(self, start: int, left: tree.Source, kind: str, join_start: int, *, is_natural: bool) -> tree.Source:
        right = self._factor()
        while not is_natural and not self.at_any("ON", "USING"):  # a JOIN b JOIN c ON … ON …
            inner_start, place = right.start, self.position
            inner_natural = self.accept("NATURAL")
            inner = self._join_kind()
            if inner is None:
                self.position = place
                break
            if kind == "CROSS":
                self.position = place
                break
            right = self._join(inner_start, right, inner, place, is_natural=inner_natural)
        constraint_start, on = self.position, None
        using: tuple[str, ...] = ()
        if not is_natural and self.accept("ON"):
            on = self.expression()
        elif not is_natural and self.accept("USING"):
            using = self.names("column")
        return tree.Join(
            start, self.position, None, (), kind, left, right, is_natural, using, on, constraint_start, join_start
        )

    def _factor(self) -> tree.Source:
        start = self.position
        is_lateral = self.accept("LATERAL")
        if self.at("("):
            found = self._bracketed(start, is_lateral=is_lateral)
        elif self.at("VALUES", "("):
            found = self._values_source(start)
        elif self.at("UNNEST", "(") or self._is_call():
            found = self._call_source(start)
        else:
            found = self._table()
        if self.at("TABLESAMPLE"):
            raise self.unsupported("TABLESAMPLE is not supported; write WHERE random() < 0.1 for a tenth of the rows")
        if self.at_any("PIVOT", "UNPIVOT") and self.peek(1).key == "(":
            instead = "sum(x) FILTER (WHERE y = …)" if self.at("PIVOT") else "UNION ALL of a SELECT for each column"
            raise self.unsupported(f"{self.peek().key} is not supported; write {instead}")
        return found

    def _values_source(self, start: int) -> tree.Source:
        """Read `VALUES (…), … [alias [(columns)]]` without brackets around it."""
        self.expect("VALUES")
        rows = self._rows()
        body = tree.Values(start, self.position, rows, is_partial=False)
        query = tree.Query(start, self.position, (), False, body, (), None, None, None, False)
        alias, columns = self._alias()
        return tree.QuerySource(start, self.position, alias, columns, query, is_lateral=False)

    def _is_call(self) -> bool:
        ahead = 1
        while self.peek(ahead).key == "." and is_identifier(self.peek(ahead + 1)):
            ahead += 2
        return is_identifier(self.peek()) and self.peek(ahead).key == "("

    def _bracketed(self, start: int, *, is_lateral: bool) -> tree.Source:
        if self._begins_query() and self._bracket_holds_query():
            self.expect("(")
            query = self.query()
            self.expect(")")
            alias, columns = self._alias()
            return tree.QuerySource(start, self.position, alias, columns, query, is_lateral)
        self.expect("(")
        inner = self.source()
        self.expect(")")
        alias, columns = self._alias()
        return tree.BracketSource(start, self.position, alias, columns, inner)

    def _bracket_holds_query(self) -> bool:
        """Tell whether brackets in FROM hold a query: `((SELECT 1) q JOIN t …)` is a join."""
        if self.peek(1).key != "(":
            return True
        place, depth = self.position + 1, 0
        while place < len(self.tokens):
            key = self.tokens[place].key
            depth += (key == "(") - (key == ")")
            place += 1
            if depth == 0:
                break
        following = self.tokens[place].key if place < len(self.tokens) else ""
        return following in SET_OPERATORS | {")", "ORDER", "LIMIT", "OFFSET"}

    def _call_source(self, start: int) -> tree.Source:
        call = self.expression(1_000)
        if not isinstance(call, tree.Call):
            raise self.error("expected a function")
        if self.at("WITH"):
            self.position += 2
        alias, columns = self._alias()
        return tree.CallSource(start, self.position, alias, columns, call)

    def _table(self) -> tree.TableSource:
        start = self.position
        parts = [self._part()]
        while self.accept("."):
            parts.append(self._part())
        name_end = self.position
        alias, columns = self._alias()
        return tree.TableSource(start, self.position, alias, columns, tuple(parts), name_end)

    def _part(self) -> str:
        token = self.peek()
        if token.kind is Kind.STRING:
            raise self.unsupported('a text is no table: quote names with ", and load files with `flightserver load`')
        if not is_identifier(token):
            raise self.error(f"expected a table, found {self.found()}")
        self.position += 1
        return identifier_name(token)

    def _alias(self) -> tuple[str | None, tuple[str, ...]]:
        alias = None
        if self.accept("AS") or (
            is_identifier(self.peek()) and not (self.peek().kind is Kind.WORD and self.peek().key in NO_TABLE_ALIAS)
        ):
            alias = self.name("alias")
        columns = self._column_aliases() if alias is not None and self.at("(") else ()
        return alias, columns

    def _column_aliases(self) -> tuple[str, ...]:
        self.expect("(")
        names = self.separated(self._column_alias)
        self.expect(")")
        return names

    def _column_alias(self) -> str:
        name = self.name("column")
        if not self.at_any(",", ")"):
            self._type()
        return name
