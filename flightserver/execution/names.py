"""What the names of a query may mean: tables, views, system tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from catalog.definition import TableDef, ViewDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName
from catalog.registry import Registry
from flightserver.execution.system import SystemTable
from flightserver.sql.text.references import referenced_names

VIEW_DEPTH_MAX = 32


@dataclass(frozen=True)
class Names:
    """Tables, views from the innermost out, and system tables."""

    tables: Mapping[TableName, TableDef]
    views: Mapping[TableName, ViewDef]
    system: Mapping[TableName, SystemTable]

    @classmethod
    def union(cls, parts: "Sequence[Names]") -> "Names":
        """The names of several queries."""
        return cls(
            {name: table for part in parts for name, table in part.tables.items()},
            {name: view for part in parts for name, view in part.views.items()},
            {name: table for part in parts for name, table in part.system.items()},
        )

    def texts(self, text: str) -> Iterator[str]:
        """A query's text and those of the views that it reads."""
        yield text
        yield from (view.query for view in self.views.values())


def names_in(text: str, namespace: str, registry: Registry, system: Mapping[TableName, SystemTable]) -> Names:
    """What the names of a text may mean, unqualified ones in `namespace`; INVALID when views nest without end."""
    tables: dict[TableName, TableDef] = {}
    views: dict[TableName, ViewDef] = {}
    computed: dict[TableName, SystemTable] = {}

    def collect(text: str, namespace: str, depth: int) -> None:
        if depth > VIEW_DEPTH_MAX:
            raise DatabaseError(ErrorKind.INVALID, f"views are nested deeper than {VIEW_DEPTH_MAX}")
        for ref in referenced_names(text):
            name = TableName(ref.namespace or namespace, ref.table)
            if name in registry.tables:
                tables[name] = registry.tables[name]
            elif name in system:
                computed[name] = system[name]
            elif name in registry.views and name not in views:
                view = registry.views[name]
                collect(view.query, view.namespace, depth + 1)
                views[name] = view

    collect(text, namespace, 0)
    return Names(tables, views, computed)
