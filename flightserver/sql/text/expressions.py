"""Reads expressions: what binds how strongly is a table, everything else follows from it.

What is no operand is an error at its place. Special forms of calls (`extract(day FROM x)`, `position(a IN b)`) are read
for their parts, so that a word or an IN within them is never taken for a clause or a comparison.
"""

from flightserver.sql.text import tree
from flightserver.sql.text.cursor import Cursor
from flightserver.sql.text.tokens import Kind, fold, identifier_name, is_identifier
from flightserver.sql.text.tree import Expression
from flightserver.sql.text.words import FRAME_UNITS, NO_OPERAND, QUERY_STARTS, SET_OPERATORS

_OR, _AND, _NOT, _CUSTOM, _IS, _COMPARE, _MEMBER = 5, 10, 15, 16, 17, 19, 20
_OTHER, _XOR, _ADD, _MULTIPLY, _ZONE, _CARET, _TIGHT = 21, 24, 30, 40, 41, 45, 50

_BINDS = {
    "OR": _OR,
    "AND": _AND,
    "XOR": _XOR,
    **dict.fromkeys(("->", "->>", "@", "?"), _CUSTOM),
    **dict.fromkeys(("=", "==", "<>", "!=", "<", ">", "<=", ">=", "<=>", "~", "!"), _COMPARE),
    **dict.fromkeys(("|", "&", "#", "||"), _OTHER),
    "^": _CARET,
    **dict.fromkeys(("+", "-"), _ADD),
    **dict.fromkeys(("*", "/", "%", "DIV"), _MULTIPLY),
    "AT": _ZONE,
    **dict.fromkeys(("::", "["), _TIGHT),
    "IS": _IS,
    **dict.fromkeys(("LIKE", "ILIKE", "SIMILAR", "RLIKE", "REGEXP"), _MEMBER),
    **dict.fromkeys(("IN", "BETWEEN"), _MEMBER),
    "COLLATE": _TIGHT,
}
"""How strongly an operator binds: as in DataFusion's parser, but IN, `||`, `^` and their kin as in PostgreSQL."""

