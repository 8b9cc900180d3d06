"""What clients write their queries in: SQL text, or a Substrait plan. Both become the engine's plans."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import pyarrow as pa
from datafusion import DataFrame
from datafusion.catalog import Table

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName
from flightserver.sql.text.membership import Memberships, exact_memberships
from providers.engine.session import QueryEngine, SqlDialect

Parameters = Mapping[str, pa.Scalar]

_COMPARES = re.compile(r"(?:IN|ANY|ALL) \(<subquery>\)")
_EXACT = re.compile(r"(?: *Filter: )?(?:NOT )?\S+ (?:NOT )?IN \(<subquery>\)")
_INEXACT = (
    "a plan may compare with the rows of a sub-query only by IN and NOT IN, as a condition by itself or beside AND;"
    " send this query as SQL"
)


class Source(Protocol):
    """What a client wrote."""

    @property
    def written(self) -> str | bytes:
        """The text or the plan, without parameters."""

    def frame(self, engine: QueryEngine, relations: Mapping[TableName, Table], namespace: str) -> DataFrame:
        """Plan it over these relations."""


@dataclass(frozen=True)
class SqlText:
    """A query as text.

    With `exact_literals`, numbers with a point are decimals and not floats. With `keeps_join_order` no join is moved:
    the text, or a view that it reads, has one that must not be.
    """

    text: str
    parameters: Parameters | None = None
    exact_literals: bool = False
    keeps_join_order: bool = False

    @property
    def written(self) -> str:
        """The text."""
        return self.text

    def frame(self, engine: QueryEngine, relations: Mapping[TableName, Table], namespace: str) -> DataFrame:
        """Plan the text."""
        dialect = (
            SqlDialect.EXACT_LITERALS
            if self.exact_literals
            else SqlDialect.STABLE_JOIN_ORDER
            if self.keeps_join_order
            else SqlDialect.PLAIN
        )
        text, when_correlated = self._exact
        frame = engine.plan(text, relations, namespace, self.parameters, dialect)
        if when_correlated != text and _is_correlated(frame):
            return engine.plan(when_correlated, relations, namespace, self.parameters, dialect)
        return frame

    @cached_property
    def _exact(self) -> Memberships:
        """The text for the engine. It is planned twice, and may be too long to be remembered."""
        return exact_memberships(self.text)


@dataclass(frozen=True)
class SubstraitPlan:
    """A query as a serialized Substrait plan."""

    plan: bytes

    @property
    def written(self) -> bytes:
        """The plan."""
        return self.plan

    def frame(self, engine: QueryEngine, relations: Mapping[TableName, Table], namespace: str) -> DataFrame:
        """Plan the plan. UNSUPPORTED when it compares with a sub-query in a way that the engine answers wrong."""
        frame = engine.plan_substrait(self.plan, relations, namespace)
        if not all(map(_EXACT.fullmatch, _comparisons(frame))):
            raise DatabaseError(ErrorKind.UNSUPPORTED, _INEXACT)
        return frame


def _comparisons(frame: DataFrame) -> Iterator[str]:
    """What stands between ANDs in a plan and compares with the rows of a sub-query."""
    for line in frame.logical_plan().display_indent().splitlines():
        yield from filter(_COMPARES.search, line.split(" AND "))


def _is_correlated(frame: DataFrame) -> bool:
    """Tell whether some sub-query uses columns of an outer query."""
    return "outer_ref(" in frame.logical_plan().display_indent()
