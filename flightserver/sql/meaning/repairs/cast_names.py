"""`sum(CAST(k AS INT))` beside `sum(k)`: DataFusion calls a cast what it casts, and takes no two values of one name.

So does it with groups, windows and DISTINCT. Where two such values of a SELECT differ in their casts alone, a coalesce
of nothing else stands around the casts: it says the same, and has a name.
"""

from collections import defaultdict

from flightserver.sql.meaning.aggregates import is_aggregate
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Give casts names."""
    casts: defaultdict[int, list[tree.Cast]] = defaultdict(list)
    for cast, found in writing.of_kind(tree.Cast):
        casts[id(found.scope)].append(cast)
    if not casts:
        return
    named: defaultdict[int, list[tree.Expression]] = defaultdict(list)
    for call, found in writing.of_kind(tree.Call):
        if is_aggregate(call) or call.is_window:
            named[id(found.scope)].append(call)
    for select, found in writing.of_kind(tree.Select):
        values = [*named[id(found.scope)], *select.group_by]
        if len(values) > 1 and _meet(writing, values):
            _wrap(writing, select, casts[id(found.scope)])


def _meet(writing: Writing, values: list[tree.Expression]) -> bool:
    """Tell whether values differ in nothing but casts."""
    texts = {writing.keys_of(value) for value in values}
    return len({writing.engine_name_of(value) for value in values}) < len(texts)


def _wrap(writing: Writing, select: tree.Select, casts: list[tree.Cast]) -> None:
    end = select.from_end if select.where is None else select.where.end
    read = range(select.from_start or 0, end if select.from_start is not None else 0)
    depths: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for cast in casts:
        if cast.start not in read:
            known = depths[writing.engine_name_of(cast)]
            depth = known.setdefault(writing.keys_of(cast), len(known) + 1)
            writing.edits.wrap(cast, "coalesce(" * depth, ")" * depth)
    for cast, found in writing.of_kind(tree.Cast):
        if any(item.value is cast for item in select.items):
            writing.keep_name(found, writing.written(cast.operand))
