"""Comparisons with sub-queries that DataFusion 55 answers wrong, in a form that it gets right.

As a condition by itself or beside AND, `x IN (…)` and `x NOT IN (…)` become joins that know NULL. Anywhere else the
engine asks a mark join, which says false where SQL says NULL, so that `NOT IN` and its kin let through rows that they
should not. There a comparison is written as

    CASE WHEN x IN (…) THEN true
         WHEN x IS NULL AND EXISTS («a row of the sub-query») OR EXISTS («a NULL in it») THEN NULL
         ELSE false END

of whose conditions none is ever NULL. A `NOT IN` beside AND is wrong, too, when its sub-query uses columns of the outer
query, which only a plan tells: for that case there is a second text. Comparisons other than IN mistake a table of the
outer query for the same one in the sub-query; so the sub-query gets a name that occurs nowhere else.

Everything else stays a verbatim slice of what the client sent.
"""

import re
from typing import NamedTuple

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import quote_identifier
from flightserver.sql.text.comparisons import Comparison, Outline, Use
from flightserver.sql.text.limits import QUERY_BYTES_MAX
from flightserver.sql.text.remembered import remembered

VALUES_MAX = 100
"""How often IN may be a value in a statement: each is three joins, and 300 joins take half a second to plan."""

_MAY_COMPARE = re.compile(r"\b(?:IN|ANY|SOME|ALL)\b", re.IGNORECASE)
_ROWS, _COLUMN = quote_identifier("$members"), quote_identifier("$member")
_MEMBER = f"{_ROWS}.{_COLUMN}"
_OTHERWISE = " THEN NULL ELSE false END)"
_TOO_MANY = (
    f"more than {VALUES_MAX} times IN (sub-query) beside OR or within other conditions, or one nested too deeply;"
    " write it as a join"
)


class Memberships(NamedTuple):
    """A text whose comparisons are exact: as long as no sub-query uses outer columns, and when one does."""

    text: str
    when_correlated: str


@remembered
def exact_memberships(text: str) -> Memberships:
    """Rewrite what the engine would get wrong. RESOURCES when that makes the text too long."""
    if not _MAY_COMPARE.search(text):
        return Memberships(text, text)
    outline = Outline(text)
    return Memberships(_Rewriting(text, outline).done(), _Rewriting(text, outline, is_correlated=True).done())


class _Parts(NamedTuple):
    """What a comparison is made of: `rows` is the sub-query as a part of others, `nulls` its rows that are NULL."""

    left: str
    query: str
    rows: str
    nulls: str


class _Rewriting:
    """One text on its way; with `is_correlated`, NOT IN is written anew in every place."""

    def __init__(self, text: str, outline: Outline, *, is_correlated: bool = False) -> None:
        self._text = text
        self._outline = outline
        self._is_correlated = is_correlated
        self._known: dict[Comparison, str] = {}

    def done(self) -> str:
        """The text."""
        end = len(self._outline)
        if not any(self._outline.outermost(0, end)):
            return self._text
        first, last = self._outline.span(0, end)
        return f"{self._text[:first]}{self._written(0, end)}{self._text[last:]}"

    def _written(self, start: int, end: int) -> str:
        """The tokens from `start` to before `end`, with the space between them."""
        done, last = self._outline.span(start, end)
        pieces = []
        for comparison in self._outline.outermost(start, end):
            first, behind = self._outline.span(comparison.start, comparison.end)
            pieces += [self._text[done:first], self._exact(comparison)]
            done = behind
        written = "".join([*pieces, self._text[done:last]])
        if len(written) > max(QUERY_BYTES_MAX, len(self._text)) or written.count(_OTHERWISE) > VALUES_MAX:
            raise DatabaseError(ErrorKind.RESOURCES, _TOO_MANY)
        return written

    def _exact(self, comparison: Comparison) -> str:
        """A comparison as the engine gets it right. It may be a part of several texts, and is worked out once."""
        if comparison not in self._known:
            self._known[comparison] = self._written_anew(comparison)
        return self._known[comparison]

    def _written_anew(self, comparison: Comparison) -> str:
        left, query, rows, nulls = self._parts(comparison)
        if not comparison.is_membership:
            return f"{left} {comparison.written_as} ({query if self._outline.is_apart(comparison) else _named(query)})"
        use = self._outline.use(comparison)
        if use is Use.JOIN and not (comparison.is_negated and self._is_correlated):
            return f"{left} {comparison.written_as} ({rows if self._outline.is_values(comparison) else query})"
        if use is Use.MARK:
            return f"{left} IN ({rows})"
        is_unknown = f"(({left}) IS NULL AND EXISTS ({rows} LIMIT 1)) OR EXISTS ({nulls} LIMIT 1)"
        exact = f"(CASE WHEN {left} IN ({rows}) THEN true WHEN {is_unknown}{_OTHERWISE}"
        return f"(NOT {exact})" if comparison.is_negated else exact

    def _parts(self, comparison: Comparison) -> _Parts:
        """The parts of a comparison. A plain sub-query gets no name, because one with a name knows no outer columns."""
        end = comparison.end - 1
        left = self._written(comparison.start, comparison.operator)
        query = self._written(comparison.bracket + 1, end)
        plain = self._outline.plain_query(comparison)
        if plain is None:
            return _Parts(left, query, _named(query), f"{_named(query)} WHERE {_MEMBER} IS NULL")
        column = self._outline.slice(plain.column, plain.column_end)
        rows = f"SELECT {column} {self._written(plain.source, plain.where)}"
        if plain.where == end:
            return _Parts(left, query, rows, f"{rows} WHERE ({column}) IS NULL")
        condition = self._written(plain.where + 1, end)
        return _Parts(left, query, f"{rows} WHERE {condition}", f"{rows} WHERE ({condition}) AND ({column}) IS NULL")


def _named(query: str) -> str:
    """The rows of a query under a name that occurs nowhere else."""
    return f"SELECT {_MEMBER} FROM ({query}) AS {_ROWS}({_COLUMN})"
