"""EXISTS, IN, ANY and ALL as values: `SELECT EXISTS (…)`, `CASE WHEN x IN (SELECT …) …`.

The engine asks such questions in conditions alone, where it makes joins of them. Anywhere else they are written with
counts, which are values:

    EXISTS («rows»)      (SELECT count(1) FROM «rows») > 0
    x IN («rows»)        CASE true WHEN «count of x» > 0 THEN true
                         WHEN x IS NULL AND «count of all» > 0 OR «count of NULL» > 0 THEN NULL ELSE false END

A sub-query that uses columns of the query around it gets no name of its own, because one with a name knows none of
them; so it must be plain, and `x` must not mean something else within it.

Within a sub-query the engine knows no value of a group that is more than a column, nor a window's. There `x` stays
outside, and is looked for in a list of the rows: `array_has_any((SELECT array_agg(…) FROM «rows»), make_array(x))`,
which brings both to one type, as `array_has` does not.
"""

from typing import NamedTuple

import pyarrow as pa

from catalog.identifiers import quote_identifier
from flightserver.sql.meaning.aggregates import aggregates_all, has_total, is_aggregate, is_one_row
from flightserver.sql.meaning.places import Place, place_of
from flightserver.sql.meaning.repairs.memberships import AS_MEMBERSHIP
from flightserver.sql.meaning.scopes import Scope, Visit
from flightserver.sql.meaning.writing import Writing, row_of
from flightserver.sql.text import tree
from flightserver.sql.text.edits import Written

_ROWS, _COLUMN = quote_identifier("$members"), quote_identifier("$member")
_MEMBER = f"{_ROWS}.{_COLUMN}"

_DATE_AND_MOMENT = {pa.date32(), pa.timestamp("us")}
"""Of which the engine makes moments in nanoseconds, which reach from 1677 to 2262."""

_TIED = (
    "IN (sub-query) of a value made of groups or a window may not use columns of the query around it;"
    " select the value in a sub-query in FROM, and use it by a name"
)

_Membership = tree.InQuery | tree.Quantified


class _Rows(NamedTuple):
    """Rows to be counted: what stands behind SELECT count(1), with or without a condition, and their column.

    What is tied to the query around it has a condition behind what it reads.
    """

    source: str
    condition: str | None
    column: str
    is_tied: bool = False


def write(writing: Writing) -> None:
    """Write questions that are values as counts."""
    if not writing.has("EXISTS", "IN", "ANY", "SOME", "ALL"):
        return
    for exists, found in writing.of_kind(tree.Exists):
        if place_of(found) is not Place.CONDITION:
            _write_existence(writing, exists, found)
    memberships: list[tuple[_Membership, Visit, bool | None]] = [
        *((node, found, node.is_negated) for node, found in writing.of_kind(tree.InQuery)),
        *(
            (node, found, AS_MEMBERSHIP.get((node.operator, node.quantifier)))
            for node, found in writing.of_kind(tree.Quantified)
        ),
    ]
    for node, found, is_negated in memberships:
        is_value = place_of(found) is Place.ITEM or id(node) in writing.hoisted
        if is_negated is not None and is_value and not is_one_row(node.query) and row_of(node.operand) is None:
            _write_membership(writing, node, found, is_negated=is_negated)


def _write_existence(writing: Writing, node: tree.Exists, found: Visit) -> None:
    query = tree.unbracketed(node.query)
    if is_one_row(query):
        return
    is_tied = writing.may_use_outer_columns(query)
    select = _plain(query)
    if is_tied and select is None:
        return

    def written() -> str:
        if select is None:
            rows = _Rows(f"FROM ({writing.edits.text_of(query)}) AS {_ROWS}", None, "")
        else:
            rows = _rows(writing, select, "")
        return f"({_count(rows)} > 0)"

    _write(writing, node, found, written)


def _write_membership(writing: Writing, node: _Membership, found: Visit, *, is_negated: bool) -> None:
    query = tree.unbracketed(node.query)
    is_tied = writing.may_use_outer_columns(query)
    if not _may_move(node.operand, found.scope):
        if is_tied:
            raise writing.unsupported(node, _TIED)
        if not _has_query(node.operand):
            _write(writing, node, found, lambda: _listed(writing, node, found, query, is_negated=is_negated))
        return
    select = _plain(query) if is_tied else None
    if select is None and is_tied:
        return
    asked = _Asked(writing, found.scope)
    if select is not None and (
        len(select.items) != 1 or select.has_groups or not asked.may_stand_in(node.operand, select)
    ):
        return

    def written() -> str:
        operand = f"({asked.text_of(node.operand, select)})"
        if select is None:
            rows = _named(writing, query)
        else:
            rows = _rows(writing, select, f"({writing.edits.text_of(select.items[0].value)})")
        is_there = f"{_count(rows, f'{rows.column} = {operand}')} > 0"
        return _three_valued(is_there, operand, rows, is_negated=is_negated)

    _write(writing, node, found, written)


