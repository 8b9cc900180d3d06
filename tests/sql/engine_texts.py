"""Texts for the engine, over tables that are known by their columns alone."""

import pyarrow as pa

from catalog.identifiers import TableName
from flightserver.sql.meaning.engine_text import Circumstances, EngineText, for_engine
from flightserver.sql.meaning.scopes import Column, Relation
from flightserver.sql.text.query_text import QueryText

CONTEXT = {
    "CURRENT_USER": "ann",
    "SESSION_USER": "ann",
    "CURRENT_SCHEMA": "public",
    "CURRENT_CATALOG": "main",
}

TABLES = {
    "t": {"a": pa.int64(), "b": pa.int64(), "x": pa.int64()},
    "u": {"a": pa.int64(), "c": pa.int64()},
    "z": {"y": pa.int64(), "c": pa.bool_(), "d": pa.bool_()},
    "numbers": {"id": pa.int64(), "i": pa.int32(), "d": pa.decimal128(18, 2), "f": pa.float64()},
    "moments": {"id": pa.int64(), "ts": pa.timestamp("us"), "at": pa.timestamp("us", "UTC"), "day": pa.date32()},
}


def definitions(parts: tuple[str, ...]) -> Relation | None:
    """What a name stands for."""
    columns = TABLES.get(parts[-1])
    if columns is None:
        return None
    name = TableName(parts[-2] if len(parts) > 1 else "public", parts[-1])
    return Relation(name, tuple(map(Column, columns, columns.values())), tuple(columns)[:1], ("_seq", "_deleted"))


def engine_text(text: str, **circumstances: object) -> EngineText:
    """The engine's text for a query."""
    return for_engine(QueryText(text), definitions, Circumstances(CONTEXT, **circumstances))  # type: ignore[arg-type]


def written(text: str) -> str:
    """What the engine is told instead of a query."""
    return engine_text(text).text
