"""Tables that the server computes when they are read. They live in one namespace and cannot be changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from flightserver.context import Context


@dataclass(frozen=True)
class SystemTable:
    """A computed table: its columns, and its rows as one user may see them."""

    schema: pa.Schema
    rows: Callable[[Context], pa.Table]


SystemTables = Mapping[str, SystemTable]
"""System tables by name."""
