"""Who a statement is of: who sent it, and whose rows and rights it has. One frozen value, made where a call arrives."""

from dataclasses import dataclass

from catalog.roles import Identity, Role

_SEES_ALL = frozenset({Role.DBA, Role.SYSTEM})
"""Who looks after the server: sees and ends what others do."""


@dataclass(frozen=True)
class Principal:
    """The `actor` is logged in; the `subject` is whose rows, rights and limits a statement has. Mostly they are one."""

    actor: Identity
    subject: Identity

    @classmethod
    def of(cls, name: str, role: Role = Role.USER) -> "Principal":
        """Somebody who acts for nobody else."""
        identity = Identity(name, role)
        return cls(identity, identity)

    @property
    def user(self) -> str:
        """The name of the subject."""
        return self.subject.name

    @property
    def is_admin(self) -> bool:
        """Tell whether the subject looks after the server."""
        return self.subject.role in _SEES_ALL

    def may_see(self, user: str) -> bool:
        """Tell whether the subject may see and end what sessions and statements of a user do."""
        return self.is_admin or user == self.user
