"""Reads what begins with a name: columns, stars, calls, and the windows of calls.

Special forms of calls (`extract(day FROM x)`, `position(a IN b)`) are read for their parts, so that a word or an IN
within them is never taken for a clause or a comparison.
"""

from flightserver.sql.text import tree
from flightserver.sql.text.binding import MEMBER
from flightserver.sql.text.tokens import Kind, fold, identifier_name, is_identifier
from flightserver.sql.text.tree import Expression
from flightserver.sql.text.type_names import TypeReader
from flightserver.sql.text.words import FRAME_UNITS, QUERY_STARTS, SET_OPERATORS

_SPLIT_WORDS = frozenset({"FROM", "FOR", "PLACING", "TO"})
"""Words that stand between the parts of a special form of a call."""

_TRIM_SIDES = frozenset({"BOTH", "LEADING", "TRAILING"})


class CallReader(TypeReader):
    """A cursor that reads names and calls, and within them expressions and queries."""

    def query(self) -> tree.Query:
        """Read a query."""
        raise NotImplementedError

    def expression(self, binding: int = 0) -> Expression:
        """Read an expression, as far as its operators bind more strongly than `binding`."""
        raise NotImplementedError

    def expressions(self) -> tuple[Expression, ...]:
        """Read one or more expressions with commas between them."""
        return self.separated(self.expression)

    def _name(self, start: int) -> Expression:
        """Read `a`, `a.b.c`, `a.*`, or a call."""
        parts = [identifier_name(self.next())]
        while self.at("."):
            following = self.peek(1)
            if following.key == "*":
                self.position += 1
                return self._star(start, tuple(parts))
            if not is_identifier(following):
                raise self.error(f"expected a name after the dot, found {following.text[:40]!r}")
            parts.append(identifier_name(following))
            self.position += 2
        if self.at("(") and (
            self.peek(-1).kind is Kind.WORD or len(parts) > 1 or self.tokens[start].kind is Kind.QUOTED
        ):
            return self._call(start, fold(".".join(parts)))
        is_plain = len(parts) == 1 and self.tokens[start].kind is Kind.WORD
        return tree.Name(start, self.position, tuple(parts), is_plain)

    def _star(self, start: int, qualifier: tuple[str, ...]) -> Expression:
        """Read a star, and what it leaves out or puts in the place of columns."""
        self.expect("*")
        star = self.position
        left_out: tuple[str, ...] = ()
        parts: list[Expression] = []
        if self.at("ILIKE") and self.peek(1).kind is Kind.STRING:
            self.position += 2
        if self.at_any("EXCEPT", "EXCLUDE") and not self._is_set_operation():
            self.position += 1
            left_out = self.names("column") if self.at("(") else (self.name("column"),)
        if self.accept("REPLACE"):
            self.expect("(")
            parts += self.separated(self._replaced_column)
            self.expect(")")
        if self.accept("RENAME"):
            self._skip_brackets() if self.at("(") else self.optional_alias()
        return tree.Star(start, self.position, qualifier, star, left_out, tuple(parts))

    def _is_set_operation(self) -> bool:
        """Tell whether EXCEPT behind a star begins another query."""
        ahead = 1 + (self.peek(1).key in {"ALL", "DISTINCT"})
        while self.peek(ahead).key == "(":
            ahead += 1
        return self.peek(ahead).key in QUERY_STARTS

    def _replaced_column(self) -> Expression:
        value = self.expression()
        self.accept("AS")
        self.name("column")
        return value

    def _call(self, start: int, name: str) -> Expression:
        """Read a call's arguments and what may stand behind its bracket."""
        self.expect("(")
        is_distinct = self.accept("DISTINCT")
        self.accept("ALL")
        order_by: tuple[Expression, ...] = ()
        arguments = [] if self.at(")") else [self._argument(name)]
        while not self.at(")"):
            if self.accept("ORDER", "BY"):
                order_by = self.order_items()
            elif self.accept(","):
                arguments.append(self._argument(name))
            elif self.at_any("RESPECT", "IGNORE") and self.peek(1).key == "NULLS":
                self.position += 2
            elif self.at_any(*_SPLIT_WORDS):
                self.position += 1
                arguments.append(self.expression())
            else:
                raise self.error(f"expected ) or a comma, found {self.found()}")
        close = self.position
        self.expect(")")
        if self.accept("WITHIN", "GROUP", "(", "ORDER", "BY"):
            order_by = self.order_items()
            self.expect(")")
        condition = None
        if self.accept("FILTER", "(", "WHERE"):
            condition = self.expression()
            self.expect(")")
        if self.at_any("RESPECT", "IGNORE") and self.peek(1).key == "NULLS":
            self.position += 2
        over = self._over() if self.accept("OVER") else None
        return tree.Call(start, self.position, name, tuple(arguments), is_distinct, order_by, condition, over, close)

    def _argument(self, name: str) -> Expression:
        """Read an argument: an expression, a query, or the words of a special form."""
        if name == "position":
            needle = self.expression(MEMBER)
            start = needle.start
            if self.accept("IN"):
                hay = self.expression()
                return tree.Compound(start, self.position, "IN", (needle, hay))
            return needle
        if name == "trim" and self.at_any(*_TRIM_SIDES, "FROM"):
            self.position += not self.at("FROM")
            if self.at("FROM"):
                start = self.position
                self.position += 1
                return tree.Compound(start, self.position, "FROM", (self.expression(),))
        if self._begins_query():
            start = self.position
            query = self.query()
            return tree.ScalarQuery(start, self.position, query)
        value = self.expression()
        if self.at("=", ">") and isinstance(value, tree.Name):
            self.position += 2
            return self.expression()
        if self.at("AS"):
            self.position += 1
            self.name("field")
        return value

    def _over(self) -> tree.Window | str:
        if not self.at("("):
            return self.name("window")
        return self.window()

    def window(self) -> tree.Window:
        """Read a window in brackets."""
        start = self.position
        self.expect("(")
        based_on = None
        if is_identifier(self.peek()) and not self.at_any("PARTITION", "ORDER", *FRAME_UNITS):
            based_on = self.name("window")
        partition_by = self.expressions() if self.accept("PARTITION", "BY") else ()
        order_by = self.order_items() if self.accept("ORDER", "BY") else ()
        frame = self._frame() if self.at_any(*FRAME_UNITS) else None
        self.expect(")")
        return tree.Window(start, self.position, based_on, partition_by, order_by, frame)

    def _frame(self) -> tree.Frame:
        start, unit = self.position, self.next().key
        is_range = self.accept("BETWEEN")
        is_growing = self.at("UNBOUNDED", "PRECEDING")
        parts = self._bound()
        if is_range:
            self.expect("AND")
            parts += self._bound()
        if self.accept("EXCLUDE"):
            self.position += 2 if self.at("CURRENT", "ROW") or self.at("NO", "OTHERS") else 1
        return tree.Frame(start, self.position, unit, is_growing, parts)

    def _bound(self) -> tuple[Expression, ...]:
        if (
            self.accept("CURRENT", "ROW")
            or self.accept("UNBOUNDED", "PRECEDING")
            or self.accept("UNBOUNDED", "FOLLOWING")
        ):
            return ()
        distance = self.expression()
        if not self.accept_any("PRECEDING", "FOLLOWING"):
            raise self.error(f"expected PRECEDING or FOLLOWING, found {self.found()}")
        return (distance,)

    def order_items(self) -> tuple[Expression, ...]:
        """Read what ORDER BY lists."""
        return self.separated(self._order_item)

    def _order_item(self) -> Expression:
        value = self.expression()
        self.accept_any("ASC", "DESC")
        if self.accept("NULLS"):
            self.next()
        return value

    def _begins_query(self) -> bool:
        """Tell whether a query comes next, in brackets or without."""
        ahead = 0
        while self.peek(ahead).key == "(":
            ahead += 1
        key = self.peek(ahead).key
        if (
            key not in QUERY_STARTS
            or self.peek(ahead + 1).key in {".", ",", ")"}
            or self.peek(ahead).kind is not Kind.WORD
        ):
            return False
        return ahead < 2 or self._bracket_is_query(ahead)

    def _bracket_is_query(self, ahead: int) -> bool:
        """Tell whether brackets around a query hold a part of a query, and not an operand: `((SELECT 1) + 1)`."""
        place, depth = self.position + ahead, ahead
        tokens = self.tokens
        while place < len(tokens) and depth > 0:
            key = tokens[place].key
            depth += (key in {"(", "[", "{"}) - (key in {")", "]", "}"})
            place += 1
            if 0 < depth < ahead:
                following = tokens[place].key if place < len(tokens) else ""
                if key == ")" and following not in SET_OPERATORS | {")", "ORDER", "LIMIT", "OFFSET", "FETCH"}:
                    return False
                ahead = min(ahead, depth)
        return True
