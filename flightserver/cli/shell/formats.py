"""How results are written, and what came out."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import pyarrow as pa


class Format(Enum):
    """How results are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class Expanded(Enum):
    """When a table for people has a line for every column instead of every row."""

    ON = "on"
    OFF = "off"
    AUTO = "auto"


@dataclass(frozen=True)
class Written:
    """What came out: how many rows, whether there are more, and what else is to be said of it."""

    rows: int
    is_cut: bool = False
    note: str = ""


class Writer(Protocol):
    """Writes results to stdout, batches as they arrive."""

    def write(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Written:
        """Write a result."""
