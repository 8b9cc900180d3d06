"""Reads expressions: what binds how strongly is a table, everything else follows from it."""

from flightserver.sql.text import tree
from flightserver.sql.text.binding import BINDS, IS, MEMBER, ZONE
from flightserver.sql.text.operands import OperandReader
from flightserver.sql.text.tokens import Kind
from flightserver.sql.text.tree import Expression

_NEGATABLE = frozenset({"IN", "BETWEEN", "LIKE", "ILIKE", "SIMILAR", "RLIKE", "REGEXP"})
_QUANTIFIERS = frozenset({"ANY", "SOME", "ALL"})
_COMPARISONS = frozenset({"=", "==", "<>", "!=", "<", ">", "<=", ">="})
_TESTS = (
    *(("NOT", what) for what in ("NULL", "TRUE", "FALSE", "UNKNOWN")),
    *((what,) for what in ("NULL", "TRUE", "FALSE", "UNKNOWN")),
)


class ExpressionReader(OperandReader):
    """A cursor that reads expressions, and within them queries."""

    def expression(self, binding: int = 0) -> Expression:
        """Read an expression, as far as its operators bind more strongly than `binding`."""
        start = self.position
        left = self._operand()
        while True:
            strength = self._strength()
            if strength <= binding:
                return left
            left = self._infix(start, left, strength)

    def _strength(self) -> int:
        key = self.peek().key
        if key == "NOT":
            return BINDS[self.peek(1).key] if self.peek(1).key in _NEGATABLE else 0
        if key == "AT" and not self.at("AT", "TIME", "ZONE"):
            return 0
        return BINDS.get(key, 0)

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
                order = self.next().key if self.at_any("SYMMETRIC", "ASYMMETRIC") else ""
                low = self.expression(MEMBER)
                self.expect("AND")
                high = self.expression(MEMBER)
                return tree.Between(start, self.position, left, low, high, is_negated, order)
            case "::":
                return self._cast_to(start, left)
            case "[":
                return self._index(start, left)
            case "AT":
                self.expect("TIME", "ZONE")
                zone = self.expression(ZONE)
                return tree.Compound(start, self.position, "AT TIME ZONE", (left, zone))
            case "COLLATE":
                self.table("collation")
                return tree.Compound(start, self.position, "COLLATE", (left,))
        if operator in _COMPARISONS and self.peek().key in _QUANTIFIERS and self.peek(1).key == "(":
            return self._quantified(start, left, operator)
        operator = self._longer(operator)
        right = self.expression(strength)
        written = f"NOT {operator}" if is_negated else operator
        if operator in {"LIKE", "ILIKE", "SIMILAR"} and self.accept("ESCAPE"):
            escape = self.expression(MEMBER)
            return tree.Escaped(start, self.position, written, at, left, right, escape)
        return tree.Binary(start, self.position, written, at, left, right)

    def _longer(self, operator: str) -> str:
        """Consume the rest of an operator of several tokens, as of SIMILAR TO and `!~`."""
        if operator == "SIMILAR" and not self.accept("TO"):
            raise self.unsupported("SIMILAR without TO is not supported; write substring(text FROM 'POSIX pattern')")
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
            right = self.expression(IS)
            return tree.Binary(start, self.position, operator, at, left, right)
        raise self.error(f"expected NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM after IS, found {self.found()}")

    def _in(self, start: int, left: Expression, *, is_negated: bool) -> Expression:
        bracket = self.position
        if self.accept("UNNEST"):
            self.position -= 1
            return tree.Binary(start, self.position, "IN", bracket, left, self.expression(MEMBER))
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

    def _index(self, start: int, left: Expression) -> Expression:
        parts = [left]
        while not self.accept("]"):
            if not self.accept(":"):
                parts.append(self.expression())
            if self.at_end():
                raise self.error("expected ], found the end of the statement")
        return tree.Compound(start, self.position, "[]", tuple(parts))
