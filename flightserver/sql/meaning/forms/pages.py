"""`FETCH FIRST n ROWS ONLY` is LIMIT n, and `LIMIT ALL` is none; the engine's parser has no such words."""

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def write(writing: Writing) -> None:
    """Write LIMIT and OFFSET."""
    if not writing.has("FETCH", "ALL"):
        return
    for query, _ in writing.of_kind(tree.Query):
        if query.has_long_limit and query.limit_start is not None:
            _write(writing, query, query.limit_start)
    for one, _ in writing.of_kind(tree.OneRow):
        writing.edits.span(one.start, one.end, "1")


def _write(writing: Writing, query: tree.Query, start: int) -> None:
    def written() -> str:
        said = [("LIMIT", query.limit), ("OFFSET", query.offset)]
        return " ".join(f"{word} {writing.edits.text_of(value)}" for word, value in said if value is not None)

    writing.edits.write(tree.Node(start, query.end), written)
