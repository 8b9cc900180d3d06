"""CHECK: conditions that no row of a table makes false; what is NULL is not false.

Rows are held against all conditions of their table before they are written. A condition is about what users write, so
it means what it means in a SELECT: it is planned like any query of theirs, all at once over the rows. Plain ones are
not (`row_tests.py`), because a plan costs more than the rest of a short statement.
"""

from collections.abc import Sequence

import pyarrow as pa

from catalog.definition import Check, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import quote_identifier
from flightserver.sql.text.query_text import QueryText, recurring

OFFERED = "$offered"
"""The relation of rows that are about to be written."""


def offered_rows(table: TableDef) -> str:
    """Those, by the table's name, as they stand in FROM."""
    return f"{quote_identifier(OFFERED)} AS {quote_identifier(table.name.table)}"


def broken_text(checks: Sequence[Check], source: str) -> QueryText:
    """The query for how many rows of a source make each condition false."""
    counts = ", ".join(
        f"count(*) FILTER (WHERE NOT ({check.condition})) AS {quote_identifier(f'n{place}')}"
        for place, check in enumerate(checks)
    )
    return recurring(f"SELECT {counts} FROM {source}")


def counted(counts: pa.Table) -> list[bool]:
    """For each condition, whether rows make it false, by what the query has counted."""
    return [bool(column[0].as_py()) for column in counts.columns]


def refuse_broken(table: TableDef, checks: Sequence[Check], broken: Sequence[bool]) -> None:
    """Raise INVALID for the first condition that rows make false."""
    for check, is_broken in zip(checks, broken, strict=True):
        if is_broken:
            raise DatabaseError(
                ErrorKind.INVALID,
                f"a row breaks the constraint {check.name} of {table.name}: CHECK ({check.condition})",
            )
