"""What a text may take for granted of its tables' columns, where their rows are known to be so.

A repair that costs something asks for a claim, and leaves out what it would write where the claim is trusted. Whether a
snapshot holds it is found out when the query runs, by ranges of columns; a text is written once in each way.
"""

from enum import Enum, unique
from typing import NamedTuple

from catalog.identifiers import TableName
from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.text import tree


@unique
class Fact(Enum):
    """What is claimed of a column."""

    SMALL_SUM = "no sum of its values is beyond BIGINT"
    FINITE = "it has neither NaN nor an infinity"


class Claim(NamedTuple):
    """A fact of a column of a table."""

    fact: Fact
    table: TableName
    column: str


def claim_of(fact: Fact, value: tree.Expression, found: Visit) -> Claim | None:
    """What is to be claimed of a value; None where it is not just a column of one relation that has a name."""
    owner = found.scope.find(value.parts) if isinstance(value, tree.Name) else None
    if owner is None or len(owner[1]) != 1 or not isinstance(value, tree.Name):
        return None
    (origin,) = owner[1]
    if origin.relation is None or origin.column(value.parts[-1]) is None:
        return None
    return Claim(fact, origin.relation.name, value.parts[-1])
