"""From a name to a table or a view: the one place that decides whether a statement finds it, and for what.

A door looks at the definitions that a statement sees, with the temporary tables of its session in front. Whoever needs
a table says what for. Everything that exists may be used by everybody today; what a `Use` decides is which kinds of
objects it makes sense for.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, unique
from functools import cached_property
from types import MappingProxyType
from typing import TypeVar

from catalog.definition import TableDef, ViewDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName
from catalog.registry import Changes, Registry
from catalog.sorted_map import Difference

Definition = TableDef | ViewDef
Made = TypeVar("Made")


@unique
class Use(Enum):
    """What a statement wants of a table or a view."""

    READ = "its rows"
    INSERT = "new rows in it"
    UPDATE = "new versions of its rows"
    DELETE = "rows of it gone"
    DEFINE = "another definition, or none"
    DESCRIBE = "what it is"
    DEPEND = "to know what it reads, and that it goes with that"
    MAINTAIN = "its files written anew"


_OF_VIEWS = frozenset({Use.READ, Use.DEFINE, Use.DESCRIBE, Use.DEPEND})


@dataclass(frozen=True)
class Door:
    """What one statement may reach."""

    registry: Registry
    temporary: Mapping[TableName, TableDef] = field(default_factory=lambda: MappingProxyType({}))

    def onto(self, registry: Registry) -> "Door":
        """The same door to other definitions: those that are about to be."""
        return replace(self, registry=registry)

    @property
    def lasting(self) -> "Door":
        """The same door without temporary tables: what a name means where they hide nothing."""
        return Door(self.registry)

    def behind(self, _: ViewDef) -> "Door":
        """The door for the names in a view's query. Who may read a view reads what it reads."""
        return self

    @cached_property
    def _seen(self) -> Registry:
        """All definitions, with the temporary tables in the place of what they hide."""
        hidden = [Difference(name, self.registry.tables.get(name), table) for name, table in self.temporary.items()]
        views = [Difference(name, view, None) for name in self.temporary if (view := self.registry.views.get(name))]
        return self.registry.with_changes(Changes(tables=hidden, views=views)) if hidden else self.registry

    @property
    def namespaces(self) -> Collection[str]:
        """All namespaces."""
        return self.registry.namespaces

    def require_namespace(self, namespace: str) -> None:
        """Raise NOT_FOUND when there is no such namespace."""
        self.registry.require_namespace(namespace)

    def find(self, name: TableName, use: Use) -> Definition | None:
        """What a name means to a statement that wants this of it; None when it means nothing."""
        found = self.temporary.get(name) or self.registry.tables.get(name) or self.registry.views.get(name)
        return found if found is not None and self._admits(use, found) else None

    def find_table(self, name: TableName, use: Use) -> TableDef | None:
        """The table that a name means; None when it means none."""
        found = self.find(name, use)
        return found if isinstance(found, TableDef) else None

    def find_view(self, name: TableName, use: Use) -> ViewDef | None:
        """The view that a name means; None when it means none."""
        found = self.find(name, use)
        return found if isinstance(found, ViewDef) else None

    def table(self, name: TableName, use: Use) -> TableDef:
        """The table that a name means; NOT_FOUND when it means none."""
        found = self.find_table(name, use)
        if found is None:
            raise self._missing("table", name)
        return found

    def view(self, name: TableName, use: Use) -> ViewDef:
        """The view that a name means; NOT_FOUND when it means none."""
        found = self.find_view(name, use)
        if found is None:
            raise self._missing("view", name)
        return found

    def tables(self, use: Use) -> Iterator[TableDef]:
        """Every table that may be used so, by name; those that a temporary one hides are left out."""
        return (table for table in self._seen.tables.values() if self._admits(use, table))

    def tables_in(self, namespace: str, use: Use) -> Iterator[TableDef]:
        """Those of a namespace."""
        return (table for table in self._seen.tables_in(namespace) if self._admits(use, table))

    def views(self, use: Use) -> Iterator[ViewDef]:
        """Every view that may be used so, by name; those that a temporary table hides are left out."""
        return (view for view in self._seen.views.values() if self._admits(use, view))

    def views_in(self, namespace: str, use: Use) -> Iterator[ViewDef]:
        """Those of a namespace."""
        return (view for view in self._seen.views_in(namespace) if self._admits(use, view))

    def table_names(self, make: Callable[[Sequence[TableName]], Made]) -> list[Made]:
        """What `make` makes of the names of the tables that may be described, some neighbours at a time."""
        return self._seen.tables.made_of_keys(make)

    def view_names(self, make: Callable[[Sequence[TableName]], Made]) -> list[Made]:
        """What `make` makes of the names of the views that may be described."""
        return self._seen.views.made_of_keys(make)

    def refuse_taken(self, name: TableName) -> None:
        """Raise ALREADY_EXISTS when a table or a view has the name."""
        found = self.find(name, Use.DESCRIBE)
        if found is not None:
            what = "table" if isinstance(found, TableDef) else "view"
            raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"{what} {name} exists already")

    @staticmethod
    def _admits(use: Use, found: Definition) -> bool:
        """Tell whether this is what something may be used for."""
        return isinstance(found, TableDef) or use in _OF_VIEWS

    def _missing(self, what: str, name: TableName) -> DatabaseError:
        self.require_namespace(name.namespace)
        found = self.find(name, Use.DESCRIBE)
        if found is None:
            return DatabaseError(ErrorKind.NOT_FOUND, f"{what} {name} does not exist")
        is_what = "a table" if isinstance(found, TableDef) else "a view"
        return DatabaseError(ErrorKind.NOT_FOUND, f"{what} {name} is {is_what}, not a {what}")
