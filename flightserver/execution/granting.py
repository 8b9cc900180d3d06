"""GRANT, REVOKE, OWNER TO, SHOW GRANTS: who may do what with things that are not theirs.

Each change is one durable change of the catalog, with the definitions that a transaction changes. Whoever is like the
owner of a thing (the roles that look after the server) grants in the owner's name.
"""

from collections.abc import Callable, Iterator

import pyarrow as pa

from catalog.definition import NamespaceDef, TableDef, TableKind, ViewDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import Grant as Granted
from catalog.grants import Grantee, GranteeType, ObjectId, Privilege, Revocation, may_pass_on, revoked
from catalog.identifiers import TableName
from catalog.policies import Policy, PolicyKey
from catalog.registry import Registry
from flightserver.access.door import Door
from flightserver.access.rights import OVERSEERS, Use
from flightserver.context import Context
from flightserver.execution.reading import Reader
from flightserver.execution.rewriting import qualified
from flightserver.execution.rows import Affected
from flightserver.sql.access_statements import (
    ChangeOwner,
    CreatePolicy,
    DropPolicy,
    Grant,
    NamespaceRef,
    Revoke,
    ShowGrants,
)
from flightserver.sql.statements import Statement, TableRef
from flightserver.sql.text.query_text import QueryText

Thing = NamespaceDef | TableDef | ViewDef

GRANTS = pa.schema(
    [
        ("type", pa.string()),
        ("namespace", pa.string()),
        ("name", pa.string()),
        ("privilege", pa.string()),
        ("grantee_type", pa.string()),
        ("grantee", pa.string()),
        ("grantor", pa.string()),
        ("grant_option", pa.bool_()),
    ]
)

POLICIES = pa.schema([(name, pa.string()) for name in ("namespace", "table", "policy", "for", "to", "using", "check")])

_DONE = Affected(0)
_ALL = ShowGrants()


class Granting:
    """Runs statements that change who may do what."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._handlers: dict[type[Statement], Callable[..., Affected]] = {
            Grant: self._grant,
            Revoke: self._revoke,
            ChangeOwner: self._change_owner,
            CreatePolicy: self._create_policy,
            DropPolicy: self._drop_policy,
        }

    def handles(self, statement: Statement) -> bool:
        """Tell whether `run` takes the statement."""
        return type(statement) in self._handlers

    def run(self, statement: Statement, context: Context) -> Affected:
        """Run a statement."""
        return self._handlers[type(statement)](statement, context)

    def _grant(self, statement: Grant, context: Context) -> Affected:
        _check_users(statement.grantees, context)

        def change(registry: Registry) -> Registry:
            door = context.door.lasting.onto(registry)
            thing = _thing(statement.thing, context, door, Use.GRANT)
            privileges, grantor = _in_the_name_of(thing, statement.privileges, context, registry)
            return registry.with_grants(
                Granted(thing.object, privilege, grantee, grantor, statement.grant_option)
                for privilege in privileges
                for grantee in statement.grantees
            )

        context.work.define(change, context.request)
        return _DONE

    def _revoke(self, statement: Revoke, context: Context) -> Affected:
        def change(registry: Registry) -> Registry:
            door = context.door.lasting.onto(registry)
            thing = _thing(statement.thing, context, door, Use.GRANT)
            privileges, grantor = _in_the_name_of(thing, statement.privileges, context, registry)
            gone = Revocation(privileges, frozenset(statement.grantees), grantor, statement.option_only)
            known = list(registry.grants_on(thing.object))
            return registry.with_grants_on(thing.object, revoked(known, gone, thing.owner, cascade=statement.cascade))

        context.work.define(change, context.request)
        return _DONE

    def _change_owner(self, statement: ChangeOwner, context: Context) -> Affected:
        """Give a thing to a user for whom the giver may act: a view reads with the rights of its owner."""
        owner = context.principal.recipient(statement.owner, context.find_identity)

        def change(registry: Registry) -> Registry:
            door = context.door.lasting.onto(registry)
            return registry.owned_by(_thing(statement.thing, context, door, Use.DEFINE), owner.name)

        context.work.define(change, context.request)
        return _DONE

    def _create_policy(self, statement: CreatePolicy, context: Context) -> Affected:
        _check_users(statement.grantees, context)
        table = _policed(statement.table, context, context.door.lasting)
        for condition in filter(None, (statement.using, statement.check)):
            self._check_condition(table, condition, context)

        def change(registry: Registry) -> Registry:
            now = _policed(statement.table, context, context.door.lasting.onto(registry))
            using, check = (None if text is None else str(text) for text in (statement.using, statement.check))
            return registry.with_policy(
                Policy(now.id, statement.name, statement.privileges, statement.grantees, using, check)
            )

        context.work.define(change, context.request)
        return _DONE

    def _drop_policy(self, statement: DropPolicy, context: Context) -> Affected:
        def change(registry: Registry) -> Registry:
            table = _policed(statement.table, context, context.door.lasting.onto(registry))
            key = PolicyKey(table.id, statement.name)
            if key in registry.policies:
                return registry.without_policy(key)
            if statement.if_exists:
                return registry
            raise DatabaseError(ErrorKind.NOT_FOUND, f"policy {statement.name} does not exist on {table.name}")

        context.work.define(change, context.request)
        return _DONE

    def _check_condition(self, table: TableDef, condition: QueryText, context: Context) -> None:
        """Raise unless a condition can be asked of the table's rows, and is true or false."""
        text = QueryText(f"SELECT ({condition}) AS condition FROM {qualified(table.name)}")
        (field,) = self._reader.describe(text, context.unguarded()).schema
        if not pa.types.is_boolean(field.type):
            raise DatabaseError(ErrorKind.INVALID, f"the condition of a policy is true or false, and not {field.type}")


