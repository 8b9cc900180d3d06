"""Comparisons with the rows of a sub-query (`x IN (…)`, `x < ANY (…)`) that DataFusion 55 answers wrong.

As a condition by itself or beside AND, `x IN (…)` and `x NOT IN (…)` become joins that know NULL. Anywhere else the
engine asks a mark join, which says false where SQL says NULL, so that `NOT IN` and its kin let through rows that they
should not. The same goes for `NOT IN` of a constant, and of a sub-query that uses columns of the outer query. There a
comparison is written as

    CASE true WHEN x IN (…) THEN true
         WHEN x IS NULL AND EXISTS («a row of the sub-query») OR EXISTS («a NULL in it») THEN NULL
         ELSE false END

of whose conditions none is ever NULL, in a form that the engine does not take apart. Comparisons other than IN mistake
a table of the outer query for the same one in the sub-query; so the sub-query gets a name that occurs nowhere else. A
sub-query that is one row by nature, an aggregate without groups, is compared as a value.
"""

from enum import Enum, unique
from itertools import chain
from typing import NamedTuple

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import quote_identifier
from flightserver.sql.meaning.aggregates import is_one_row
from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import Writing, row_of
from flightserver.sql.text import tree

VALUES_MAX = 100
"""How often IN may be a value in a statement: each is three joins, and 300 joins take half a second to plan."""

_ROWS, _COLUMN = quote_identifier("$members"), quote_identifier("$member")
_MEMBER = f"{_ROWS}.{_COLUMN}"
AS_MEMBERSHIP = {
    **{(operator, quantifier): False for operator in ("=", "==") for quantifier in ("ANY", "SOME")},
    **{(operator, "ALL"): True for operator in ("<>", "!=")},
}
_TOO_MANY = (
    f"more than {VALUES_MAX} times IN (sub-query) beside OR or within other conditions, or one nested too deeply;"
    " write it as a join"
)


_Comparison = tree.InQuery | tree.Quantified


@unique
class Use(Enum):
    """What a comparison with a sub-query is to the engine."""

    JOIN = "a condition with nothing but AND beside it: a join of its own, which knows NULL"
    MARK = "a condition beside OR: NULL is as good as false"
    VALUE = "part of something that tells NULL from false"


class _Parts(NamedTuple):
    """What a comparison is made of: `rows` is the sub-query as a part of others, `nulls` its rows that are NULL."""

    left: str
    query: str
    rows: str
    nulls: str


def repair(writing: Writing) -> None:
    """Write what the engine would get wrong. RESOURCES when that would make the text too long."""
    if not writing.has("IN", "ANY", "SOME", "ALL"):
        return
    found: list[tuple[_Comparison, Visit, bool | None]] = [
        *((node, visit, node.is_negated) for node, visit in writing.of_kind(tree.InQuery)),
        *(
            (node, visit, AS_MEMBERSHIP.get((node.operator, node.quantifier)))
            for node, visit in writing.of_kind(tree.Quantified)
        ),
    ]
    found = [one for one in found if row_of(one[0].operand) is None]  # `row_values` has those
    values = sum(_weight(node, visit, is_negated) for node, visit, is_negated in found)
    if values > VALUES_MAX:
        raise DatabaseError(ErrorKind.RESOURCES, _TOO_MANY)
    for node, visit, is_negated in found:
        if is_negated is None:
            _compare(writing, node)
        else:
            _decide(writing, node, visit, is_negated=is_negated)


def _weight(node: _Comparison, visit: Visit, is_negated: bool | None) -> int:
    """How many comparisons one becomes: what is written three times has all within it three times, too."""
    if is_negated is None or use_of(visit, is_negated=is_negated) is not Use.VALUE:
        return 0
    within = sum(1 for above in visit.ancestors() if isinstance(above.node, _Comparison) and above.node is not node)
    return int(3**within)


def _decide(writing: Writing, node: _Comparison, visit: Visit, *, is_negated: bool) -> None:
    """Choose the form of a membership."""
    use = use_of(visit, is_negated=is_negated)
    word = "NOT IN" if is_negated else "IN"
    if is_one_row(node.query):
        operator = "<>" if is_negated else "="
        writing.values.append(node)
        writing.edits.write(node, lambda: f"({_left(writing, node)} {operator} ({writing.edits.text_of(node.query)}))")
    elif use is Use.JOIN and not (is_negated and _needs_values(writing, node)):
        if isinstance(node, tree.Quantified) or isinstance(node.query.body, tree.Values):
            writing.edits.write(node, lambda: f"{_left(writing, node)} {word} ({_query_or_rows(writing, node)})")
    elif use is Use.MARK:
        writing.edits.write(node, lambda: f"{_left(writing, node)} IN ({_parts(writing, node).rows})")
    else:
        writing.edits.write(node, lambda: _as_value(_parts(writing, node), is_negated=is_negated))


