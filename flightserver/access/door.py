"""From a name to a table or a view: the one place that decides whether a statement finds it, and for what.

A door looks at the definitions that a statement sees, with the temporary tables of its session in front, for one user.
Whoever needs a table says what for, and the door asks `rights`. What is not allowed is not there: errors are those for
unknown names, to the letter. Only that a name is taken cannot be kept from who wants to take it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TypeVar

from catalog.definition import Audit, NamespaceDef, TableDef, TableKind, ViewDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import EVERYBODY, Grantee, GranteeType, ObjectId, Privilege
from catalog.identifiers import DEFAULT_NAMESPACE, TableName
from catalog.registry import Changes, Registry
from catalog.roles import Identity
from catalog.sorted_map import Difference
from flightserver.access.principal import FindIdentity, Principal
from flightserver.access.rights import (
    CHANGES,
    TRUSTED,
    Kind,
    Relation,
    Use,
    is_allowed,
    kind_of,
    may_make,
    privileges_for,
)

Definition = TableDef | ViewDef
Made = TypeVar("Made")


def unnoticed() -> None:
    """For what nobody records."""


@dataclass(frozen=True)
class Door:
    """What one statement may reach.

    `asker` is whose rights count; None, where a view's owner is gone, may reach nothing. `on_hidden` is told when there
    is something of a name that is asked for, and the asker may not use it so: nobody else can tell it from a name that
    means nothing.
    """

    registry: Registry
    asker: Identity | None
    principal: Principal
    find_identity: FindIdentity
    temporary: Mapping[TableName, TableDef] = field(default_factory=lambda: MappingProxyType({}))
    on_hidden: Callable[[], None] = unnoticed

    def onto(self, registry: Registry) -> "Door":
        """The same door to other definitions: those that are about to be."""
        return replace(self, registry=registry)

    @property
    def lasting(self) -> "Door":
        """The same door without temporary tables: what a name means where they hide nothing."""
        return replace(self, temporary=MappingProxyType({}))

    def behind(self, view: ViewDef) -> "Door":
        """The door for the names in a view's query: who may read a view reads what its owner may read.

        They mean what they meant when it was made, whatever a session hides from itself.
        """
        lasting = self.lasting if self.temporary else self
        if self.asker is not None and view.owner == self.asker.name:
            return lasting
        return replace(lasting, asker=self.find_identity(view.owner))

    @cached_property
    def _seen(self) -> Registry:
        """All definitions, with the temporary tables in the place of what they hide."""
        hidden = [Difference(name, self.registry.tables.get(name), table) for name, table in self.temporary.items()]
        views = [Difference(name, view, None) for name in self.temporary if (view := self.registry.views.get(name))]
        return self.registry.with_changes(Changes(tables=hidden, views=views)) if hidden else self.registry

    @property
    def namespaces(self) -> list[str]:
        """The names of the namespaces that are there for the asker."""
        return [name for name in self.registry.namespaces if self.has_namespace(name)]

    def has_namespace(self, name: str, use: Use = Use.DESCRIBE) -> bool:
        """Tell whether there is a namespace that may be used so. One in which something may be seen may be seen."""
        found = self.registry.namespaces.get(name)
        if found is None:
            return False
        if self._may(use, Kind.NAMESPACE, found) or (use is Use.DESCRIBE and name == DEFAULT_NAMESPACE):
            return True
        if use is not Use.DESCRIBE:
            return False
        return any(True for _ in self.tables_in(name, use)) or any(True for _ in self.views_in(name, use))

    def require_namespace(self, name: str, use: Use = Use.DESCRIBE) -> None:
        """Raise NOT_FOUND when there is no such namespace that may be used so."""
        if not self.has_namespace(name, use):
            if name in self.registry.namespaces:
                self.on_hidden()
            raise DatabaseError(
                ErrorKind.NOT_FOUND, f"namespace {name} does not exist; create it with CREATE NAMESPACE"
            )

    def namespace(self, name: str, use: Use) -> NamespaceDef:
        """A namespace that may be used so; NOT_FOUND when there is none."""
        self.require_namespace(name, use)
        return self.registry.namespaces[name]

    def refuse_left(self, namespace: str) -> None:
        """Raise INVALID when something is in a namespace; nothing of what the asker may not see is named."""
        left = self.registry.first_in(namespace)
        if left is not None:
            seen = next(self.tables_in(namespace, Use.DESCRIBE), None) or next(
                self.views_in(namespace, Use.DESCRIBE), None
            )
            what = "what others own" if seen is None else f"{seen.name}; drop it first or use CASCADE"
            raise DatabaseError(ErrorKind.INVALID, f"namespace {namespace} still holds {what}")

    def find(self, name: TableName, use: Use) -> Definition | None:
        """What a name means to a statement that wants this of it; None when it means nothing."""
        found = self.temporary.get(name) or self.registry.tables.get(name) or self.registry.views.get(name)
        if found is None or self.admits(use, found):
            return found
        self.on_hidden()
        return None

    def audit_of(self, name: TableName) -> Audit:
        """What the log says of a table's rows: its own business, whoever asks. Of temporary ones it says nothing."""
        found = None if name in self.temporary else self.registry.tables.get(name)
        return Audit.NONE if found is None else found.options.audit

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
        if use in CHANGES:
            self.refuse_for_another(found)
        return found

    def refuse_for_another(self, table: TableDef) -> None:
        """Raise INVALID where AS USER would change rows that are everybody's."""
        if self.principal.is_named and table.kind is TableKind.SHARED:
            raise DatabaseError(
                ErrorKind.INVALID, f"AS USER cannot change {table.name}: a SHARED table has the same rows for all users"
            )

    def view(self, name: TableName, use: Use) -> ViewDef:
        """The view that a name means; NOT_FOUND when it means none."""
        found = self.find_view(name, use)
        if found is None:
            raise self._missing("view", name)
        return found

    def tables(self, use: Use) -> Iterator[TableDef]:
        """Every table that may be used so, by name; those that a temporary one hides are left out."""
        return (table for table in self._seen.tables.values() if self.admits(use, table))

    def tables_in(self, namespace: str, use: Use) -> Iterator[TableDef]:
        """Those of a namespace."""
        return (table for table in self._seen.tables_in(namespace) if self.admits(use, table))

    def views(self, use: Use) -> Iterator[ViewDef]:
        """Every view that may be used so, by name; those that a temporary table hides are left out."""
        return (view for view in self._seen.views.values() if self.admits(use, view))

    def views_in(self, namespace: str, use: Use) -> Iterator[ViewDef]:
        """Those of a namespace."""
        return (view for view in self._seen.views_in(namespace) if self.admits(use, view))

    def things(self) -> Iterator[NamespaceDef | Definition]:
        """Everything that may be described."""
        yield from (self.registry.namespaces[name] for name in self.namespaces)
        yield from self.tables(Use.DESCRIBE)
        yield from self.views(Use.DESCRIBE)

    def table_names(self, make: Callable[[Sequence[TableName]], Made]) -> list[Made]:
        """What `make` makes of the names of the tables that may be described, some neighbours at a time."""
        if self._sees_all:
            return self._seen.tables.made_of_keys(make)
        return [make([table.name for table in self.tables(Use.DESCRIBE)])]

    def view_names(self, make: Callable[[Sequence[TableName]], Made]) -> list[Made]:
        """What `make` makes of the names of the views that may be described."""
        if self._sees_all:
            return self._seen.views.made_of_keys(make)
        return [make([view.name for view in self.views(Use.DESCRIBE)])]

    def refuse_taken(self, name: TableName) -> None:
        """Raise ALREADY_EXISTS when a table or a view has the name, and say of it what the asker may see."""
        if self.find(name, Use.DESCRIBE) is not None:
            what = "table" if self.find_table(name, Use.DESCRIBE) is not None else "view"
            raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"{what} {name} exists already")
        if name in self._seen.tables or name in self._seen.views:
            raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"the name {name} is taken")

    def refuse_making(self, kind: Kind) -> None:
        """Raise DENIED when the asker may not make such a thing."""
        if self.asker is None or not may_make(kind, self.asker.role):
            role = "nobody" if self.asker is None else self.asker.role.value
            way_out = "; CREATE USER TABLE makes one in which everybody has rows of their own"
            raise DatabaseError(
                ErrorKind.DENIED,
                f"the role {role} may not make {kind.value}{way_out if kind is Kind.SHARED else ''}",
            )

    def _missing(self, what: str, name: TableName) -> DatabaseError:
        self.require_namespace(name.namespace)
        found = self.find(name, Use.DESCRIBE)
        if found is None or _is(found, what):
            return DatabaseError(ErrorKind.NOT_FOUND, f"{what} {name} does not exist")
        is_what = "a table" if isinstance(found, TableDef) else "a view"
        return DatabaseError(ErrorKind.NOT_FOUND, f"{what} {name} is {is_what}, not a {what}")

    def admits(self, use: Use, found: Definition) -> bool:
        """Tell whether something may be used so."""
        if isinstance(found, ViewDef):
            return self._may(use, Kind.VIEW, found)
        temporary = self.temporary.get(found.name)
        return self._may(use, kind_of(found.kind, temporary=temporary is found), found)

    def _may(self, use: Use, kind: Kind, found: NamespaceDef | Definition) -> bool:
        asker = self.asker
        if asker is None:
            return False
        if is_allowed(use, kind, Relation.OTHER, asker.role):  # as it mostly is: nobody needs to look for more
            return True
        return is_allowed(use, kind, self._relation(use, kind, found, asker), asker.role)

    def _relation(self, use: Use, kind: Kind, found: NamespaceDef | Definition, asker: Identity) -> Relation:
        if found.owner == asker.name:
            return Relation.OWNER
        things = {found.object} if isinstance(found, NamespaceDef) else {found.object, self._around(found)}
        wanted = privileges_for(use, kind)
        is_granted = bool(wanted) and any((thing, one) in self._granted for thing in things for one in wanted)
        return Relation.GRANTED if is_granted else Relation.OTHER

    def _around(self, found: Definition) -> ObjectId | None:
        """The namespace of a table or a view."""
        namespace = self.registry.namespaces.get(found.name.namespace)
        return None if namespace is None else namespace.object

    @property
    def grantees(self) -> tuple[Grantee, ...]:
        """Everything by which something can be granted to the asker."""
        if self.asker is None:
            return ()
        named, by_role = Grantee(GranteeType.USER, self.asker.name), Grantee(GranteeType.ROLE, self.asker.role.value)
        return named, by_role, EVERYBODY

    @cached_property
    def _granted(self) -> "_Granted":
        return _Granted(self.registry, self.grantees)

    @property
    def _sees_all(self) -> bool:
        """Tell whether nothing is hidden from the asker because of their role."""
        return self.asker is not None and self.asker.role in TRUSTED


@dataclass(frozen=True)
class _Granted:
    """What was granted to somebody: asked thing by thing."""

    registry: Registry
    grantees: tuple[Grantee, ...]

    def __contains__(self, wanted: tuple[ObjectId | None, Privilege]) -> bool:
        thing, privilege = wanted
        return thing is not None and self.registry.is_granted(thing, privilege, self.grantees)


def _is(found: Definition, what: str) -> bool:
    return isinstance(found, TableDef) == (what == "table")