def policies_seen(context: Context) -> pa.Table:
    """The policies of tables that a user may define."""
    door = context.door.lasting
    rows = [
        {
            "namespace": table.name.namespace,
            "table": table.name.table,
            "policy": policy.name,
            "for": ", ".join(sorted(policy.privileges)),
            "to": ", ".join(str(grantee) for grantee in policy.grantees),
            "using": policy.using,
            "check": policy.check,
        }
        for table in door.tables(Use.DEFINE)
        for policy in door.registry.policies_of(table.id)
    ]
    return pa.Table.from_pylist(rows, schema=POLICIES)


def _policed(ref: TableRef, context: Context, door: Door) -> TableDef:
    """The table that policies can be on; INVALID for one in which everybody has their own rows."""
    table = door.table(context.name(ref), Use.DEFINE)
    if table.kind is TableKind.USER:
        raise DatabaseError(
            ErrorKind.INVALID, f"everybody has rows of their own in {table.name}; policies are for SHARED tables"
        )
    return table


def grants_seen(context: Context, statement: ShowGrants = _ALL) -> pa.Table:
    """The grants that a user may see: to them, by them, on what is theirs; whoever oversees the server sees all."""
    door = context.door.lasting
    thing = None
    if statement.thing is not None:
        use = Use.DESCRIBE
        thing = _thing(statement.thing, context, door, use).object
    rows = [
        {
            "type": grant.object.type.value,
            "namespace": found.name if isinstance(found, NamespaceDef) else found.name.namespace,
            "name": None if isinstance(found, NamespaceDef) else found.name.table,
            "privilege": grant.privilege.value,
            "grantee_type": grant.grantee.type.value,
            "grantee": grant.grantee.name or None,
            "grantor": grant.grantor or None,
            "grant_option": grant.grant_option,
        }
        for found, grant in _seen(door, thing)
        if statement.grantee in (None, grant.grantee)
    ]
    rows.sort(key=lambda row: tuple(str(value) for value in row.values()))
    return pa.Table.from_pylist(rows, schema=GRANTS)


def _seen(door: Door, only: ObjectId | None) -> Iterator[tuple[Thing, Granted]]:
    asker = door.asker
    if asker is None:
        return
    mine = set(door.grantees)
    for thing in door.things():
        if only in (None, thing.object):
            for grant in door.registry.grants_on(thing.object):
                is_own = asker.name in (thing.owner, grant.grantor) or grant.grantee in mine
                if is_own or asker.role in OVERSEERS:
                    yield thing, grant


def _thing(ref: TableRef | NamespaceRef, context: Context, door: Door, use: Use) -> Thing:
    """What a statement names; NOT_FOUND when there is nothing that may be used so."""
    if isinstance(ref, NamespaceRef):
        return door.namespace(ref.name, use)
    name: TableName = context.name(ref)
    return door.find_view(name, use) or door.table(name, use)


def _in_the_name_of(
    thing: Thing, wanted: frozenset[Privilege] | None, context: Context, registry: Registry
) -> tuple[frozenset[Privilege], str]:
    """The privileges that a statement is about, and who grants them: the owner, or who has the grant option."""
    if isinstance(thing, TableDef) and thing.kind is TableKind.USER:
        raise DatabaseError(
            ErrorKind.INVALID, f"everybody has rows of their own in {thing.name}, so there is nothing to grant"
        )
    possible = frozenset({Privilege.SELECT}) if isinstance(thing, ViewDef) else frozenset(Privilege)
    privileges = possible if wanted is None else wanted
    for privilege in sorted(privileges - possible):
        raise DatabaseError(ErrorKind.INVALID, f"{privilege} cannot be granted on {thing.name}: a view is only read")
    subject = context.principal.subject
    if subject.name == thing.owner or subject.role in OVERSEERS:
        return privileges, thing.owner
    known = list(registry.grants_on(thing.object))
    held = frozenset(privilege for privilege in privileges if may_pass_on(known, subject.name, privilege))
    if (wanted is not None and held < privileges) or not held:
        missing = ", ".join(sorted(privileges - held))
        raise DatabaseError(
            ErrorKind.DENIED, f"{missing} on {thing.name} can be granted by its owner, and with the grant option"
        )
    return held, subject.name


def _check_users(grantees: tuple[Grantee, ...], context: Context) -> None:
    """Raise NOT_FOUND for a user who does not exist: whoever got the name later would have what was granted."""
    for grantee in grantees:
        if grantee.type is GranteeType.USER and context.find_identity(grantee.name) is None:
            raise DatabaseError(ErrorKind.NOT_FOUND, f"user {grantee.name} does not exist")
