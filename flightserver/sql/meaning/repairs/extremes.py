"""max and min of doubles in groups: DataFusion 55 begins with the least and greatest finite number, and skips NaN.

So the greatest of nothing but -Infinity is -1.8e308, and the greatest of a NaN and 1 is that which comes last. Whether
there is a NaN, and anything but the extreme, is asked for beside; a NaN is greater than all, as in PostgreSQL. Where a
sub-query would be written several times for that, the places of doubles in their order are asked for instead. A
sub-query that uses columns of the outer query becomes groups, too.
"""

import pyarrow as pa

from flightserver.sql.meaning.aggregates import is_aggregate
from flightserver.sql.meaning.claims import Fact
from flightserver.sql.meaning.scopes import Scope
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_NAN, _GREATEST, _LEAST = (f"CAST('{name}' AS DOUBLE)" for name in ("NaN", "Infinity", "-Infinity"))


def repair(writing: Writing) -> None:
    """Ask for what tells the extreme from where the engine begins."""
    for call, found in writing.of_kind(tree.Call):
        if call.name not in {"max", "min"} or len(call.arguments) != 1 or not is_aggregate(call):
            continue
        known = writing.type_of(call.arguments[0], found)
        if known is None or not pa.types.is_floating(known) or not _may_be_grouped(found.scope):
            continue
        if writing.trusts(Fact.FINITE, call.arguments[0], found):
            writing.keep_name(found, writing.written(call))
            continue
        if any(isinstance(node, tree.Query) for node in tree.walk(call)):
            _ask_places(writing, call)
        else:
            _ask_beside(writing, call)
        if pa.types.is_float32(known):
            writing.edits.wrap(call, "CAST(", " AS REAL)")
        writing.keep_name(found, writing.written(call))


def _may_be_grouped(scope: Scope) -> bool:
    return scope.outer is not None or (scope.select is not None and scope.select.has_groups)


def _ask_places(writing: Writing, call: tree.Call) -> None:
    def written() -> str:
        value = writing.edits.text_of(call.arguments[0])
        condition = "" if call.condition is None else f" FILTER (WHERE {writing.edits.text_of(call.condition)})"
        return f"double_at({call.name}(double_place({value})){condition})"

    writing.edits.write(call, written)


def _ask_beside(writing: Writing, call: tree.Call) -> None:
    def written() -> str:
        value = f"({writing.edits.text_of(call.arguments[0])})"
        condition = "" if call.condition is None else f" FILTER (WHERE {writing.edits.text_of(call.condition)})"

        def any_is(what: str) -> str:
            return f"(bool_or({what}){condition})"

        if call.name == "max":
            return (
                f"(CASE WHEN {any_is(f'isnan({value})')} THEN {_NAN}"
                f" WHEN {any_is(f'{value} > {_LEAST}')} IS FALSE THEN {_LEAST} ELSE max({value}){condition} END)"
            )
        return (
            f"(CASE WHEN {any_is(f'{value} < {_GREATEST}')}"
            f" THEN min(CASE WHEN NOT isnan({value}) THEN {value} END){condition}"
            f" WHEN {any_is(f'{value} = {_GREATEST}')} THEN {_GREATEST} ELSE min({value}){condition} END)"
        )

    writing.edits.write(call, written)
