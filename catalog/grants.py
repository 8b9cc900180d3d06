"""Grants: who may do what with an object that is not theirs. Values and pure functions.

Invariants:
- A grant names its object by kind and id, never by name: a new object of an old name has no grants.
- Whoever granted something is the owner of the object, or holds it with the grant option by a chain that begins with
  the owner. What loses its chain goes with it.
- Only users hold the grant option; a role or PUBLIC cannot grant anything on.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import NamedTuple

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import display_identifier


@unique
class Privilege(StrEnum):
    """What can be granted. On a namespace it is for every table and view in it."""

    SELECT = "SELECT"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


@unique
class ObjectType(StrEnum):
    """What things of the catalog are."""

    NAMESPACE = "namespace"
    TABLE = "table"
    VIEW = "view"


@unique
class GranteeType(StrEnum):
    """To whom something can be granted."""

    PUBLIC = "public"
    ROLE = "role"
    USER = "user"


class ObjectId(NamedTuple):
    """A thing of the catalog, whatever its name."""

    type: ObjectType
    id: int


class Grantee(NamedTuple):
    """A user or a role by name, or everybody (whose name is empty)."""

    type: GranteeType
    name: str

    def __str__(self) -> str:
        if self.type is GranteeType.PUBLIC:
            return "PUBLIC"
        return f"ROLE {self.name}" if self.type is GranteeType.ROLE else display_identifier(self.name)


EVERYBODY = Grantee(GranteeType.PUBLIC, "")


class GrantKey(NamedTuple):
    """What a grant is of. Those of one object are neighbours in their order."""

    object: ObjectId
    privilege: Privilege
    grantee: Grantee
    grantor: str


@dataclass(frozen=True)
class Grant:
    """A privilege that somebody has from somebody; with `grant_option`, to be passed on."""

    object: ObjectId
    privilege: Privilege
    grantee: Grantee
    grantor: str
    grant_option: bool = False

    @property
    def key(self) -> GrantKey:
        """What it is known by."""
        return GrantKey(self.object, self.privilege, self.grantee, self.grantor)


@dataclass(frozen=True)
class Revocation:
    """What is taken back: from whom, what, by whom, and whether it is the grant option alone."""

    privileges: frozenset[Privilege]
    grantees: frozenset[Grantee]
    grantor: str
    option_only: bool = False

    def applies(self, grant: Grant) -> bool:
        """Tell whether a grant is one of those."""
        return grant.privilege in self.privileges and grant.grantee in self.grantees and grant.grantor == self.grantor


def revoked(known: Sequence[Grant], revocation: Revocation, owner: str, *, cascade: bool) -> list[Grant]:
    """The grants of an object that are left. INVALID without `cascade` when somebody has granted on what goes."""
    kept = []
    for grant in known:
        if not revocation.applies(grant):
            kept.append(grant)
        elif revocation.option_only:
            kept.append(Grant(grant.object, grant.privilege, grant.grantee, grant.grantor))
    rest = _with_a_chain(kept, owner)
    if len(rest) < len(kept) and not cascade:
        (lost, *_) = (grant for grant in kept if grant not in rest)
        raise DatabaseError(
            ErrorKind.INVALID, f"{lost.privilege} was granted on, to {lost.grantee}; use CASCADE to take it back, too"
        )
    return rest


def handed_over(known: Iterable[Grant], old: str, new: str) -> list[Grant]:
    """The grants of an object that has another owner now, who takes the place of the old one."""
    moved = [
        Grant(grant.object, grant.privilege, grant.grantee, new, grant.grant_option) if grant.grantor == old else grant
        for grant in known
    ]
    return list({grant.key: grant for grant in moved}.values())


def may_pass_on(known: Iterable[Grant], user: str, privilege: Privilege) -> bool:
    """Tell whether a user holds a privilege with the grant option."""
    holder = Grantee(GranteeType.USER, user)
    return any(g.grant_option and g.privilege is privilege and g.grantee == holder for g in known)


def _with_a_chain(grants: Collection[Grant], owner: str) -> list[Grant]:
    """Those that come from the owner, directly or by grant options."""
    reached: set[GrantKey] = set()
    frontier: list[tuple[str, Privilege]] = [(owner, privilege) for privilege in Privilege]
    seen = set(frontier)
    while frontier:
        for grant in _granted_by(grants, *frontier.pop()):
            reached.add(grant.key)
            following = grant.grantee.name, grant.privilege
            if grant.grant_option and grant.grantee.type is GranteeType.USER and following not in seen:
                seen.add(following)
                frontier.append(following)
    return [grant for grant in grants if grant.key in reached]


def _granted_by(grants: Iterable[Grant], grantor: str, privilege: Privilege) -> Iterator[Grant]:
    return (grant for grant in grants if grant.grantor == grantor and grant.privilege is privilege)
