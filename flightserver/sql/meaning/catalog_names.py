"""Names that tools of PostgreSQL take for granted: tables and functions of `pg_catalog`, which is searched unasked.

A table of the session's namespace comes first. The functions tell of the server and the session, or are so simple over
the catalogs here that they are written as what they come to.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import version

from catalog.identifiers import CATALOG_NAME, PG_CATALOG, quote_identifier
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.postgres_types import PLAIN_TYPES, PgType
from flightserver.sql.text import tree

TABLES_PREFIX = "pg_"
"""What the names of the tables of `pg_catalog` begin with."""

_QUALIFIED = f"{PG_CATALOG}."
_QUALIFIER_TOKENS = 2


def write_catalog_names(writing: Writing, values: Mapping[str, str]) -> None:
    """Write tables of the catalog in full, and its functions as their values; `values` are those of the context."""
    for source, visit in writing.of_kind(tree.TableSource):
        if _is_bare(source) and source.parts[0] not in visit.scope.common:
            _write_source(writing, source)
    for call, visit in writing.of_kind(tree.Call):
        name = call.name.removeprefix(_QUALIFIED)
        written = _FUNCTIONS.get((name, len(call.arguments)))
        if written is not None and not call.is_window:
            _write_call(writing, call, written, values)
            writing.keep_name(visit, name)
        elif name != call.name:
            writing.edits.span(call.start, call.start + _QUALIFIER_TOKENS, "")


def _is_bare(source: tree.TableSource) -> bool:
    return len(source.parts) == 1 and source.parts[0].startswith(TABLES_PREFIX)


def _write_source(writing: Writing, source: tree.TableSource) -> None:
    relation = writing.definitions(source.parts)
    if relation is None or relation.name.namespace != PG_CATALOG:
        return
    alias = "" if source.alias is not None else f" AS {quote_identifier(source.called)}"
    full = f"{quote_identifier(relation.name.namespace)}.{quote_identifier(relation.name.table)}{alias}"
    writing.edits.span(source.start, source.name_end, full)


_Values = Mapping[str, str]
_Function = Callable[[list[str], _Values], str]


def _write_call(writing: Writing, call: tree.Call, written: _Function, values: _Values) -> None:
    def anew() -> str:
        return written([f"({writing.edits.text_of(argument)})" for argument in call.arguments], values)

    writing.edits.write(call, anew)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _database(_: list[str], __: _Values) -> str:
    return _text(CATALOG_NAME)


def _version(_: list[str], __: _Values) -> str:
    return _text(f"flightserver {version('flightserver')}")


def _schemas(arguments: list[str], values: _Values) -> str:
    own = _text(values["CURRENT_SCHEMA"])
    return f"CASE WHEN {arguments[0]} THEN make_array({_text(PG_CATALOG)}, {own}) ELSE make_array({own}) END"


def _not_recovering(_: list[str], __: _Values) -> str:
    return "false"


def _first(arguments: list[str], _: _Values) -> str:
    return arguments[0]


def _type_words(arguments: list[str], _: _Values) -> str:
    """The words for a type by its number, with what its modifier says."""
    number, modifier = arguments
    cases = " ".join(f"WHEN {one.oid} THEN {_with_modifier(one, modifier)}" for one in PLAIN_TYPES)
    arrays = " ".join(f"WHEN {one.array_oid} THEN {_text(f'{_plain_words(one)}[]')}" for one in PLAIN_TYPES)
    return f"CASE WHEN {number} IS NULL THEN NULL ELSE CASE {number} {cases} {arrays} ELSE '???' END END"


def _plain_words(found: PgType) -> str:
    return found.name if found.words == "USER-DEFINED" else found.words


def _with_modifier(found: PgType, modifier: str) -> str:
    words = _plain_words(found)
    if found.name == "numeric":
        digits = f"CAST(({modifier} - 4) / 65536 AS TEXT) || ',' || CAST(({modifier} - 4) % 65536 AS TEXT)"
        return f"CASE WHEN {modifier} >= 4 THEN 'numeric(' || {digits} || ')' ELSE 'numeric' END"
    if found.name in {"time", "timestamp", "timestamptz"}:
        first, _, rest = words.partition(" ")
        digits = f"'{first}(' || CAST({modifier} AS TEXT) || ') {rest}'"
        return f"CASE WHEN {modifier} >= 0 THEN {digits} ELSE '{words}' END"
    return _text(words)


_FUNCTIONS: Mapping[tuple[str, int], _Function] = {
    ("current_database", 0): _database,
    ("current_schemas", 1): _schemas,
    ("format_type", 2): _type_words,
    ("pg_get_expr", 2): _first,
    ("pg_get_expr", 3): _first,
    ("pg_is_in_recovery", 0): _not_recovering,
    ("version", 0): _version,
}
"""Functions by name and number of arguments."""
