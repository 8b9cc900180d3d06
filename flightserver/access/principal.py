"""Who a statement is of: who sent it, and whose rows and rights it has. One frozen value, made where a call arrives."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from catalog.errors import DatabaseError, ErrorKind
from catalog.roles import Identity, Role
from flightserver.access.rights import ACTING, JOBS, OVERSEERS, may_act_for

FindIdentity = Callable[[str], Identity | None]
"""Finds a user who exists and is not disabled, by name."""


def only_themselves(_: str) -> Identity | None:
    """Finds nobody: for work that is of one user alone."""
    return None


@dataclass(frozen=True)
class Principal:
    """The `actor` is logged in; the `subject` is whose rows, rights and limits a statement has. Mostly they are one.

    `is_named` says that a statement names its subject by AS USER. Who is `read_only` changes nothing, whatever their
    role.
    """

    actor: Identity
    subject: Identity
    is_named: bool = False
    read_only: bool = False

    @classmethod
    def of(cls, name: str, role: Role = Role.USER, *, read_only: bool = False) -> "Principal":
        """Somebody who acts for nobody else."""
        identity = Identity(name, role)
        return cls(identity, identity, read_only=read_only)

    @property
    def user(self) -> str:
        """The name of the subject."""
        return self.subject.name

    @property
    def is_admin(self) -> bool:
        """Tell whether the subject looks after the server."""
        return self.subject.role in OVERSEERS

    def may_see(self, user: str) -> bool:
        """Tell whether the subject may see and end what sessions and statements of a user do."""
        return self.is_admin or user == self.user

    def may_see_job(self, asked_by: str) -> bool:
        """Tell whether the subject may see and end a job; `asked_by` is empty for what nobody asked for."""
        return self.subject.role in JOBS.roles or (JOBS.owner and asked_by == self.user)

    def acting_for(self, name: str, find: FindIdentity) -> "Principal":
        """Who the actor is for a user. DENIED, in one way, for who is not there and for whom the actor may not act.

        The actor is judged first, so that those who may act for nobody learn nothing, not even by how long it takes.
        """
        if name == self.actor.name:
            return replace(self, subject=self.actor, is_named=True)
        subject = _below(self.actor, name, find)
        if subject is None:
            raise DatabaseError(
                ErrorKind.DENIED, f"AS USER {name!r}: there is no user of that name for whom {self.actor.name} may act"
            )
        return replace(self, subject=subject, is_named=True)

    def recipient(self, name: str, find: FindIdentity) -> Identity:
        """Who gets what the subject gives away: themselves, or somebody for whom they may act. DENIED for others."""
        found = self.subject if name == self.subject.name else _below(self.subject, name, find)
        if found is None:
            raise DatabaseError(
                ErrorKind.DENIED, f"there is no user {name!r} to whom {self.user} may give what they own"
            )
        return found


def _below(actor: Identity, name: str, find: FindIdentity) -> Identity | None:
    """A user for whom the actor may act. Who may act for nobody is answered without a look."""
    found = find(name) if ACTING[actor.role] else None
    return found if found is not None and may_act_for(actor.role, found.role) else None
