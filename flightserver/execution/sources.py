"""What clients write their queries in: SQL text, or a Substrait plan. Both become the engine's plans."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from catalog.identifiers import TableName
from providers.engine.session import EngineTable, Frame, QueryEngine, SqlDialect
from providers.engine.substrait import refuse_inexact

Parameters = Mapping[str, pa.Scalar]


class Source(Protocol):
    """What a client wrote."""

    @property
    def written(self) -> str | bytes:
        """The text or the plan, without parameters."""

    def frame(
        self, engine: QueryEngine, relations: Mapping[TableName, EngineTable], namespace: str, dialect: SqlDialect
    ) -> Frame:
        """Plan it over these relations."""


@dataclass(frozen=True)
class SqlText:
    """A query as the engine's text."""

    text: str
    parameters: Parameters | None = None

    @property
    def written(self) -> str:
        """The text."""
        return self.text

    def frame(
        self, engine: QueryEngine, relations: Mapping[TableName, EngineTable], namespace: str, dialect: SqlDialect
    ) -> Frame:
        """Plan the text."""
        return engine.plan(self.text, relations, namespace, self.parameters, dialect)


@dataclass(frozen=True)
class SubstraitPlan:
    """A query as a serialized Substrait plan."""

    plan: bytes

    @property
    def written(self) -> bytes:
        """The plan."""
        return self.plan

    def frame(
        self, engine: QueryEngine, relations: Mapping[TableName, EngineTable], namespace: str, dialect: SqlDialect
    ) -> Frame:
        """Plan the plan. UNSUPPORTED when it compares with a sub-query in a way that the engine answers wrong."""
        frame = engine.plan_substrait(self.plan, relations, namespace, dialect)
        refuse_inexact(frame)
        return frame
