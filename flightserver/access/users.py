"""Who may manage which users: one table, one function that asks it. Knows nothing of what is stored."""

from enum import Enum, unique

from catalog.errors import DatabaseError, ErrorKind
from catalog.roles import Identity, Role


@unique
class UserAction(Enum):
    """What can be done with a user; the value completes an error."""

    CREATE = "create"
    SET_PASSWORD = "set the password of"  # noqa: S105 - the name of an action
    SET_ROLE = "set the role of"
    SWITCH = "enable or disable"
    SET_LIMIT = "set limits of"
    DROP = "drop"
    CREATE_TOKEN = "create tokens for"  # noqa: S105 - the name of an action
    DROP_TOKEN = "drop tokens of"  # noqa: S105 - the name of an action


_MANAGED = {
    Role.SYSTEM: frozenset(Role),
    Role.DBA: frozenset({Role.USER, Role.SERVICE}),
    Role.SERVICE: frozenset[Role](),
    Role.USER: frozenset[Role](),
}
"""Whose records somebody with a role manages."""

_OWN = frozenset({UserAction.SET_PASSWORD, UserAction.CREATE_TOKEN, UserAction.DROP_TOKEN})
"""What everybody may do with their own."""


def allows(actor: Role, action: UserAction, target: Role, *, own: bool) -> bool:
    """Tell whether a role may do this with a user of another role, or with its own user."""
    return target in _MANAGED[actor] or (own and action in _OWN)


def manages_anybody(actor: Role) -> bool:
    """Tell whether a role manages any other users at all."""
    return bool(_MANAGED[actor])


def refusal(actor: Identity, action: UserAction, name: str) -> DatabaseError:
    """What somebody is told who may not do this."""
    whom = "itself so" if name == actor.name else name
    return DatabaseError(
        ErrorKind.DENIED, f"{actor.name} has the role {actor.role.value} and may not {action.value} {whom}"
    )
