"""LATERAL, and `unnest` of columns beside it, as joins: what the engine plans of them is little.

A sub-query that uses columns of the sources before it is asked for all of their values at once, and joined:

    FROM a, LATERAL (SELECT max(y) AS m FROM b WHERE b.k = a.k) q
    FROM a, (SELECT …, d.k FROM (SELECT DISTINCT k FROM a) d …) q WHERE «a.k is q.k, or both are NULL»

Equal rows of `a` meet the same rows of `q`, and NULL meets what is there for NULL. Where a list is used, which cannot
be compared, the values of the table's key stand for it. It is done in the text, one LATERAL at a time, before anything
else is: what comes out is a query like any other.
"""

from catalog.errors import DatabaseError, ErrorKind
from flightserver.sql.meaning.laterals.joins import without_first
from flightserver.sql.meaning.scopes import Definitions
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text.query_text import QueryText

LATERALS_MAX = 8
"""How many a query has: what stands before one may be read again for each behind it."""

LENGTH_MAX = 100_000
"""How long the text becomes."""

_TOO_MANY = f"more than {LATERALS_MAX} LATERAL or unnest of columns in one query; write joins"


def without_laterals(text: QueryText, definitions: Definitions) -> QueryText:
    """The query without any that uses columns beside it; RESOURCES where there are too many."""
    if text.keys.isdisjoint({"LATERAL", "UNNEST"}):
        return text
    for number in range(1, 2 * LATERALS_MAX + 2):
        written = without_first(Writing(text, definitions), number)
        if written is None:
            return text
        if number > 2 * LATERALS_MAX or len(written) > max(LENGTH_MAX, 2 * len(text)):
            break
        text = QueryText(written)
    raise DatabaseError(ErrorKind.RESOURCES, _TOO_MANY)