def _listed(writing: Writing, node: _Membership, found: Visit, query: tree.Query, *, is_negated: bool) -> str:
    rows, operand = _named(writing, query), f"({writing.edits.text_of(node.operand)})"
    columns = writing.columns_of(query) or ()
    types = [writing.type_of(node.operand, found), *(column.type for column in columns)]
    as_moment = "CAST({} AS TIMESTAMP(6))" if set(types) == _DATE_AND_MOMENT else "{}"
    listed = f"(SELECT array_agg({as_moment.format(rows.column)}) {rows.source})"
    is_there = f"({operand} IS NOT NULL AND array_has_any({listed}, make_array({as_moment.format(operand)})))"
    return _three_valued(is_there, operand, rows, is_negated=is_negated)


def _three_valued(is_there: str, operand: str, rows: _Rows, *, is_negated: bool) -> str:
    """Whether a value is among rows, NULL where it or one of them is and it is not found."""
    is_unknown = f"{operand} IS NULL AND {_count(rows)} > 0 OR {_count(rows, f'{rows.column} IS NULL')} > 0"
    exact = f"(CASE true WHEN {is_there} THEN true WHEN {is_unknown} THEN NULL ELSE false END)"
    return f"(NOT {exact})" if is_negated else exact


class _Asked:
    """What is looked for among the rows of a sub-query, as it is written within that."""

    def __init__(self, writing: Writing, scope: Scope) -> None:
        self._writing = writing
        self._scope = scope

    def may_stand_in(self, value: tree.Expression, select: tree.Select) -> bool:
        """Tell whether a value means the same within a SELECT."""
        inner = next(found.scope for node, found in self._writing.of_kind(tree.Select) if node is select)
        names = [node for node in tree.walk(value) if isinstance(node, tree.Name)]
        if isinstance(value, tree.Name):
            return inner.own(self._qualified(value)) is None
        return all(inner.own(name.parts) is None for name in names)

    def text_of(self, value: tree.Expression, select: tree.Select | None) -> str:
        """A value, a column with the name of its source where it would not need one."""
        if select is None or not isinstance(value, tree.Name):
            return self._writing.edits.text_of(value)
        return ".".join(map(quote_identifier, self._qualified(value)))

    def _qualified(self, name: tree.Name) -> tuple[str, ...]:
        origins = self._scope.own(name.parts) or []
        called = origins[0].called if len(origins) == 1 else None
        return name.parts if len(name.parts) > 1 or called is None else (called, *name.parts)


def _write(writing: Writing, node: tree.Expression, found: Visit, written: Written) -> None:
    writing.values.append(node)
    writing.edits.write(node, written)
    writing.keep_name(found, writing.written(node))


def _plain(query: tree.Query) -> tree.Select | None:
    """The SELECT of a query that has a row for some of those that it reads, and nothing that counts them."""
    select = query.body
    if not isinstance(select, tree.Select) or query.common or query.limit_start is not None:
        return None
    has_more = select.having or select.qualify or select.distinct_on or has_total(select) or aggregates_all(select)
    return None if has_more or select.from_start is None else select


def _has_query(value: tree.Expression) -> bool:
    return any(isinstance(node, tree.Query) for node in tree.walk_here(value))


def _may_move(value: tree.Expression, scope: Scope) -> bool:
    """Tell whether a value may be asked for within a sub-query: nothing made of groups, windows or queries."""
    if isinstance(value, tree.Name):
        return True
    nodes = list(tree.walk_here(value))
    select = scope.select
    is_of_groups = select is not None and (select.has_groups or aggregates_all(select))
    return not _has_query(value) and not any(
        (isinstance(node, tree.Call) and (node.is_window or is_aggregate(node)))
        or (is_of_groups and isinstance(node, tree.Name))
        for node in nodes
    )


def _named(writing: Writing, query: tree.Query) -> _Rows:
    return _Rows(f"FROM ({writing.edits.text_of(query)}) AS {_ROWS}({_COLUMN})", None, _MEMBER)


def _rows(writing: Writing, select: tree.Select, column: str) -> _Rows:
    source = writing.edits.text_between(select.from_start or 0, select.from_end)
    condition = None if select.where is None else writing.edits.text_of(select.where)
    return _Rows(source, condition, column, id(select) in writing.tied)


def _count(rows: _Rows, condition: str | None = None) -> str:
    conditions = [f"({part})" for part in (rows.condition, condition) if part is not None]
    word = "AND" if rows.is_tied else "WHERE"
    asked = f" {word} {' AND '.join(conditions)}" if conditions else ""
    return f"(SELECT count(1) {rows.source}{asked})"
