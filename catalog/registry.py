"""All definitions as one immutable value: a change yields a new registry, readers keep the one they have."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from catalog.definition import TableDef, ViewDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import DEFAULT_NAMESPACE, RESERVED_NAMESPACES, TableName, check_name

Definition = TypeVar("Definition", TableDef, ViewDef)


@dataclass(frozen=True)
class Registry:
    """Namespaces, tables and views by name. Tables and views share one name space."""

    namespaces: frozenset[str] = frozenset({DEFAULT_NAMESPACE})
    tables: Mapping[TableName, TableDef] = field(default_factory=lambda: MappingProxyType({}))
    views: Mapping[TableName, ViewDef] = field(default_factory=lambda: MappingProxyType({}))
    next_table_id: int = 1

    def table(self, name: TableName) -> TableDef:
        """Return the table called `name`, or raise NOT_FOUND."""
        found = self.tables.get(name)
        if found is None:
            self.require_namespace(name.namespace)
            what = "is a view, not a table" if name in self.views else "does not exist"
            raise DatabaseError(ErrorKind.NOT_FOUND, f"table {name} {what}")
        return found

    def view(self, name: TableName) -> ViewDef:
        """Return the view called `name`, or raise NOT_FOUND."""
        found = self.views.get(name)
        if found is None:
            self.require_namespace(name.namespace)
            what = "is a table, not a view" if name in self.tables else "does not exist"
            raise DatabaseError(ErrorKind.NOT_FOUND, f"view {name} {what}")
        return found

    def exists(self, name: TableName) -> bool:
        """Tell whether `name` is taken by a table or a view."""
        return name in self.tables or name in self.views

    def require_namespace(self, namespace: str) -> None:
        """Raise NOT_FOUND when there is no such namespace."""
        if namespace not in self.namespaces:
            raise DatabaseError(
                ErrorKind.NOT_FOUND, f"namespace {namespace} does not exist; create it with CREATE NAMESPACE"
            )

    def with_namespace(self, namespace: str) -> "Registry":
        """Add a namespace."""
        check_name("namespace", namespace)
        if namespace in RESERVED_NAMESPACES:
            raise DatabaseError(ErrorKind.INVALID, f"namespace name {namespace} is reserved")
        if namespace in self.namespaces:
            raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"namespace {namespace} exists already")
        return replace(self, namespaces=self.namespaces | {namespace})

    def without_namespace(self, namespace: str) -> "Registry":
        """Remove an empty namespace; the default one stays."""
        self.require_namespace(namespace)
        if namespace == DEFAULT_NAMESPACE:
            raise DatabaseError(ErrorKind.INVALID, f"namespace {DEFAULT_NAMESPACE} cannot be dropped")
        left = [name for name in (*self.tables, *self.views) if name.namespace == namespace]
        if left:
            raise DatabaseError(
                ErrorKind.INVALID, f"namespace {namespace} still holds {left[0]}; drop it first or use CASCADE"
            )
        return replace(self, namespaces=self.namespaces - {namespace})

    def with_table(self, table: TableDef) -> "Registry":
        """Add a table, or replace the definition of the same name."""
        self.require_namespace(table.name.namespace)
        if table.name in self.views:
            raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"{table.name} exists already as a view")
        return replace(
            self,
            tables=MappingProxyType({**self.tables, table.name: table}),
            next_table_id=max(self.next_table_id, table.id + 1),
        )

    def without_table(self, name: TableName) -> "Registry":
        """Remove a table."""
        self.table(name)
        return replace(self, tables=MappingProxyType({key: t for key, t in self.tables.items() if key != name}))

    def with_view(self, view: ViewDef) -> "Registry":
        """Add a view, or replace the one of the same name."""
        self.require_namespace(view.name.namespace)
        if view.name in self.tables:
            raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"{view.name} exists already as a table")
        return replace(self, views=MappingProxyType({**self.views, view.name: view}))

    def without_view(self, name: TableName) -> "Registry":
        """Remove a view."""
        self.view(name)
        return replace(self, views=MappingProxyType({key: v for key, v in self.views.items() if key != name}))

    def rebased(self, base: "Registry", onto: "Registry") -> "Registry":
        """What leads from `base` to this registry, on top of `onto`; CONFLICT when both changed the same name."""
        added, removed = self.namespaces - base.namespaces, base.namespaces - self.namespaces
        for namespace in (added & onto.namespaces) | (removed - onto.namespaces):
            raise _conflict(f"namespace {namespace}")
        merged = Registry(
            (onto.namespaces | added) - removed,
            _rebased(base.tables, self.tables, onto.tables),
            _rebased(base.views, self.views, onto.views),
            max(self.next_table_id, onto.next_table_id),
        )
        for name in (*merged.tables, *merged.views):
            if name.namespace not in merged.namespaces:
                raise _conflict(f"namespace {name.namespace}")
        for name in merged.tables.keys() & merged.views.keys():
            raise _conflict(str(name))
        return merged


def _rebased(
    base: Mapping[TableName, Definition], mine: Mapping[TableName, Definition], onto: Mapping[TableName, Definition]
) -> Mapping[TableName, Definition]:
    merged = dict(onto)
    for name in base.keys() | mine.keys():
        if base.get(name) is mine.get(name):
            continue
        if onto.get(name) is not base.get(name):
            raise _conflict(str(name))
        if name in mine:
            merged[name] = mine[name]
        else:
            del merged[name]
    return MappingProxyType(merged)


def _conflict(what: str) -> DatabaseError:
    return DatabaseError(ErrorKind.CONFLICT, f"another transaction changed the definition of {what} first; retry")
