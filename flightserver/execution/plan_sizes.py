"""How large a Substrait plan is, in the terms in which texts are counted."""

from collections.abc import Mapping
from functools import reduce

from catalog.errors import DatabaseError, ErrorKind
from flightserver.protocol.substrait_size import Value, substrait_size
from flightserver.sql.meaning.plan_size import PlanSize, refuse_grouping_sets
from flightserver.sql.meaning.scopes import Relation
from flightserver.sql.meaning.value_sizes import STORED_BYTES, size_of_call
from flightserver.sql.statements import SubstraitQuery

_STORED = PlanSize()


def plan_size_of(query: SubstraitQuery, relations: Mapping[str, Relation | None]) -> PlanSize:
    """A plan with the views that it reads, by the names of its reads; NOT_FOUND when it reads what is not there."""
    for read in query.reads:
        if relations[read.name] is None:
            raise DatabaseError(ErrorKind.NOT_FOUND, f"table {read.table} not found")
    sizes = {name: found.size for name, found in relations.items() if found is not None and found.size is not None}

    def of_read(name: str) -> Value:
        size = sizes.get(name, _STORED)
        return Value(size.widest, size.heaviest)

    counted = substrait_size(query.plan, of_read, size_of_call)
    refuse_grouping_sets(counted.grouping_sets)
    own = PlanSize(
        operators=counted.relations,
        columns=counted.columns,
        terms=counted.terms,
        moved=counted.moved,
        largest=max(counted.largest, STORED_BYTES),
    )
    return reduce(PlanSize.beside, sizes.values(), own)
