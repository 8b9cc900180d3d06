"""Where a text compares with the rows of a sub-query (`x IN (SELECT …)`, `x < ANY (…)`), found in its tokens.

The left side of a comparison is everything back to what binds less, as in DataFusion's parser. Comparisons nest or
stand apart; they never overlap in part.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, unique

from flightserver.sql.text.clauses import AFTER_CONDITIONS
from flightserver.sql.text.tokens import Token, depth_change, identifier_name, is_identifier, tokenize

_QUERY_STARTS = frozenset({"SELECT", "WITH", "VALUES", "FROM", "TABLE"})
_CONDITIONS = frozenset({"WHERE", "HAVING", "QUALIFY", "ON"})
_OPERAND_STARTS = _CONDITIONS | {
    *("AND", "OR", "XOR", "NOT", "CASE", "WHEN", "THEN", "ELSE", "BY", "SET", "SELECT", "DISTINCT", "FROM"),
    *("(", "[", "{", ",", ";"),
}
_STARTS_OR_BETWEEN = _OPERAND_STARTS | {"BETWEEN"}
_LEFT_ENDS = _OPERAND_STARTS - {"AND", "OR", "XOR"}
_RIGHT_ENDS = AFTER_CONDITIONS | {")", "]", "}", "END", ",", ";"}
_LEFT_NEIGHBOURS = _CONDITIONS | {"AND", "OR", "("}
_RIGHT_NEIGHBOURS = AFTER_CONDITIONS | {"AND", "OR", ")", ";"} | _CONDITIONS
_NEGATED_OPERATORS = frozenset({"IN", "BETWEEN", "LIKE", "ILIKE", "SIMILAR", "RLIKE", "REGEXP"})
_OPERATORS = frozenset({"=", "==", "<>", "!=", "<", ">", "<=", ">="})
_QUANTIFIERS = frozenset({"ANY", "SOME", "ALL"})
_MEMBERSHIPS = {
    **{(operator, quantifier): "IN" for operator in ("=", "==") for quantifier in ("ANY", "SOME")},
    **{(operator, "ALL"): "NOT IN" for operator in ("<>", "!=")},
}
_OUTSIDE = ";"
"""What stands before and behind a text, as far as grammar is concerned."""


@unique
class Use(Enum):
    """What a comparison is to the engine."""

    JOIN = "a condition with nothing but AND beside it: a join of its own, which knows NULL"
    MARK = "a condition beside OR: NULL is as good as false"
    VALUE = "part of something that tells NULL from false"


@dataclass(frozen=True)
class Comparison:
    """`left operator (sub-query)` by the positions of its tokens, from `start` to before `end`.

    `operator` is where the operator begins and `bracket` where the bracket opens. `= ANY` is IN, `<> ALL` is NOT IN.
    """

    start: int
    operator: int
    bracket: int
    end: int
    written_as: str

    @property
    def is_membership(self) -> bool:
        """Tell whether it is IN or NOT IN."""
        return self.written_as in {"IN", "NOT IN"}

    @property
    def is_negated(self) -> bool:
        """Tell whether it is NOT IN."""
        return self.written_as == "NOT IN"


@dataclass(frozen=True)
class PlainQuery:
    """A sub-query that selects a column under conditions and does nothing else.

    The column is from `column` to before `column_end`, FROM at `source`, WHERE at `where`: the end if there is none.
    """

    column: int
    column_end: int
    source: int
    where: int


class Outline:
    """The tokens of a text, and the comparisons with sub-queries in it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        keys = [token.key for token in self._tokens]
        self._keys = ["" if before == "." else key for before, key in zip(["", *keys], keys, strict=False)]
        self._partners = _partners(self._tokens)
        found = map(self._comparison_at, range(len(self._tokens)))
        self._comparisons = sorted(filter(None, found), key=lambda comparison: (comparison.start, -comparison.end))

    def __len__(self) -> int:
        """How many tokens there are."""
        return len(self._tokens)

    def outermost(self, start: int, end: int) -> Iterator[Comparison]:
        """The comparisons within a range that stand in no other one of it, in their order."""
        for comparison in self._comparisons:
            if start <= comparison.start and comparison.end <= end:
                yield comparison
                start = comparison.end

    def slice(self, start: int, end: int) -> str:
        """The text from one token to before another, without the space around it."""
        first, last = self.span(start, end)
        return self._text[first:last]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where the tokens of a range begin and end in the text."""
        return self._tokens[start].start, self._tokens[end - 1].end

    def is_values(self, comparison: Comparison) -> bool:
        """Tell whether the sub-query is a list of rows."""
        return self._key(comparison.bracket + 1) == "VALUES"

    def plain_query(self, comparison: Comparison) -> PlainQuery | None:
        """The sub-query by its parts, if it is a plain one."""
        start, end = comparison.bracket + 1, comparison.end - 1
        source = self._place_of("FROM", start, end)
        if self._key(start) != "SELECT" or source == end or self._place_of_any(AFTER_CONDITIONS, start, end) < end:
            return None
        column = start + 1 + (self._key(start + 1) == "DISTINCT")
        column_end = self._chain_end(column)
        name = self._tokens[column_end:source]
        is_named = not name or (len(name) == 1 + (name[0].key == "AS") and is_identifier(name[-1]))
        is_column = all(map(is_identifier, self._tokens[column:column_end:2])) and self._key(column) != "ALL"
        if not is_column or not is_named or column_end > source:
            return None
        return PlainQuery(column, column_end, source, self._place_of("WHERE", source, end))

    def is_apart(self, comparison: Comparison) -> bool:
        """Tell whether a sub-query is plain, and calls what it reads by names that occur nowhere else."""
        query = self.plain_query(comparison)
        if query is None:
            return False
        names = query.source + 1
        name_end = self._chain_end(names)
        if query.where - name_end <= 1 + (self._key(name_end) == "AS"):
            names = query.where - 1
        outside = [*self._tokens[: comparison.bracket], *self._tokens[comparison.end :]]
        return _names(self._tokens[names : query.where]).isdisjoint(_names(outside))

    def use(self, comparison: Comparison) -> Use:
        """What a comparison is, by what stands around it and around the brackets that it is in."""
        start, end, use = comparison.start, comparison.end, Use.JOIN
        while self._key(start - 1) in _LEFT_NEIGHBOURS and self._key(end) in _RIGHT_NEIGHBOURS:
            left, or_left = self._walk(start - 1, -1, _LEFT_ENDS)
            right, or_right = self._walk(end, 1, _RIGHT_ENDS)
            if or_left or or_right or self._key(left) == "ON":
                use = Use.MARK
            if self._key(left) in _CONDITIONS:
                return Use.VALUE if use is Use.MARK and comparison.is_negated else use
            if self._key(left) != "(":
                break
            start, end = left, right + 1
        return Use.VALUE

    def _comparison_at(self, place: int) -> Comparison | None:
        """The comparison whose IN, ANY, SOME or ALL stands at a position."""
        key, before, bracket = self._key(place), self._key(place - 1), place + 1
        if key == "IN":
            operator, written_as = (place - 1, "NOT IN") if before == "NOT" else (place, "IN")
        elif key in _QUANTIFIERS and before in _OPERATORS:
            operator, written_as = place - 1, _MEMBERSHIPS.get((before, key), f"{before} {key}")
        else:
            return None
        if bracket not in self._partners or not self._begins_query(bracket):
            return None
        start = self._walk(operator - 1, -1, _OPERAND_STARTS)[0] + 1
        return (
            Comparison(start, operator, bracket, self._partners[bracket] + 1, written_as) if start < operator else None
        )

    def _begins_query(self, bracket: int) -> bool:
        place = bracket
        while self._key(place) == "(":
            place += 1
        return place > bracket and self._key(place) in _QUERY_STARTS

    def _walk(self, place: int, step: int, ends: frozenset[str]) -> tuple[int, bool]:
        """Go along the tokens outside of brackets and CASE; return where one of `ends` stands, and if OR was met."""
        met_or = False
        while 0 <= place < len(self._tokens) and (self._key(place) not in ends or self._is_part(place)):
            met_or |= self._key(place) in {"OR", "XOR"}
            place = self._next(place, step)
        return place, met_or

    def _next(self, place: int, step: int) -> int:
        """The position beside one, or beyond the brackets or the CASE that begins there."""
        partner = self._partners.get(place, place)
        return (partner if (partner - place) * step > 0 else place) + step

    def _is_part(self, place: int) -> bool:
        """Tell whether a word is part of an operator: AND of BETWEEN, NOT of IS NOT and NOT LIKE."""
        if self._key(place) == "NOT":
            return self._key(place - 1) == "IS" or self._key(place + 1) in _NEGATED_OPERATORS
        if self._key(place) != "AND":
            return False
        start = place - 1
        while start >= 0 and self._key(start) not in _STARTS_OR_BETWEEN:
            start = self._next(start, -1)
        return self._key(start) == "BETWEEN"

    def _chain_end(self, place: int) -> int:
        """The position behind `a.b.c` that begins at one."""
        while self._key(place + 1) == ".":
            place += 2
        return place + 1

    def _place_of(self, word: str, start: int, end: int) -> int:
        return self._place_of_any(frozenset({word}), start, end)

    def _place_of_any(self, words: frozenset[str], start: int, end: int) -> int:
        """Where the first of some words stands in a range outside of brackets, or the end of the range."""
        while start < end and self._key(start) not in words:
            start = self._next(start, 1)
        return min(start, end)

    def _key(self, place: int) -> str:
        """What grammar compares: nothing for values, and for names behind a dot."""
        return self._keys[place] if 0 <= place < len(self._keys) else _OUTSIDE


def _partners(tokens: list[Token]) -> dict[int, int]:
    """The other end of each bracket, and of each CASE … END."""
    partners: dict[int, int] = {}
    opened: list[int] = []
    for place, token in enumerate(tokens):
        change = depth_change(token)
        if change > 0 or token.key == "CASE":
            opened.append(place)
        elif change < 0 or token.key == "END":
            while change < 0 and opened and tokens[opened[-1]].key == "CASE":
                opened.pop()
            if opened and (change < 0 or tokens[opened[-1]].key == "CASE"):
                start = opened.pop()
                partners |= {start: place, place: start}
    return partners


def _names(tokens: list[Token]) -> set[str]:
    """The names that occur, of `s.t` the last."""
    followed = zip(tokens, [*(token.key for token in tokens[1:]), ""], strict=True)
    return {identifier_name(token) for token, key in followed if is_identifier(token) and key != "."}
