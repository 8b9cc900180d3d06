"""Where a sub-query stands, as far as the engine tells such places apart."""

from enum import Enum, unique
from typing import NamedTuple

from flightserver.sql.meaning.aggregates import is_aggregate
from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.text import tree


@unique
class Place(Enum):
    """What a sub-query is a part of."""

    CONDITION = "WHERE, HAVING or QUALIFY: the engine makes a join of it"
    ITEM = "what a SELECT selects: only what is one value by nature can stand there"
    INSIDE = "an aggregate, a window, ON, ORDER BY, GROUP BY or VALUES: nothing that uses columns of a query can"


class Found(NamedTuple):
    """A place, and the part of a query that makes it one."""

    place: Place
    within: tree.Node | None


def place_of(found: Visit) -> Place:
    """The place of a node, by what it stands in."""
    return find_place(found).place


def find_place(found: Visit) -> Found:
    """The place of a node, and what it stands in there."""
    below = found.node
    for above in found.ancestors():
        node = above.node
        match node:
            case tree.Call() if node.is_window or is_aggregate(node):
                return Found(Place.INSIDE, node)
            case tree.Item():
                return Found(Place.ITEM, node)
            case tree.Select():
                is_condition = below in (node.where, node.having, node.qualify)
                return Found(Place.CONDITION if is_condition else Place.INSIDE, node)
            case tree.Join() | tree.Query() | tree.Values() | tree.CallSource():
                return Found(Place.INSIDE, node)
        below = node
    return Found(Place.INSIDE, None)
