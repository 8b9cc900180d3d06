"""Reads types as queries write them: in casts, behind `::`, and where a function's columns are declared."""

from flightserver.sql.text.cursor import Cursor
from flightserver.sql.text.tokens import is_identifier

UNITS = frozenset(
    f"{unit}{plural}"
    for unit in (
        *("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"),
        *("MILLISECOND", "MICROSECOND", "NANOSECOND", "DECADE", "CENTURY", "MILLENNIUM"),
    )
    for plural in ("", "S")
)
_WITH_TYPES = frozenset({"ARRAY", "LIST", "MAP", "STRUCT"})
"""Types that have others in angle brackets; behind any other, `<` compares."""


class TypeReader(Cursor):
    """A cursor that reads types."""

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
        if name.key == "INTERVAL" and self.peek().key in UNITS:
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

    def _type_text(self, start: int) -> str:
        """What stands between a position and this one."""
        return self.text[self.tokens[start].start : self.tokens[self.position - 1].end]

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

    def _unit(self) -> None:
        """Consume `DAY [(n)] [TO SECOND [(n)]]`."""
        self.position += 1
        if self.at("("):
            self._skip_brackets()
        if self.at("TO") and self.peek(1).key in UNITS:
            self.position += 2
            if self.at("("):
                self._skip_brackets()
