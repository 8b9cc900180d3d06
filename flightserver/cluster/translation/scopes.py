"""What names stand for inside a translated text: each column of each source has a name of its own there.

A cluster that mixes up columns of the same name on two sides of a join finds none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count

import pyarrow as pa

from flightserver.cluster.translation.kinds import Value, refused


@dataclass(frozen=True)
class PublishedTable:
    """A table as the cluster reads it: its columns by name, with their types and whether they may be NULL."""

    text: str
    columns: Mapping[str, tuple[pa.DataType, bool]]


@dataclass(frozen=True)
class Output:
    """A column of a query: what the text calls it, and how it is written outside."""

    name: str | None
    value: Value


@dataclass(frozen=True)
class Translated:
    """A query as the cluster's text, and its columns by the names that they have outside of it."""

    text: str
    outputs: tuple[Output, ...]
    is_one_row: bool = False
    is_correlated: bool = False
    counts: bool = False


FindTable = Callable[[tuple[str, ...]], PublishedTable | None]


@dataclass
class Numbers:
    """Names that are used once."""

    _next: "count[int]" = field(default_factory=lambda: count(1))

    def name(self) -> str:
        """Another name."""
        return f"c{next(self._next)}"


@dataclass
class Scope:
    """Sources by their names, in order. `outer` is that of the query around; `common` are the common tables."""

    numbers: Numbers
    find_table: FindTable
    common: Mapping[str, Translated]
    outer: "Scope | None" = None
    sources: dict[str, dict[str, Value]] = field(default_factory=dict)
    is_correlated: bool = False
    has_aggregates: bool = False
    counts: bool = False

    def add(self, name: str, columns: dict[str, Value]) -> None:
        """A source."""
        if name in self.sources:
            raise refused(f"two sources called {name}")
        self.sources[name] = columns

    def column(self, name: str, source: str | None) -> Value:
        """What a column is written as."""
        found = [
            columns[name] for alias, columns in self.sources.items() if source in (None, alias) and name in columns
        ]
        if len(found) > 1:
            raise refused(f"the column {name} of several sources")
        if found:
            return found[0]
        if self.outer is None:
            raise refused(f"the column {name}, which is none of a source")
        self.is_correlated = True
        return self.outer.column(name, source)