def _needs_values(writing: Writing, node: _Comparison) -> bool:
    """Tell whether the join of a NOT IN beside AND would be wrong: of anything but a column, or with outer columns."""
    return not isinstance(node.operand, tree.Name) or writing.may_use_outer_columns(node.query)


def use_of(visit: Visit, *, is_negated: bool) -> Use:
    """What a comparison is to the engine, by what it stands in."""
    use, below = Use.JOIN, visit.node
    for above in visit.ancestors():
        node = above.node
        match node:
            case tree.Binary(operator="AND") | tree.Brackets(items=(_,)):
                pass
            case tree.Binary(operator="OR" | "XOR"):
                use = Use.MARK
            case tree.Select() if below in (node.where, node.having, node.qualify):
                return Use.VALUE if use is Use.MARK and is_negated else use
            case tree.Join():
                return Use.VALUE if is_negated else Use.MARK
            case _:
                return Use.VALUE
        below = node
    return Use.VALUE


def _left(writing: Writing, node: _Comparison) -> str:
    return writing.edits.text_of(node.operand)


def _query_or_rows(writing: Writing, node: _Comparison) -> str:
    query = writing.edits.text_of(node.query)
    return _named(query) if isinstance(node.query.body, tree.Values) else query


def _as_value(parts: _Parts, *, is_negated: bool) -> str:
    is_unknown = f"(({parts.left}) IS NULL AND EXISTS ({parts.rows} LIMIT 1)) OR EXISTS ({parts.nulls} LIMIT 1)"
    exact = f"(CASE true WHEN {parts.left} IN ({parts.rows}) THEN true WHEN {is_unknown} THEN NULL ELSE false END)"
    return f"(NOT {exact})" if is_negated else exact


def _parts(writing: Writing, node: _Comparison) -> _Parts:
    """The parts of a comparison. A plain sub-query gets no name, because one with a name knows no outer columns."""
    edits = writing.edits
    left, query, select = edits.text_of(node.operand), edits.text_of(node.query), _plain(node.query)
    if select is None:
        return _Parts(left, query, _named(query), f"{_named(query)} WHERE {_MEMBER} IS NULL")
    column = edits.text_of(select.items[0].value)
    source = edits.text_between(select.from_start or 0, select.from_end)
    rows = f"SELECT {column} {source}"
    if select.where is None:
        word = "AND" if id(select) in writing.tied else "WHERE"
        return _Parts(left, query, rows, f"{rows} {word} ({column}) IS NULL")
    condition = edits.text_of(select.where)
    return _Parts(left, query, f"{rows} WHERE {condition}", f"{rows} WHERE ({condition}) AND ({column}) IS NULL")


def _plain(query: tree.Query) -> tree.Select | None:
    """The SELECT of a query that selects one column under conditions and does nothing else."""
    select = query.body
    if not isinstance(select, tree.Select) or query.common or query.order_by or query.limit_start is not None:
        return None
    has_more = select.has_groups or select.having or select.qualify or select.windows or select.distinct_on
    is_column = len(select.items) == 1 and isinstance(select.items[0].value, tree.Name)
    return None if has_more or not is_column or select.from_start is None else select


def _compare(writing: Writing, node: _Comparison) -> None:
    """Give the sub-query of another comparison than IN a name of its own."""
    if isinstance(node, tree.Quantified) and not _is_apart(writing, node):
        writing.edits.write(node.query, lambda: _named(writing.edits.text_of(node.query)))


def _is_apart(writing: Writing, node: tree.Quantified) -> bool:
    """Tell whether a sub-query is plain, and calls what it reads by a name that occurs nowhere else."""
    select = _plain(node.query)
    if select is None or len(select.sources) != 1 or not isinstance(select.sources[0], tree.TableSource):
        return False
    within = range(node.query.start, node.query.end)
    outside = [visit.node for visit in writing.visits if visit.node.start not in within]
    names = chain.from_iterable(
        part.parts if isinstance(part, tree.Name) else (part.called, *part.parts)
        for part in outside
        if isinstance(part, tree.Name | tree.TableSource)
    )
    return select.sources[0].called not in set(names)


def _named(query: str) -> str:
    """The rows of a query under a name that occurs nowhere else."""
    return f"SELECT {_MEMBER} FROM ({query}) AS {_ROWS}({_COLUMN})"
