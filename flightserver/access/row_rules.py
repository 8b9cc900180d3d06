"""What row policies say to one user of one table: a condition that rows must satisfy, as SQL."""

from collections.abc import Iterable
from dataclasses import dataclass

from catalog.definition import TableDef, TableKind
from catalog.grants import Privilege
from catalog.policies import Policy, conditions_on_rows, conditions_on_writing
from catalog.roles import Identity
from flightserver.access.door import Door
from flightserver.access.rights import OVERSEERS

NOTHING = "FALSE"


@dataclass(frozen=True)
class RowRule:
    """The rows that somebody may have of a table: those for which the condition is true."""

    condition: str


def rule_on_rows(door: Door, table: TableDef, *privileges: Privilege) -> RowRule | None:
    """Which rows that are there somebody may use in all of these ways; None where no policy stands between."""
    policies = _between(door, table)
    if policies is None:
        return None
    each = [_any(conditions_on_rows(policies, privilege, door.grantees)) for privilege in privileges]
    return RowRule(" AND ".join(each))


def rule_on_writing(door: Door, table: TableDef, privilege: Privilege) -> RowRule | None:
    """Which rows somebody may write; None where no policy stands between."""
    policies = _between(door, table)
    return None if policies is None else RowRule(_any(conditions_on_writing(policies, privilege, door.grantees)))


def _between(door: Door, table: TableDef) -> list[Policy] | None:
    """The policies of a table, when it has any and they are for the asker, too."""
    if table.kind is not TableKind.SHARED or not door.registry.policies:
        return None
    policies = door.registry.policies_of(table.id)
    asker: Identity | None = door.asker
    if not policies or (asker is not None and (asker.role in OVERSEERS or asker.name == table.owner)):
        return None
    return policies


def _any(conditions: Iterable[str]) -> str:
    """One of the conditions is true. A NULL is not."""
    return "(" + (" OR ".join(f"coalesce(({condition}), FALSE)" for condition in conditions) or NOTHING) + ")"
