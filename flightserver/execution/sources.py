"""What clients write their queries in: SQL text, or a Substrait plan. Both become the engine's plans."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
from datafusion import DataFrame
from datafusion.catalog import Table

from catalog.identifiers import TableName
from providers.query_engine import QueryEngine, SqlDialect

Parameters = Mapping[str, pa.Scalar]


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
        return engine.plan(self.text, relations, namespace, self.parameters, dialect)


@dataclass(frozen=True)
class SubstraitPlan:
    """A query as a serialized Substrait plan."""

    plan: bytes

    @property
    def written(self) -> bytes:
        """The plan."""
        return self.plan

    def frame(self, engine: QueryEngine, relations: Mapping[TableName, Table], namespace: str) -> DataFrame:
        """Plan the plan."""
        return engine.plan_substrait(self.plan, relations, namespace)
