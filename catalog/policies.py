"""Row policies: which rows of a SHARED table somebody may see and write. Values only.

Invariants:
- A policy names its table by id, so that a new table of an old name has none.
- Policies of a table are alternatives: a row that one of them allows is allowed. Once a table has one, what none allows
  is not.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from catalog.grants import Grantee, Privilege


class PolicyKey(NamedTuple):
    """A policy of a table. Those of one table are neighbours in their order."""

    table_id: int
    name: str


@dataclass(frozen=True)
class Policy:
    """A condition on rows, for some privileges of some users.

    `using` is asked of rows that are there, `check` of rows that are written; where that is None, it is `using`.
    """

    table_id: int
    name: str
    privileges: frozenset[Privilege]
    grantees: tuple[Grantee, ...]
    using: str | None
    check: str | None

    @property
    def key(self) -> PolicyKey:
        """What it is known by."""
        return PolicyKey(self.table_id, self.name)

    @property
    def conditions(self) -> list[str]:
        """All its texts."""
        return [text for text in (self.using, self.check) if text is not None]


def conditions_on_rows(policies: Iterable[Policy], privilege: Privilege, grantees: Collection[Grantee]) -> list[str]:
    """The conditions of which a row that is there must satisfy one."""
    return [p.using for p in _that_apply(policies, privilege, grantees) if p.using is not None]


def conditions_on_writing(policies: Iterable[Policy], privilege: Privilege, grantees: Collection[Grantee]) -> list[str]:
    """The conditions of which a row that is written must satisfy one."""
    found = (p.check or p.using for p in _that_apply(policies, privilege, grantees))
    return [condition for condition in found if condition is not None]


def _that_apply(policies: Iterable[Policy], privilege: Privilege, grantees: Collection[Grantee]) -> list[Policy]:
    return [p for p in policies if privilege in p.privileges and not set(grantees).isdisjoint(p.grantees)]
