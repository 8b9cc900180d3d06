"""All definitions as one immutable value: a change yields a new registry, readers keep the one they have.

Registries share what they have in common (`SortedMap`): a change costs what it changes, and so does the difference of
two of them, however many definitions there are.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from catalog.definition import NOBODY, NamespaceDef, TableDef, ViewDef, fresh_id
from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import Grant, Grantee, GranteeType, GrantKey, ObjectId, ObjectType, Privilege, handed_over
from catalog.identifiers import DEFAULT_NAMESPACE, RESERVED_NAMESPACES, TableName, check_name
from catalog.policies import Policy, PolicyKey
from catalog.sorted_map import Difference, Key, SortedMap, Value

KNOWN_GRANTS_MAX = 4_096
"""How many answers about grants are remembered."""


@dataclass(frozen=True)
class Changes:
    """What differs between two registries, in the order of names."""

    namespaces: Sequence[Difference[str, NamespaceDef]] = ()
    tables: Sequence[Difference[TableName, TableDef]] = ()
    views: Sequence[Difference[TableName, ViewDef]] = ()
    grants: Sequence[Difference[GrantKey, Grant]] = ()
    policies: Sequence[Difference[PolicyKey, Policy]] = ()


@dataclass(frozen=True)
class Registry:
    """Namespaces, tables and views by name, the names of tables by id, and grants and policies, which go with those.

    Tables and views share one name space.
    """

    namespaces: SortedMap[str, NamespaceDef] = field(
        default_factory=lambda: SortedMap([(DEFAULT_NAMESPACE, NamespaceDef(DEFAULT_NAMESPACE))])
    )
    tables: SortedMap[TableName, TableDef] = field(default_factory=SortedMap)
    views: SortedMap[TableName, ViewDef] = field(default_factory=SortedMap)
    ids: SortedMap[int, TableName] = field(default_factory=SortedMap)
    next_table_id: int = 1
    grants: SortedMap[GrantKey, Grant] = field(default_factory=SortedMap)
    policies: SortedMap[PolicyKey, Policy] = field(default_factory=SortedMap)

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

    def table_of(self, table_id: int) -> TableDef | None:
        """The table with this id, whatever its name."""
        name = self.ids.get(table_id)
        return None if name is None else self.tables[name]

    def tables_in(self, namespace: str) -> Iterator[TableDef]:
        """The tables of a namespace, by name."""
        return _of_namespace(self.tables, namespace)

    def views_in(self, namespace: str) -> Iterator[ViewDef]:
        """The views of a namespace, by name."""
        return _of_namespace(self.views, namespace)

    def first_in(self, namespace: str) -> TableName | None:
        """A table or view of a namespace, if it has any."""
        found = next(self.tables_in(namespace), None) or next(self.views_in(namespace), None)
        return None if found is None else found.name

    def exists(self, name: TableName) -> bool:
        """Tell whether `name` is taken by a table or a view."""
        return name in self.tables or name in self.views

    def require_namespace(self, namespace: str) -> None:
        """Raise NOT_FOUND when there is no such namespace."""
        if namespace not in self.namespaces:
            raise DatabaseError(
                ErrorKind.NOT_FOUND, f"namespace {namespace} does not exist; create it with CREATE NAMESPACE"
            )

    def grants_on(self, thing: ObjectId) -> Iterator[Grant]:
        """All grants of a thing."""
        low = GrantKey(thing, Privilege.DELETE, _FIRST, "")
        high = GrantKey(thing._replace(id=thing.id + 1), Privilege.DELETE, _FIRST, "")
        return (grant for _, grant in self.grants.between(low, high))

    def is_granted(self, thing: ObjectId, privilege: Privilege, grantees: tuple[Grantee, ...]) -> bool:
        """Tell whether somebody of these has a privilege for a thing, from whomever."""
        if not self.grants:
            return False
        asked = thing, privilege, grantees
        known = self._known_grants.get(asked)
        if known is None:
            bounds = ((GrantKey(thing, privilege, g, ""), GrantKey(thing, privilege, g, _LAST)) for g in grantees)
            known = any(next(self.grants.between(low, high), None) for low, high in bounds)
            if len(self._known_grants) >= KNOWN_GRANTS_MAX:
                self._known_grants.clear()
            self._known_grants[asked] = known
        return known

    @cached_property
    def _known_grants(self) -> dict[tuple[ObjectId, Privilege, tuple[Grantee, ...]], bool]:
        """What was asked of these grants, which never change."""
        return {}

    def with_namespace(self, namespace: str, owner: str = NOBODY) -> "Registry":
        """Add a namespace."""
        check_name("namespace", namespace)
        if namespace in RESERVED_NAMESPACES:
            raise DatabaseError(ErrorKind.INVALID, f"namespace name {namespace} is reserved")
        if namespace in self.namespaces:
            raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"namespace {namespace} exists already")
        made = NamespaceDef(namespace, fresh_id(), owner)
        return replace(self, namespaces=self.namespaces.with_item(namespace, made))

    def without_namespace(self, namespace: str) -> "Registry":
        """Remove an empty namespace; the default one stays."""
        self.require_namespace(namespace)
        if namespace == DEFAULT_NAMESPACE:
            raise DatabaseError(ErrorKind.INVALID, f"namespace {DEFAULT_NAMESPACE} cannot be dropped")
        left = self.first_in(namespace)
        if left is not None:
            raise DatabaseError(
                ErrorKind.INVALID, f"namespace {namespace} still holds {left}; drop it first or use CASCADE"
            )
        return self.with_changes(Changes(namespaces=[Difference(namespace, self.namespaces[namespace], None)]))

    def with_table(self, table: TableDef) -> "Registry":
        """Add a table, or replace the definition of the same name."""
        self.require_namespace(table.name.namespace)
        if table.name in self.views:
            raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"{table.name} exists already as a view")
        return self.with_changes(Changes(tables=[Difference(table.name, self.tables.get(table.name), table)]))

    def with_table_renamed(self, before: TableDef, after: TableDef) -> "Registry":
        """Give a table another name; what is on it stays on it."""
        if self.exists(after.name):
            raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"{after.name} exists already")
        renamed = [Difference(before.name, before, None), Difference(after.name, None, after)]
        return self.with_changes(Changes(tables=renamed))

    def without_table(self, name: TableName) -> "Registry":
        """Remove a table."""
        return self.with_changes(Changes(tables=[Difference(name, self.table(name), None)]))

    def with_view(self, view: ViewDef) -> "Registry":
        """Add a view, or replace the one of the same name."""
        self.require_namespace(view.name.namespace)
        if view.name in self.tables:
            raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"{view.name} exists already as a table")
        return replace(self, views=self.views.with_item(view.name, view))

    def without_view(self, name: TableName) -> "Registry":
        """Remove a view."""
        return self.with_changes(Changes(views=[Difference(name, self.view(name), None)]))

    def policies_of(self, table_id: int) -> list[Policy]:
        """The policies of a table, by name."""
        if not self.policies:
            return []
        return [found for _, found in self.policies.between(PolicyKey(table_id, ""), PolicyKey(table_id + 1, ""))]

    def with_policy(self, policy: Policy) -> "Registry":
        """Add a policy."""
        if policy.key in self.policies:
            raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"policy {policy.name} exists already on the table")
        return replace(self, policies=self.policies.with_item(policy.key, policy))

    def without_policy(self, key: PolicyKey) -> "Registry":
        """Remove a policy."""
        return replace(self, policies=self.policies.without(key))

    def with_grants(self, granted: Iterable[Grant]) -> "Registry":
        """Add grants. A grant option that is there stays."""
        grants = self.grants
        for grant in granted:
            before = grants.get(grant.key)
            if before is None or (grant.grant_option and not before.grant_option):
                grants = grants.with_item(grant.key, grant)
        return replace(self, grants=grants)

    def with_grants_on(self, thing: ObjectId, left: Collection[Grant]) -> "Registry":
        """Let a thing have just these grants."""
        grants, kept = self.grants, {grant.key: grant for grant in left}
        for grant in self.grants_on(thing):
            if grant.key not in kept:
                grants = grants.without(grant.key)
        for key, grant in kept.items():
            if grants.get(key) != grant:
                grants = grants.with_item(key, grant)
        return replace(self, grants=grants)

    def owned_by(self, thing: NamespaceDef | TableDef | ViewDef, owner: str) -> "Registry":
        """Give a thing to somebody, who takes the place of the owner in its grants, too."""
        after = self.with_grants_on(thing.object, handed_over(self.grants_on(thing.object), thing.owner, owner))
        match thing:
            case NamespaceDef():
                return replace(after, namespaces=self.namespaces.with_item(thing.name, replace(thing, owner=owner)))
            case TableDef():
                return after.with_table(replace(thing, owner=owner))
            case ViewDef():
                return after.with_view(replace(thing, owner=owner))

    def changes_since(self, before: "Registry") -> Changes:
        """What leads from an earlier registry to this one."""
        return Changes(
            self.namespaces.changes_since(before.namespaces),
            self.tables.changes_since(before.tables),
            self.views.changes_since(before.views),
            self.grants.changes_since(before.grants),
            self.policies.changes_since(before.policies),
        )

    def with_changes(self, changes: Changes) -> "Registry":
        """The registry after some changes, which are not checked."""
        ids, next_table_id = self.ids, self.next_table_id
        for gone in (found.before for found in changes.tables if found.before is not None):
            ids = ids.without(gone.id)
        for there in (found.after for found in changes.tables if found.after is not None):
            ids = ids.with_item(there.id, there.name)
            next_table_id = max(next_table_id, there.id + 1)
        after = Registry(
            _changed(self.namespaces, changes.namespaces),
            _changed(self.tables, changes.tables),
            _changed(self.views, changes.views),
            ids,
            next_table_id,
            _changed(self.grants, changes.grants),
            _changed(self.policies, changes.policies),
        )
        return after._without_what_is_on(_gone(changes))

    def _without_what_is_on(self, things: Collection[ObjectId]) -> "Registry":
        """Let the grants and policies of things that are gone go with them."""
        grants, policies = self.grants, self.policies
        for thing in things if policies else ():
            for policy in self.policies_of(thing.id) if thing.type is ObjectType.TABLE else ():
                policies = policies.without(policy.key)
        for key in [grant.key for thing in things for grant in self.grants_on(thing)] if grants else []:
            grants = grants.without(key)
        if grants is self.grants and policies is self.policies:
            return self
        return replace(self, grants=grants, policies=policies)

    def left_out_by(self, after: "Registry") -> list[TableDef]:
        """The tables that a later registry does not have, under whatever name."""
        changed = [found.before for found in after.tables.changes_since(self.tables)]
        return [table for table in changed if table is not None and table.id not in after.ids]

    def rebased(self, base: "Registry", onto: "Registry") -> "Registry":
        """What leads from `base` to this registry, on top of `onto`; CONFLICT when both changed the same name."""
        mine = self.changes_since(base)
        _refuse_changed(onto.namespaces, mine.namespaces, "namespace ")
        _refuse_changed(onto.tables, mine.tables)
        _refuse_changed(onto.views, mine.views)
        if any(onto.grants.get(grant.key) is not grant.before for grant in mine.grants):
            raise _conflict(f"a grant to {mine.grants[0].key.grantee}")
        if any(onto.policies.get(policy.key) is not policy.before for policy in mine.policies):
            raise _conflict(f"policy {mine.policies[0].key.name}")
        merged = onto.with_changes(mine)
        for namespace in mine.namespaces:
            if namespace.after is None and merged.first_in(namespace.key) is not None:
                raise _conflict(f"namespace {namespace.key}")
        added = [table.key for table in mine.tables if table.after is not None]
        added += [view.key for view in mine.views if view.after is not None]
        for name in added:
            if name.namespace not in merged.namespaces:
                raise _conflict(f"namespace {name.namespace}")
            if name in merged.tables and name in merged.views:
                raise _conflict(str(name))
        return replace(merged, next_table_id=max(self.next_table_id, merged.next_table_id))


_FIRST, _LAST = Grantee(GranteeType.PUBLIC, ""), "\U0010ffff"


def _gone(changes: Changes) -> set[ObjectId]:
    """What is there no more, under whatever name."""
    before: set[ObjectId] = set()
    after: set[ObjectId] = set()
    for table in changes.tables:
        before |= {table.before.object} if table.before else set()
        after |= {table.after.object} if table.after else set()
    for view in changes.views:
        before |= {view.before.object} if view.before else set()
        after |= {view.after.object} if view.after else set()
    for namespace in changes.namespaces:
        before |= {namespace.before.object} if namespace.before else set()
        after |= {namespace.after.object} if namespace.after else set()
    return before - after


def _of_namespace(definitions: SortedMap[TableName, Value], namespace: str) -> Iterator[Value]:
    end = TableName(f"{namespace}\0", "")  # no name lies between
    return (found for _, found in definitions.between(TableName(namespace, ""), end))


def _changed(definitions: SortedMap[Key, Value], changes: Sequence[Difference[Key, Value]]) -> SortedMap[Key, Value]:
    for key, after in ((change.key, change.after) for change in changes):
        definitions = definitions.without(key) if after is None else definitions.with_item(key, after)
    return definitions


def _refuse_changed(newest: Mapping[Key, Value], changes: Sequence[Difference[Key, Value]], what: str = "") -> None:
    """Raise CONFLICT when somebody else changed what one of the changes is of."""
    for change in changes:
        if newest.get(change.key) is not change.before:
            raise _conflict(f"{what}{change.key}")


def _conflict(what: str) -> DatabaseError:
    return DatabaseError(ErrorKind.CONFLICT, f"another transaction changed the definition of {what} first; retry")
