"""What would be left of a user who is dropped: rows, things, grants. Whoever asks, and whatever that one may see.

Nothing may be left under the name: the next user of that name would have it.
"""

from collections.abc import Iterator

from catalog.definition import NamespaceDef, TableDef, TableKind, ViewDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import Grantee, GranteeType, Privilege, Revocation, revoked
from catalog.registry import Registry


def user_tables(registry: Registry) -> Iterator[TableDef]:
    """All tables in which somebody may have rows of their own."""
    return (table for table in registry.tables.values() if table.kind is TableKind.USER)


def refuse_owner(registry: Registry, user: str) -> None:
    """Raise INVALID when a table, a view or a namespace belongs to a user, or a policy names one."""
    policy = next((p for p in registry.policies.values() if Grantee(GranteeType.USER, user) in p.grantees), None)
    if policy is not None:
        raise DatabaseError(ErrorKind.INVALID, f"the policy {policy.name} names {user}; drop it first")
    found = next((thing for thing in _things(registry) if thing.owner == user), None)
    if found is not None:
        raise DatabaseError(
            ErrorKind.INVALID, f"{user} owns {found.name}; give it to somebody else with OWNER TO, or drop it, first"
        )


def without_grants_to(registry: Registry, user: str) -> Registry:
    """The definitions without what was granted to a user, and what rested on that."""
    grantees = frozenset({Grantee(GranteeType.USER, user)})
    for thing in _things(registry) if registry.grants else ():
        known = list(registry.grants_on(thing.object))
        for grantor in {grant.grantor for grant in known if grant.grantee in grantees}:
            gone = Revocation(frozenset(Privilege), grantees, grantor)
            known = revoked(known, gone, thing.owner, cascade=True)
        registry = registry.with_grants_on(thing.object, known)
    return registry


def _things(registry: Registry) -> Iterator[NamespaceDef | TableDef | ViewDef]:
    yield from registry.namespaces.values()
    yield from registry.tables.values()
    yield from registry.views.values()
