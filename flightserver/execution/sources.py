"""What clients write their queries in: SQL text, or a Substrait plan. Both become the engine's plans."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import pyarrow as pa

from catalog.identifiers import TableName
from providers.engine.session import EngineTable, Frame, QueryEngine, SqlDialect
from providers.engine.substrait import refuse_inexact

Parameters = Mapping[str, pa.Scalar]


def is_long(value: pa.Scalar) -> bool:
    """Tell whether a parameter is a text or binary, which may be large."""
    is_text = pa.types.is_string(value.type) or pa.types.is_large_string(value.type)
    return bool(value.is_valid and (is_text or pa.types.is_binary(value.type) or pa.types.is_large_binary(value.type)))


class Source(Protocol):
    """What a client wrote."""

    @property
    def written(self) -> str | bytes:
        """The text or the plan, without parameters."""

    @property
    def parameter_bytes(self) -> int:
        """What the largest parameter takes."""

    @property
    def has_values(self) -> bool:
        """Tell whether parameters are bound."""

    @property
    def has_nulls(self) -> bool:
        """Tell whether NULL is bound."""

    def without_values(self) -> "Source":
        """The same with placeholders for its parameters."""

    def frame(
        self,
        engine: QueryEngine,
        relations: Mapping[TableName, EngineTable],
        namespace: str,
        dialect: SqlDialect,
        batch_rows: int,
    ) -> Frame:
        """Plan it over these relations."""


@dataclass(frozen=True)
class SqlText:
    """A query as the engine's text; `fenced` and `kept_orders` are other ones, for the dialects of those names."""

    text: str
    parameters: Parameters | None = None
    fenced: str | None = None
    kept_orders: str | None = None

    @property
    def written(self) -> str:
        """The text."""
        return self.text

    @property
    def parameter_bytes(self) -> int:
        """What the largest parameter takes."""
        return max((value.as_buffer().size for value in (self.parameters or {}).values() if is_long(value)), default=0)

    @property
    def has_values(self) -> bool:
        """Tell whether parameters are bound."""
        return bool(self.parameters)

    @property
    def has_nulls(self) -> bool:
        """Tell whether NULL is bound."""
        return not all(value.is_valid for value in (self.parameters or {}).values())

    def without_values(self) -> "SqlText":
        """The same with placeholders for its parameters."""
        return replace(self, parameters=None)

    def behind(self, words: str) -> "SqlText":
        """The same behind other words, if there are any."""
        if not words:
            return self
        return replace(
            self,
            text=f"{words} {self.text}",
            fenced=self.fenced and f"{words} {self.fenced}",
            kept_orders=self.kept_orders and f"{words} {self.kept_orders}",
        )

    def frame(
        self,
        engine: QueryEngine,
        relations: Mapping[TableName, EngineTable],
        namespace: str,
        dialect: SqlDialect,
        batch_rows: int,
    ) -> Frame:
        """Plan the text."""
        texts = {SqlDialect.FENCED_JOINS: self.fenced, SqlDialect.KEPT_ORDERS: self.kept_orders or self.fenced}
        text = texts.get(dialect) or self.text
        return engine.plan(text, relations, namespace, self.parameters, dialect, batch_rows)


@dataclass(frozen=True)
class SubstraitPlan:
    """A query as a serialized Substrait plan. `reads` have their names in it, their tables, and columns of those."""

    plan: bytes
    reads: tuple[tuple[str, TableName, tuple[str, ...]], ...]

    @property
    def written(self) -> bytes:
        """The plan."""
        return self.plan

    @property
    def parameter_bytes(self) -> int:
        """Plans have none."""
        return 0

    @property
    def has_values(self) -> bool:
        """Plans have none."""
        return False

    @property
    def has_nulls(self) -> bool:
        """Plans have none."""
        return False

    def without_values(self) -> "SubstraitPlan":
        """The same."""
        return self

    def frame(
        self,
        engine: QueryEngine,
        relations: Mapping[TableName, EngineTable],
        namespace: str,
        dialect: SqlDialect,
        batch_rows: int,
    ) -> Frame:
        """Plan the plan. UNSUPPORTED when it compares with a sub-query in a way that the engine answers wrong."""
        shown = {
            TableName(namespace, name): engine.showing(relations[table], columns)
            for name, table, columns in self.reads
            if table in relations
        }
        frame = engine.plan_substrait(self.plan, shown, namespace, dialect, batch_rows)
        refuse_inexact(frame)
        return frame
