"""What a query reads inside of its values.

The engine keeps a sub-query that is a value, and uses nothing of the queries around it, within an expression. Its plan
does not show such a sub-query (DataFusion 55 hands out the expression without what is in it), so what it reads is found
in the text: the relations that it names, and where it names a common table expression those of all of them.
"""

from collections.abc import Iterable, Iterator, Mapping

from catalog.identifiers import TableName, quote_identifier
from flightserver.sql.meaning.scopes import Relation, Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_WITH_QUERY = tree.ScalarQuery | tree.Exists | tree.InQuery | tree.Quantified
_ROWS = quote_identifier("$rows")


def hidden_relations(writing: Writing, looked_up: Mapping[tuple[str, ...], Relation | None]) -> frozenset[TableName]:
    """The relations that may be read within the values of a query."""
    inside = list(_sources_in(writing, writing.values))
    if any(_is_common(source, visit) for source, visit in inside):
        inside += _sources_in(writing, (table for table, _ in writing.of_kind(tree.CommonTable)))
    relations = (looked_up.get(source.parts) for source, _ in inside)
    return frozenset(relation.name for relation in relations if relation is not None)


def hidden_texts(writing: Writing, looked_up: Mapping[tuple[str, ...], Relation | None]) -> tuple[str, ...]:
    """The sub-queries within values, as they are written for the engine, each as a query of its own.

    Only of a query that joins, or reads a view: what else the engine may get wrong shows in every plan.
    """
    joins = any(True for _ in writing.of_kind(tree.Join)) or any(
        relation is not None and relation.size is not None for relation in looked_up.values()
    )
    found: dict[int, str] = {}
    values = set(map(id, writing.values)) if joins else set()
    for visit in writing.visits if values else ():
        if id(visit.node) in values and isinstance(visit.node, _WITH_QUERY):
            query = visit.node.query
            if not writing.may_use_outer_columns(query):
                found[id(query)] = _alone(writing, query, visit)
    return tuple(found.values())


def _alone(writing: Writing, query: tree.Query, found: Visit) -> str:
    """A sub-query behind the common table expressions that it may name."""
    text = writing.edits.text_of(query)
    for above in found.ancestors():
        if isinstance(above.node, tree.Query) and above.node.common:
            common = writing.edits.text_between(above.node.start, above.node.body.start)
            text = f"{common} SELECT * FROM ({text}) AS {_ROWS}"
    return text


def _sources_in(writing: Writing, nodes: Iterable[tree.Node]) -> Iterator[tuple[tree.TableSource, Visit]]:
    around = list(nodes)
    for source, visit in writing.of_kind(tree.TableSource) if around else ():
        if any(node.start <= source.start < node.end for node in around):
            yield source, visit


def _is_common(source: tree.TableSource, visit: Visit) -> bool:
    return len(source.parts) == 1 and source.parts[0] in visit.scope.common
