"""What two right databases may answer differently, each with its reason: nothing else is let pass.

An entry names words of an error of either side. Differences of values are no entries: what would lead to them is
spelled for DuckDB (`SETTINGS` of `databases.py`, `duck_type` of a form), or is not generated.
"""

from dataclasses import dataclass

from tests.oracle.answers import Answer, Failed


@dataclass(frozen=True)
class Known:
    """An error that is no fault of ours, by its words, and why it is none."""

    words: str
    reason: str


KNOWN: tuple[Known, ...] = (
    Known("BinderException", "DuckDB types a statement differently, so that it says nothing about it"),
    Known("NotImplementedException", "DuckDB cannot plan it"),
    Known("ParserException", "DuckDB has no such operator"),
    Known(
        "may not use columns of the outer query; write EXISTS",
        "a comparison with ANY or ALL beside others, tied to the outer query, is refused (docs/sql.md)",
    ),
    Known(
        "may not use columns of the outer query; write a join",
        "windows and sets in a sub-query that are tied to the outer query are refused (docs/sql.md)",
    ),
    Known(
        "IN (sub-query) of a value made of groups or a window may not use columns",
        "such a value within a sub-query that is tied to the query around it is refused (docs/sql.md)",
    ),
    Known(
        "may not sort in two ways",
        "aggregates with ORDER BY of their own, of which two in one SELECT differ, are refused (docs/sql.md)",
    ),
    Known(
        "Accumulator for (Null",
        "an aggregate of nothing but NULL has no type; PostgreSQL refuses it, too",
    ),
    Known("SUM not supported for Null", "a sum of nothing but NULL has no type; PostgreSQL refuses it, too"),
    Known("Cannot infer common string type", "NULL || 1 is of no type; PostgreSQL refuses it, too"),
    Known(
        "'nullif' Interval(MonthDayNano) and Timestamp",
        "an interval and a moment do not compare; PostgreSQL refuses it, too",
    ),
    Known(
        "common argument type for comparison operation Timestamp(µs)",
        "an interval and a moment do not compare; PostgreSQL refuses it, too",
    ),
    Known(
        "checked after an outer join, beside a join with more conditions",
        "some sub-queries as values, tied to one of several tables between commas, are refused (docs/sql.md)",
    ),
    Known(
        "has one value wherever an outer join finds something",
        "an order by what an outer join's optional side has one value of is refused (docs/sql.md)",
    ),
    Known(
        "may use columns of one table alone",
        "a sub-query in ON, an aggregate or ORDER BY that is tied to several tables is refused (docs/sql.md)",
    ),
    Known(
        "may compare with columns of a sub-query or a function in FROM by = alone",
        "a sub-query that is tied to a derived table by more than equalities is refused (docs/sql.md)",
    ),
    Known(
        "cannot join, compare or number by a column that is a constant",
        "the engine does not see that constants are sorted: merge joins and windows of them are refused (docs/sql.md)",
    ),
    Known(
        "AT TIME ZONE is of a TIMESTAMP, with a zone or without, which cannot be told here",
        "NULL and an interval are an interval, which has no zone; PostgreSQL refuses it, too",
    ),
    Known("LATERAL", "what LATERAL is not joined with is refused (docs/sql.md)"),
    Known(
        "IN with a row and a sub-query stands in WHERE and HAVING alone",
        "a row in a sub-query is asked for in conditions alone (docs/sql.md)",
    ),
    Known("a row in front of IN (sub-query) may have no sub-queries", "such a row is refused (docs/sql.md)"),
    Known("comparisons of rows are nested more than 4 times", "values of rows are written twice (docs/sql.md)"),
    Known("'abs' expects Numeric but received String", "NULL without a type is a text; PostgreSQL refuses it, too"),
    Known("Invalid arithmetic operation: Utf8View", "NULL without a type is a text; PostgreSQL refuses it, too"),
    Known(
        "'date_trunc' takes no arguments of these types",
        "NULL - INTERVAL is an interval; PostgreSQL cuts no date of it",
    ),
    Known("Aggregate function calls cannot be nested", "DuckDB takes aggregates in FILTER; PostgreSQL does not"),
    Known(
        "may not use columns of a query two levels out",
        "a sub-query in another that is tied to the outermost query is refused (docs/sql.md)",
    ),
    Known(
        "beside its own groups or aggregates",
        "a sub-query with groups that uses a column of the query around it beside them is refused (docs/sql.md)",
    ),
    Known(
        "a sub-query at this place is not supported; write it as a join",
        "a scalar sub-query that is tied to the outer query by more than equalities is refused (docs/sql.md)",
    ),
)


def explained(*answers: Answer) -> Known | None:
    """The entry that explains why two answers differ."""
    messages = [answer.message for answer in answers if isinstance(answer, Failed)]
    return next((known for known in KNOWN if any(known.words in message for message in messages)), None)
