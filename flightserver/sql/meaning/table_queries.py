"""`TABLE name`, a query that DataFusion does not know, as what it stands for."""

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def write_table_queries(writing: Writing) -> None:
    """Write them as SELECT."""
    for body, _ in writing.of_kind(tree.TableBody):
        writing.edits.span(body.start, body.start + 1, "SELECT * FROM")
