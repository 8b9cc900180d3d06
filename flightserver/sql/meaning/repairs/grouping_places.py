"""A number in ROLLUP, CUBE or GROUPING SETS is the place of an item, as it is in GROUP BY itself.

DataFusion 55 takes it for a constant there. The item is written in its place.
"""

from collections.abc import Iterator
from functools import partial

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Write items."""
    if not writing.has("ROLLUP", "CUBE", "SETS"):
        return
    for select, _ in writing.of_kind(tree.Select):
        for place in (place for group in select.group_by for place in _places(group, within=False)):
            number = int(writing.written(place))
            if not 1 <= number <= len(select.items):
                raise writing.unsupported(place, f"there is no item {number} to group by")
            writing.edits.write(place, partial(writing.edits.text_of, select.items[number - 1].value))


def _places(group: tree.Expression, *, within: bool) -> Iterator[tree.Literal]:
    """The numbers in something that makes sets of groups."""
    match group:
        case tree.Literal(kind="integer") if within:
            yield group
        case tree.Call(name="cube" | "rollup", arguments=parts) | tree.Compound(what="GROUPING SETS", parts=parts):
            yield from (place for part in parts for place in _places(part, within=True))
        case tree.Brackets(items=items) if within:
            yield from (place for item in items for place in _places(item, within=True))
