"""The queries that stand behind changes, put together of parts of their statements."""

from collections.abc import Sequence

from catalog.identifiers import TableName, quote_identifier
from flightserver.context import Context
from flightserver.sql.meaning.system_columns import with_all_columns
from flightserver.sql.statements import Delete, Insert, Query, Statement, Update
from flightserver.sql.text import tree
from flightserver.sql.text.queries import query_of
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.tokens import Kind, identifier_name, is_identifier

PARAMETERS_NAME = "$parameters"
"""Name of the relation that holds bound parameters; no user can give it to a table without quoting."""

PARAMETERS = quote_identifier(PARAMETERS_NAME)

PLACE = "0"
"""The column of that relation that has the place of each row."""

EXCLUDED = "excluded"
_QUERY_WORDS = frozenset({"SELECT", "WITH", "VALUES", "EXISTS"})


def on_parameters(text: QueryText, relation: str = PARAMETERS, prefix: str = "") -> QueryText:
    """Replace `$n` by column `n`, with a prefix, of the relation of bound parameters, or of another that has them."""
    pieces = [
        f"{relation}.{quote_identifier(prefix + token.text[1:])}" if token.kind is Kind.PARAMETER else None
        for token in text.tokens
    ]
    return _replaced(text, pieces)


def only_row(source: QueryText) -> list[QueryText] | None:
    """The expressions of a source that is one row of VALUES; None for any other, and where one looks into tables."""
    if source.tokens[0].key != "VALUES":
        return None
    query = query_of(source)
    body = query.body
    if not isinstance(body, tree.Values) or body.is_partial or len(body.rows) != 1 or body.end != len(source.tokens):
        return None
    items = [source.part(item.start, item.end) for item in body.rows[0]]
    return None if any(map(mentions_query, items)) else items


def over_parameters(items: Sequence[QueryText]) -> QueryText:
    """The query that yields expressions for each row of the relation of bound parameters, in their order."""
    parts: list[str] = ["SELECT "]
    for number, item in enumerate(items):
        parts += [", (" if number else "(", on_parameters(item), f') AS "value {number}"']
    return QueryText.joined([*parts, f' FROM {PARAMETERS} ORDER BY {PARAMETERS}."{PLACE}"'])


def qualify_excluded(text: QueryText) -> QueryText:
    """Replace `excluded.c` by a column whose name says so: bare names then mean the table, as in PostgreSQL."""
    tokens = text.tokens
    pieces: list[str | None] = [None] * len(tokens)
    for place in range(len(tokens) - 2):
        first, dot, second = tokens[place : place + 3]
        if is_identifier(first) and identifier_name(first) == EXCLUDED and dot.text == "." and is_identifier(second):
            pieces[place + 2] = quote_identifier(f"{EXCLUDED}.{identifier_name(second)}")
    return _replaced(text, pieces)


def names_in(text: QueryText) -> set[str]:
    """All names that occur in an expression."""
    return {identifier_name(token) for token in text.tokens if is_identifier(token)}


def mentions_query(text: QueryText) -> bool:
    """Tell whether an expression may contain a sub-query."""
    return not text.keys.isdisjoint(_QUERY_WORDS)


def finding_query(statement: Statement, context: Context) -> QueryText | None:
    """The query by which a statement finds or makes its rows; None for statements without one."""
    match statement:
        case Query(text):
            return text
        case Insert(source=source):
            return source
        case Update(table, alias, _, others, where, common) | Delete(table, alias, others, where, common):
            return select_from(["*"], context.name(table), alias, [others] if others else [], where, common)
        case _:
            return None


def select_from(
    items: Sequence[str],
    table: TableName,
    alias: str | None,
    others: Sequence[str],
    where: QueryText | None,
    common: QueryText | None = None,
) -> QueryText:
    """A query over all columns of a table, called by its alias or its own name, and further items of FROM."""
    target = f"{qualified(with_all_columns(table))} AS {quote_identifier(alias or table.table)}"
    parts: list[str] = ["SELECT "] if common is None else [common, " SELECT "]
    for number, item in enumerate(items):
        parts += [", ", item] if number else [item]
    parts += [" FROM ", target]
    for other in others:
        parts += [", ", other]
    if where is not None:
        parts += [" WHERE (", where, ")"]
    return QueryText.joined(parts)


def qualified(name: TableName) -> str:
    """A table's full name as SQL writes it."""
    return f"{quote_identifier(name.namespace)}.{quote_identifier(name.table)}"


def _replaced(text: QueryText, pieces: Sequence[str | None]) -> QueryText:
    """The text with some tokens written in another way."""
    if not any(piece is not None for piece in pieces):
        return text
    parts: list[str] = []
    end = text.tokens[0].start
    for place, (token, piece) in enumerate(zip(text.tokens, pieces, strict=True)):
        parts += [str(text)[end : token.start], text.part(place, place + 1) if piece is None else piece]
        end = token.end
    return QueryText.joined(parts)
