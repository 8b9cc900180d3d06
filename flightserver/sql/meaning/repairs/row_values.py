"""Rows of values that are compared: `(a, b) = (1, 2)`, `(a, b) < (c, d)`, and IN with a list of rows or a sub-query.

DataFusion compares them as structs, to which NULL is a value: it says false of `(1, NULL) = (1, 2)`, and NOT IN lets
through what it should not. A sub-query of several columns it does not take. So each value is compared by itself:

    (a, b) = (c, d)              a = c AND b = d
    (a, b) < (c, d)              a < c OR (a = c AND b < d)
    (a, b) = (SELECT x, y …)     a = (SELECT m.x FROM (SELECT x, y …) m(x, y)) AND b = (SELECT m.y FROM …)
    (a, b) IN (SELECT x, y …)    EXISTS (SELECT 1 FROM (SELECT x, y …) m(x, y) WHERE m.x = a AND m.y = b)
    (a, b) NOT IN (SELECT …)     NOT EXISTS (… WHERE (m.x = a) IS NOT FALSE AND (m.y = b) IS NOT FALSE)

The latter two are what a condition needs, which takes NULL for false; as values they are refused.
"""

from functools import partial

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import quote_identifier
from flightserver.sql.meaning.aggregates import is_aggregate
from flightserver.sql.meaning.places import Place, place_of
from flightserver.sql.meaning.repairs.memberships import AS_MEMBERSHIP, Use, use_of
from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import COMPARISONS, Writing, row_of
from flightserver.sql.text import tree

DEPTH_MAX = 4
"""How deep comparisons of rows may stand in each other: their values are written twice."""

ROWS_MAX, ROWS_OF_QUERIES_MAX = 1_000, 20
"""How many rows a list has, and how many if what is compared with them asks sub-queries, each of them for each row."""

_MEMBERS = quote_identifier("$members")
_DEEP = f"comparisons of rows are nested more than {DEPTH_MAX} times"
_LONG = "the list of rows behind IN is too long; write a join with VALUES"
_UNEQUAL = "rows that are compared have as many values as each other"
_AS_VALUE = (
    "IN with a row and a sub-query stands in WHERE and HAVING alone, NOT IN beside nothing but AND; write EXISTS"
)
_ONE_ROW = (
    "the sub-query that is compared with a row may not use columns of the outer query, and has no LIMIT;"
    " write EXISTS, or LATERAL in FROM"
)
_TIED = "the sub-query behind a row and IN may not use columns of the outer query; write EXISTS"
_INNER = "a row in front of IN (sub-query) may have no sub-queries, aggregates and windows; select them in FROM"

Row = tuple[tree.Expression, ...]


def repair(writing: Writing) -> None:
    """Compare value by value."""
    for node, found in writing.of_kind(tree.Binary):
        left, right = row_of(node.left), row_of(node.right)
        if node.operator not in COMPARISONS:
            continue
        if left is not None and right is not None:
            _bound(found)
            _check(writing, node, left, right)
            writing.edits.write(node, partial(_compared, writing, node.operator, left, right))
            writing.keep_name(found, writing.written(node))
        elif left is not None or right is not None:
            _of_one_row(writing, node, found, left, right)
    for case, found in writing.of_kind(tree.Case):
        _of_case(writing, case, found)
    for between, found in writing.of_kind(tree.Between):
        _of_bounds(writing, between, found)
    for listed, found in writing.of_kind(tree.InList):
        _of_list(writing, listed, found)
    for asked, found in writing.of_kind(tree.InQuery):
        _of_query(writing, asked, found, is_negated=asked.is_negated)
    for one, found in writing.of_kind(tree.Quantified):
        _of_query(writing, one, found, is_negated=AS_MEMBERSHIP.get((one.operator, one.quantifier)))


def _bound(found: Visit) -> None:
    within = sum(_is_of_rows(above.node) for above in found.ancestors())
    if within >= DEPTH_MAX:
        raise DatabaseError(ErrorKind.RESOURCES, _DEEP)


def _is_of_rows(node: tree.Node) -> bool:
    match node:
        case tree.Binary(left=left, right=right):
            return row_of(left) is not None or row_of(right) is not None
        case tree.InList(operand=left) | tree.Between(operand=left):
            return row_of(left) is not None
        case tree.Case(operand=operand):
            return operand is not None and row_of(operand) is not None
    return False


def _check(writing: Writing, node: tree.Node, left: Row, right: Row) -> None:
    if len(left) != len(right):
        raise DatabaseError(ErrorKind.INVALID, _UNEQUAL)
    if any(row_of(value) is not None for value in (*left, *right)):
        raise writing.unsupported(node, "rows of values within rows are not compared; compare their values")


def _compared(writing: Writing, operator: str, left: Row, right: Row) -> str:
    """What a comparison of two rows says of their values."""
    return _pairwise(operator, _texts(writing, left), _texts(writing, right))


def _texts(writing: Writing, row: Row) -> list[str]:
    return [f"({writing.edits.text_of(value)})" for value in row]


def _pairwise(operator: str, left: list[str], right: list[str]) -> str:
    pairs = list(zip(left, right, strict=True))
    if operator in {"=", "==", "IS NOT DISTINCT FROM"}:
        return f"({' AND '.join(f'({mine} {operator} {other})' for mine, other in pairs)})"
    if operator in {"<>", "!=", "IS DISTINCT FROM"}:
        return f"({' OR '.join(f'({mine} {operator} {other})' for mine, other in pairs)})"
    mine, other = pairs[-1]
    written = f"({mine} {operator} {other})"
    for mine, other in reversed(pairs[:-1]):
        written = f"({mine} {operator[0]} {other} OR ({mine} = {other} AND {written}))"
    return written


