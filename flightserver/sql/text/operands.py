"""Reads operands: constants, brackets, lists, and the forms that begin with a word of their own, as CASE and CAST."""

from flightserver.sql.text import tree
from flightserver.sql.text.binding import ADD, MULTIPLY, NOT
from flightserver.sql.text.calls import CallReader
from flightserver.sql.text.tokens import Kind, is_identifier
from flightserver.sql.text.tree import Expression
from flightserver.sql.text.type_names import UNITS
from flightserver.sql.text.words import NO_OPERAND, QUERY_STARTS

_TYPED = frozenset({"DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "DATETIME", "INTERVAL", "X"})
_CONSTANT_WORDS = {"NULL": "null", "TRUE": "boolean", "FALSE": "boolean"}


class OperandReader(CallReader):
    """A cursor that reads operands."""

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
                operand = self.expression(MULTIPLY)
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
            value = self.expression(ADD) if self.peek().kind is not Kind.STRING else None
            self.position += value is None
            if self.peek().key in UNITS:
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
        operand = self.expression(NOT)
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