_NEGATABLE = frozenset({"IN", "BETWEEN", "LIKE", "ILIKE", "SIMILAR", "RLIKE", "REGEXP"})
_QUANTIFIERS = frozenset({"ANY", "SOME", "ALL"})
_COMPARISONS = frozenset({"=", "==", "<>", "!=", "<", ">", "<=", ">="})
_TYPED = frozenset({"DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "DATETIME", "INTERVAL", "X"})
_UNITS = frozenset(
    f"{unit}{plural}"
    for unit in (
        *("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"),
        *("MILLISECOND", "MICROSECOND", "NANOSECOND", "DECADE", "CENTURY", "MILLENNIUM"),
    )
    for plural in ("", "S")
)
_WITH_TYPES = frozenset({"ARRAY", "LIST", "MAP", "STRUCT"})
"""Types that have others in angle brackets; behind any other, `<` compares."""

_TESTS = (
    *(("NOT", what) for what in ("NULL", "TRUE", "FALSE", "UNKNOWN")),
    *((what,) for what in ("NULL", "TRUE", "FALSE", "UNKNOWN")),
)
_SPLIT_WORDS = frozenset({"FROM", "FOR", "PLACING", "TO"})
"""Words that stand between the parts of a special form of a call."""

_TRIM_SIDES = frozenset({"BOTH", "LEADING", "TRAILING"})
_CONSTANT_WORDS = {"NULL": "null", "TRUE": "boolean", "FALSE": "boolean"}


class ExpressionReader(Cursor):
    """A cursor that reads expressions, and within them queries."""

    def query(self) -> tree.Query:
        """Read a query."""
        raise NotImplementedError

    def expression(self, binding: int = 0) -> Expression:
        """Read an expression, as far as its operators bind more strongly than `binding`."""
        start = self.position
        left = self._operand()
        while True:
            strength = self._strength()
            if strength <= binding:
                return left
            left = self._infix(start, left, strength)

    def expressions(self) -> tuple[Expression, ...]:
        """Read one or more expressions with commas between them."""
        return self.separated(self.expression)

    def _strength(self) -> int:
        key = self.peek().key
        if key == "NOT":
            return _BINDS[self.peek(1).key] if self.peek(1).key in _NEGATABLE else 0
        if key == "AT" and not self.at("AT", "TIME", "ZONE"):
            return 0
        return _BINDS.get(key, 0)

    def _infix(self, start: int, left: Expression, strength: int) -> Expression:
        at = self.position
        is_negated = self.accept("NOT")
        operator = self.next().key
        match operator:
            case "IS":
                return self._is(start, at, left)
            case "IN":
                return self._in(start, left, is_negated=is_negated)
            case "BETWEEN":
                low = self.expression(_MEMBER)
                self.expect("AND")
                high = self.expression(_MEMBER)
                return tree.Between(start, self.position, left, low, high, is_negated)
            case "::":
                return self._cast_to(start, left)
            case "[":
                return self._index(start, left)
            case "AT":
                self.expect("TIME", "ZONE")
                zone = self.expression(_ZONE)
                return tree.Compound(start, self.position, "AT TIME ZONE", (left, zone))
            case "COLLATE":
                self.table("collation")
                return tree.Compound(start, self.position, "COLLATE", (left,))
        if operator in _COMPARISONS and self.peek().key in _QUANTIFIERS and self.peek(1).key == "(":
            return self._quantified(start, left, operator)
        operator = self._longer(operator)
        right = self.expression(strength)
        if operator in {"LIKE", "ILIKE", "SIMILAR"} and self.accept("ESCAPE"):
            self.expression(_MEMBER)
        return tree.Binary(start, self.position, f"NOT {operator}" if is_negated else operator, at, left, right)

    def _longer(self, operator: str) -> str:
        """Consume the rest of an operator of several tokens, as of SIMILAR TO and `!~`."""
        if operator == "SIMILAR":
            self.expect("TO")
        while operator and not operator[0].isalpha() and self._joins_operator():
            operator += self.next().text
        if operator in {"~", "!~"} and self.at("*") and self.peek().start == self.peek(-1).end:
            operator += self.next().text  # whatever the case of letters
        return operator

    def _joins_operator(self) -> bool:
        token, before = self.peek(), self.peek(-1)
        is_symbol = token.kind is Kind.SYMBOL and token.key not in {
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ",",
            ";",
            "-",
            "+",
            "*",
        }
        return is_symbol and token.start == before.end and token.key != "."

    def _is(self, start: int, at: int, left: Expression) -> Expression:
        for what in _TESTS:
            if self.accept(*what):
                return tree.Test(start, self.position, " ".join(what), left)
        is_negated = self.accept("NOT")
        if self.accept("DISTINCT", "FROM"):
            operator = "IS NOT DISTINCT FROM" if is_negated else "IS DISTINCT FROM"
            right = self.expression(_IS)
            return tree.Binary(start, self.position, operator, at, left, right)
        raise self.error(f"expected NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM after IS, found {self.found()}")

    def _in(self, start: int, left: Expression, *, is_negated: bool) -> Expression:
        bracket = self.position
        if self.accept("UNNEST"):
            self.position -= 1
            return tree.Binary(start, self.position, "IN", bracket, left, self.expression(_MEMBER))
        self.expect("(")
        if self._begins_query():
            query = self.query()
            if self.accept(")"):
                return tree.InQuery(start, self.position, left, query, is_negated, bracket)
            self.position = bracket + 1  # it is a list whose first value is or begins with a sub-query
        items = () if self.at(")") else self.expressions()
        self.expect(")")
        return tree.InList(start, self.position, left, items, is_negated)

    def _quantified(self, start: int, left: Expression, operator: str) -> Expression:
        quantifier, bracket = self.next().key, self.position
        self.expect("(")
        if not self._begins_query():
            inner = self.expression()
            self.expect(")")
            return tree.Compound(start, self.position, f"{operator} {quantifier}", (left, inner))
        query = self.query()
        self.expect(")")
        return tree.Quantified(start, self.position, left, operator, quantifier, query, bracket)

    def _cast_to(self, start: int, left: Expression) -> Expression:
        type_start = self.position
        self._type()
        return tree.Cast(start, self.position, left, self._type_text(type_start), type_start, self.position)

    def _type_text(self, start: int) -> str:
        """What stands between a position and this one."""
        return self.text[self.tokens[start].start : self.tokens[self.position - 1].end]

    def _type(self) -> None:
        """Consume a type."""
        name = self.next()
        if not is_identifier(name):
            self.position -= 1
            raise self.error(f"expected a type, found {self.found()}")
        while self.accept("."):
            self.next()
        if name.key == "DOUBLE":
            self.accept("PRECISION")
        if name.key in {"CHARACTER", "CHAR"}:
            self.accept("VARYING")
        if name.key in {"INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT"}:
            self.accept("UNSIGNED")
        if name.key == "INTERVAL" and self.peek().key in _UNITS:
            self._unit()
        if name.key in _WITH_TYPES and self.at("<"):
            self._angle_brackets()
        if self.at("("):
            self._skip_brackets()
        if (
            name.key in {"TIMESTAMP", "TIME"}
            and self.at_any("WITH", "WITHOUT")
            and self.at(self.peek().key, "TIME", "ZONE")
        ):
            self.position += 3
        while self.at("[") and (self.at("[", "]") or self.peek(2).key == "]"):
            self.position += 2 if self.at("[", "]") else 3

    def _angle_brackets(self) -> None:
        depth = 0
        while not self.at_end():
            token = self.next()
            depth += (token.key == "<") - (token.key == ">")
            if depth == 0:
                return
        raise self.error("this type has no end")

    def _skip_brackets(self) -> None:
        depth = 0
        while not self.at_end():
            token = self.next()
            depth += (token.key in {"(", "[", "{"}) - (token.key in {")", "]", "}"})
            if depth == 0:
                return
        raise self.error("a bracket is not closed")

    def _index(self, start: int, left: Expression) -> Expression:
        parts = [left]
        while not self.accept("]"):
            if not self.accept(":"):
                parts.append(self.expression())
            if self.at_end():
                raise self.error("expected ], found the end of the statement")
        return tree.Compound(start, self.position, "[]", tuple(parts))

    def _operand(self) -> Expression:
        token, start = self.peek(), self.position
        if token.kind is Kind.WORD:
            return self._word(start)
        if token.kind is Kind.QUOTED:
            return self._name(start)
        if token.kind is Kind.NUMBER or token.kind is Kind.STRING:
            self.position += 1
            return tree.Literal(start, start + 1, "string" if token.kind is Kind.STRING else _kind_of(token.text))
        if token.kind is Kind.PARAMETER:
            self.position += 1
            return tree.Parameter(start, start + 1)
        match token.key:
            case "(":
                return self._bracket(start)
            case "*":
                return self._star(start, ())
            case "-" | "+" | "~" | "!":
                self.position += 1
                operand = self.expression(_MULTIPLY)
                return tree.Unary(start, self.position, token.key, operand)
            case "[":
                return self._list(start, "]")
            case "{":
                return self._entries(start, "{}", has_names=True)
        raise self.error(f"expected an expression, found {self.found()}")

    def _word(self, start: int) -> Expression:
        key = self.peek().key
        special = self._special(key, start)
        if special is not None:
            return special
        if key in _CONSTANT_WORDS and self.peek(1).key not in {".", "("}:
            self.position += 1
            return tree.Literal(start, start + 1, _CONSTANT_WORDS[key])
        if key in _TYPED and self._precedes_string(start):
            return self._typed_literal(start)
        if key in NO_OPERAND and self.peek(1).key not in {".", "("}:
            raise self.error(f"expected an expression, found {self.found()}")
        return self._name(start)

    def _special(self, key: str, start: int) -> Expression | None:
        """Read an operand that begins with a word of its own; None where the word is a name."""
        match key:
            case "NOT":
                return self._not(start)
            case "EXISTS":
                return self._exists(start)
            case "CASE":
                return self._case(start)
            case "CAST" | "TRY_CAST" | "SAFE_CAST":
                return self._cast(start)
            case "EXTRACT":
                return self._extract(start)
            case "ARRAY":
                return self._array(start)
            case "MAP":
                return self._map(start)
        return None

    def _precedes_string(self, start: int) -> bool:
        if self.peek(1).kind is Kind.STRING:
            return True
        key = self.peek().key
        if key == "INTERVAL":
            following = self.peek(1)
            return following.kind in {Kind.NUMBER, Kind.PARAMETER} or following.key == "("
        is_zoned = self.peek(1).key in {"WITH", "WITHOUT"} and (self.peek(2).key, self.peek(3).key) == ("TIME", "ZONE")
        return key in {"TIMESTAMP", "TIME"} and is_zoned and self.peek(4).kind is Kind.STRING and start >= 0

    def _typed_literal(self, start: int) -> Expression:
        kind = self.next().key
        if kind == "INTERVAL":
            value = self.expression(_ADD) if self.peek().kind is not Kind.STRING else None
            self.position += value is None
            if self.peek().key in _UNITS:
                self._unit()
            return (
                tree.Literal(start, self.position, kind)
                if value is None
                else tree.Compound(start, self.position, kind, (value,))
            )
        while self.peek().kind is not Kind.STRING:
            self.position += 1
        self.position += 1
        return tree.Literal(start, self.position, kind)

    def _unit(self) -> None:
        """Consume `DAY [(n)] [TO SECOND [(n)]]`."""
        self.position += 1
        if self.at("("):
            self._skip_brackets()
        if self.at("TO") and self.peek(1).key in _UNITS:
            self.position += 2
            if self.at("("):
                self._skip_brackets()

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
            needle = self.expression(_MEMBER)
            start = needle.start
            if self.accept("IN"):
                hay = self.expression()
                return tree.Compound(start, self.position, "IN", (needle, hay))
            return needle
        if name == "trim" and self.at_any(*_TRIM_SIDES):
            self.position += 1
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

    def _bracket(self, start: int) -> Expression:
        if self._begins_query():
            self.expect("(")
            query = self.query()
            self.expect(")")
            return self._fields_of(start, tree.ScalarQuery(start, self.position, query))
        self.expect("(")
        items = () if self.at(")") else self.expressions()
        self.expect(")")
        return self._fields_of(start, tree.Brackets(start, self.position, items))

    def _fields_of(self, start: int, value: Expression) -> Expression:
        """Read `.field` behind a bracket."""
        while self.at(".") and is_identifier(self.peek(1)):
            self.position += 2
            value = tree.Compound(start, self.position, ".", (value,))
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

    def _list(self, start: int, close: str) -> Expression:
        self.position += 1
        items = () if self.at(close) else self.expressions()
        self.expect(close)
        return tree.Compound(start, self.position, "[]", items)

    def _map(self, start: int) -> Expression | None:
        """Read `MAP {key: value, …}`, whose keys are values, too."""
        if not self.at("MAP", "{"):
            return None
        self.position += 1
        return self._entries(start, "MAP", has_names=False)

    def _entries(self, start: int, what: str, *, has_names: bool) -> Expression:
        """Read `{name: value, …}`."""
        self.expect("{")
        values: list[Expression] = []
        while not self.accept("}"):
            if has_names:
                self.next()
            else:
                values.append(self.expression())
            self.expect(":")
            values.append(self.expression())
            if not self.at("}"):
                self.expect(",")
        return tree.Compound(start, self.position, what, tuple(values))

    def _not(self, start: int) -> Expression | None:
        self.expect("NOT")
        operand = self.expression(_NOT)
        return tree.Unary(start, self.position, "NOT", operand)

    def _exists(self, start: int) -> Expression | None:
        if not self.at("EXISTS", "("):
            return None
        self.position += 2
        query = self.query()
        self.expect(")")
        return tree.Exists(start, self.position, query)

    def _case(self, start: int) -> Expression | None:
        if self.peek(1).key in {".", ","}:
            return None
        self.expect("CASE")
        operand = None if self.at("WHEN") else self.expression()
        branches = []
        while self.accept("WHEN"):
            condition = self.expression()
            self.expect("THEN")
            branches.append((condition, self.expression()))
        otherwise = self.expression() if self.accept("ELSE") else None
        self.expect("END")
        return tree.Case(start, self.position, operand, tuple(branches), otherwise)

    def _cast(self, start: int) -> Expression | None:
        if self.peek(1).key != "(":
            return None
        self.position += 2
        operand = self.expression()
        self.expect("AS")
        type_start = self.position
        self._type()
        type_text, type_end = self._type_text(type_start), self.position
        if self.accept("FORMAT"):
            self.next()
        self.expect(")")
        return tree.Cast(start, self.position, operand, type_text, type_start, type_end)

    def _extract(self, start: int) -> Expression | None:
        if self.peek(1).key != "(" or self.peek(3).key not in {"FROM", ","}:
            return None
        self.position += 3
        if not self.accept("FROM"):
            self.position = start
            return None
        operand = self.expression()
        self.expect(")")
        return tree.Compound(start, self.position, "EXTRACT", (operand,))

    def _array(self, start: int) -> Expression | None:
        if self.at("ARRAY", "["):
            self.position += 1
            return self._list(start, "]")
        if self.at("ARRAY", "(") and self.peek(2).key in QUERY_STARTS:
            self.position += 2
            query = self.query()
            self.expect(")")
            return tree.Compound(start, self.position, "ARRAY", (tree.ScalarQuery(start, self.position, query),))
        return None


def _kind_of(number: str) -> str:
    """What a number is, by how it is written."""
    if number[:2] in {"0x", "0X"}:
        return "integer"
    if "e" in number or "E" in number:
        return "float"
    return "decimal" if "." in number else "integer"
