"""Texts for the engine: small rewrites by tokens, and the queries that stand behind changes."""

from collections.abc import Sequence

from catalog.identifiers import CATALOG_NAME, TableName, quote_identifier
from flightserver.context import Context
from flightserver.sql.statements import Delete, Insert, Query, Statement, Update
from flightserver.sql.text.outputs import with_distinct_names
from flightserver.sql.text.tokens import Kind, Token, identifier_name, is_identifier, tokenize

PARAMETERS_NAME = "$parameters"
"""Name of the relation that holds bound parameters; no user can give it to a table without quoting."""

PARAMETERS = quote_identifier(PARAMETERS_NAME)

EXCLUDED = "excluded"
_QUERY_WORDS = frozenset({"SELECT", "WITH", "VALUES", "EXISTS"})


def on_parameters(text: str) -> str:
    """Replace `$n` by column `n` of the relation of bound parameters."""
    return _replaced(text, [(t, f'{PARAMETERS}."{t.text[1:]}"') for t in tokenize(text) if t.kind is Kind.PARAMETER])


def qualify_excluded(text: str) -> str:
    """Replace `excluded.c` by a column whose name says so: bare names then mean the table, as in PostgreSQL."""
    tokens = tokenize(text)
    changes = []
    for first, dot, second in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if is_identifier(first) and identifier_name(first) == EXCLUDED and dot.text == "." and is_identifier(second):
            column = f"{EXCLUDED}.{identifier_name(second)}".replace('"', '""')
            changes.append((second, f'"{column}"'))
    return _replaced(text, changes)


def with_context_values(text: str, context: Context) -> str:
    """Replace what SQL says of the session (`CURRENT_USER`, `CURRENT_SCHEMA` and their kin) by its value."""
    values = {
        "CURRENT_USER": context.user,
        "SESSION_USER": context.user,
        "CURRENT_SCHEMA": context.namespace,
        "CURRENT_CATALOG": CATALOG_NAME,
    }
    if not any(name in text.upper() for name in values):
        return text
    tokens = tokenize(text)
    keys = ["", *[token.key for token in tokens], "", ""]
    changes = []
    for place, token in enumerate(tokens):
        before, after = keys[place], keys[place + 2 : place + 4]
        if token.kind is Kind.WORD and token.key in values and before not in {".", "AS"} and after[0] != ".":
            changes.append((token, "'" + values[token.key].replace("'", "''") + "'"))
            changes += [(bracket, "") for bracket in tokens[place + 1 : place + 3] if after == ["(", ")"]]
    return _replaced(text, changes)


def names_in(text: str) -> set[str]:
    """All names that occur in an expression."""
    return {identifier_name(token) for token in tokenize(text) if is_identifier(token)}


def mentions_query(text: str) -> bool:
    """Tell whether an expression may contain a sub-query."""
    return any(token.key in _QUERY_WORDS for token in tokenize(text))


def finding_query(statement: Statement, context: Context) -> str | None:
    """The query by which a statement finds or makes its rows; None for statements without one."""
    match statement:
        case Query(text):
            return text
        case Insert(source=source):
            return with_distinct_names(source)
        case Update(table, alias, _, others, where) | Delete(table, alias, others, where):
            return select_from(["*"], context.name(table), alias, [others] if others else [], where)
        case _:
            return None


def select_from(
    items: Sequence[str], table: TableName, alias: str | None, others: Sequence[str], where: str | None
) -> str:
    """A query over a table, called by its alias or its own name, and further items of FROM."""
    sources = [f"{qualified(table)} AS {quote_identifier(alias or table.table)}", *others]
    condition = f" WHERE ({where})" if where else ""
    return f"SELECT {', '.join(items)} FROM {', '.join(sources)}{condition}"


def qualified(name: TableName) -> str:
    """A table's full name as SQL writes it."""
    return f"{quote_identifier(name.namespace)}.{quote_identifier(name.table)}"


def _replaced(text: str, changes: list[tuple[Token, str]]) -> str:
    pieces, end = [], 0
    for token, replacement in changes:
        pieces += [text[end : token.start], replacement]
        end = token.end
    return "".join([*pieces, text[end:]])