def _of_one_row(writing: Writing, node: tree.Binary, found: Visit, left: Row | None, right: Row | None) -> None:
    """A row and the only one of a sub-query: none is NULL, more are an error, as for each of its values."""
    row, other = (left, node.right) if left is not None else (right, node.left)
    while isinstance(other, tree.Brackets) and len(other.items) == 1:
        other = other.items[0]
    if row is None or not isinstance(other, tree.ScalarQuery):
        return
    query = other.query
    columns = writing.columns_of(query)
    if columns is not None and len(columns) != len(row):
        raise DatabaseError(ErrorKind.INVALID, _UNEQUAL)
    if writing.may_use_outer_columns(query) or tree.unbracketed(query).limit_start is not None:
        raise writing.unsupported(node, _ONE_ROW)
    _bound(found)
    names = [quote_identifier(f"$member {number}") for number in range(1, len(row) + 1)]

    def written() -> str:
        rows = f"({writing.edits.text_of(query)}) AS {_MEMBERS}({', '.join(names)})"
        values = [f"(SELECT {_MEMBERS}.{name} FROM {rows})" for name in names]
        mine = _texts(writing, row)
        return _pairwise(node.operator, mine, values) if left is not None else _pairwise(node.operator, values, mine)

    writing.edits.write(node, written)
    writing.keep_name(found, writing.written(node))


def _of_case(writing: Writing, case: tree.Case, found: Visit) -> None:
    """`CASE (a, b) WHEN (1, 2) THEN …`: the first of which all values are equal."""
    row = None if case.operand is None else row_of(case.operand)
    if case.operand is None or row is None:
        return
    _bound(found)
    for asked, _ in case.branches:
        other = row_of(asked)
        if other is None:
            raise writing.unsupported(asked, "CASE of a row of values compares it with rows of values")
        _check(writing, case, row, other)
        writing.edits.write(asked, partial(_compared, writing, "=", row, other))
    writing.edits.write(case.operand, lambda: "true")
    writing.keep_name(found, writing.written(case))


def _of_bounds(writing: Writing, node: tree.Between, found: Visit) -> None:
    value, low, high = row_of(node.operand), row_of(node.low), row_of(node.high)
    if value is None or low is None or high is None:
        return
    if node.order:
        raise writing.unsupported(node, f"BETWEEN {node.order} does not take rows of values")
    _bound(found)
    _check(writing, node, value, low)
    _check(writing, node, value, high)

    def written() -> str:
        is_between = f"({_compared(writing, '>=', value, low)} AND {_compared(writing, '<=', value, high)})"
        return f"(NOT {is_between})" if node.is_negated else is_between

    writing.edits.write(node, written)
    writing.keep_name(found, writing.written(node))


def _of_list(writing: Writing, node: tree.InList, found: Visit) -> None:
    left = row_of(node.operand)
    rows = [row for row in map(row_of, node.items) if row is not None]
    if left is None or len(rows) < len(node.items):
        return
    has_queries = any(isinstance(part, tree.Query) for part in tree.walk(node.operand))
    if len(rows) > (ROWS_OF_QUERIES_MAX if has_queries else ROWS_MAX):
        raise DatabaseError(ErrorKind.RESOURCES, _LONG)
    _bound(found)
    for row in rows:
        _check(writing, node, left, row)

    def written() -> str:
        is_in = _any([_compared(writing, "=", left, row) for row in rows])
        return f"(NOT {is_in})" if node.is_negated else is_in

    writing.edits.write(node, written)
    writing.keep_name(found, writing.written(node))


def _any(conditions: list[str]) -> str:
    """One of the conditions, in a tree that is no deeper than it must be."""
    if len(conditions) == 1:
        return conditions[0]
    half = len(conditions) // 2
    return f"({_any(conditions[:half])} OR {_any(conditions[half:])})"


def _of_query(writing: Writing, node: tree.InQuery | tree.Quantified, found: Visit, *, is_negated: bool | None) -> None:
    left = row_of(node.operand)
    if left is None:
        return
    use = Use.VALUE if is_negated is None else use_of(found, is_negated=is_negated)
    columns = writing.columns_of(node.query)
    if columns is not None and len(columns) != len(left):
        raise DatabaseError(ErrorKind.INVALID, _UNEQUAL)
    if is_negated is None or use is Use.VALUE or place_of(found) is not Place.CONDITION:
        raise writing.unsupported(node, _AS_VALUE)
    if writing.may_use_outer_columns(node.query):
        raise writing.unsupported(node, _TIED)
    if any(
        isinstance(part, tree.Query) or (isinstance(part, tree.Call) and (part.is_window or is_aggregate(part)))
        for value in left
        for part in tree.walk(value)
    ):
        raise writing.unsupported(node, _INNER)
    names = [quote_identifier(f"$member {number}") for number in range(1, len(left) + 1)]
    test = " IS NOT FALSE" if is_negated else ""

    def written() -> str:
        same = [
            f"({_MEMBERS}.{name} = ({writing.edits.text_of(value)})){test}"
            for name, value in zip(names, left, strict=True)
        ]
        rows = f"({writing.edits.text_of(node.query)}) AS {_MEMBERS}({', '.join(names)})"
        word = "NOT EXISTS" if is_negated else "EXISTS"
        return f"({word} (SELECT 1 FROM {rows} WHERE {' AND '.join(same)}))"

    writing.edits.write(node, written)
