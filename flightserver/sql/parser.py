"""Turns SQL text into one statement. The leading keyword decides which grammar reads the rest.

Queries are cut out here and read where they are used; DataFusion parses them. A statement is checked against the caps
of `limits` before all else.
"""

from collections.abc import Callable
from dataclasses import dataclass

from catalog.errors import DatabaseError, ErrorKind
from flightserver.sql import altering, commands, ddl, dml, merging, server
from flightserver.sql.access_statements import AsUser
from flightserver.sql.grants import parse_grant, parse_revoke, user_name
from flightserver.sql.statements import Explain, Query, Statement
from flightserver.sql.text.limits import check_limits, check_text_size
from flightserver.sql.text.parameters import number_placeholders
from flightserver.sql.text.queries import QueryReader
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.remembered import remembered
from flightserver.sql.text.tokens import Token, error_at, tokenize
from flightserver.sql.text.words import QUERY_STARTS


@dataclass(frozen=True)
class Parsed:
    """A statement whose placeholders are numbered, and how many values they need."""

    statement: Statement
    parameter_count: int

    def shown(self, text: str) -> str:
        """What lists show of the statement, which has this text."""
        return self.statement.shown(text)


@remembered
def parse_numbered(text: str) -> Parsed:
    """Return the one statement of `text`, whose placeholders may be `?` or `$n`."""
    check_text_size(text)
    numbered, count = number_placeholders(QueryText(text))
    return Parsed(parse(numbered), count)


def parse(text: str) -> Statement:
    """Return the one statement of `text`; a `;` behind it and comments anywhere are fine."""
    check_text_size(text)
    whole = text if isinstance(text, QueryText) else QueryText(text)
    tokens = list(whole.tokens)
    while tokens and tokens[-1].key == ";":
        tokens.pop()
    if not tokens:
        raise DatabaseError(ErrorKind.SYNTAX, "there is no statement in this text")
    separator = next((token for token in tokens if token.key == ";"), None)
    if separator is not None:
        message = "one statement at a time: these are several, separated by ';'"
        raise error_at(text, separator.start, message)
    check_limits(tokens)
    return _statement(QueryReader(text, tokens))


def split_script(text: str) -> list[str]:
    """Return the statements of a script without their `;`, leaving out empty ones."""
    statements: list[str] = []
    first: Token | None = None
    last: Token | None = None
    for token in tokenize(text):
        if token.key == ";":
            if first and last:
                statements.append(text[first.start : last.end])
            first = None
        else:
            first, last = first or token, token
    if first and last:
        statements.append(text[first.start : last.end])
    return statements


def _statement(cursor: QueryReader) -> Statement:
    start = cursor.peek()
    grammar = _GRAMMARS.get(start.key)
    if start.key in _UNSUPPORTED:
        raise cursor.unsupported(f"{start.key} is not supported")
    if grammar is None:
        raise cursor.error(f"expected a statement, found {cursor.found()}")
    cursor.next()
    statement = grammar(cursor)
    cursor.expect_end()
    return statement


def _query(cursor: QueryReader) -> Query:
    """Take a whole query as it is written, from the keyword that was just read. Its tree is read where it is used."""
    cursor.position -= 1
    return Query(cursor.rest("query"))


def _with(cursor: QueryReader) -> Statement:
    """Take a query, or a change of rows, with common table expressions in front."""
    cursor.position -= 1
    first = cursor.position
    cursor.common_tables()
    change = _CHANGES.get(cursor.peek().key)
    if change is not None:
        common = cursor.part_from(first)
        cursor.next()
        return dml.with_common(cursor, common, change(cursor))
    cursor.position = first
    return Query(cursor.rest("query"))


def _explain(cursor: QueryReader) -> Explain | AsUser:
    text = cursor.text[cursor.tokens[0].start : cursor.tokens[-1].end]
    options = {"ANALYZE": False, "VERBOSE": False}
    while cursor.peek().key in options:
        options[cursor.next().key] = True
    is_query = cursor.peek().key == "(" and cursor.peek(1).key in QUERY_STARTS | {"("}
    if cursor.at_any("(", "FORMAT", "TREE") and not is_query:
        raise cursor.unsupported("EXPLAIN takes ANALYZE and VERBOSE and no other option")
    if cursor.at("EXPLAIN"):
        raise cursor.unsupported("EXPLAIN explains a statement, not another EXPLAIN")
    explained = _statement(cursor)
    if isinstance(explained, AsUser):
        return AsUser(explained.user, Explain(text, options["ANALYZE"], options["VERBOSE"], explained.statement))
    return Explain(text, options["ANALYZE"], options["VERBOSE"], explained)


def _execute(cursor: QueryReader) -> AsUser:
    """Read `EXECUTE AS [USER] 'u' (statement)`."""
    if not cursor.accept("AS"):
        raise cursor.unsupported("EXECUTE is not supported but as EXECUTE AS USER 'name' (statement)")
    cursor.accept("USER")
    user = user_name(cursor)
    start = cursor.peek()
    cursor.expect("(")
    if cursor.tokens[-1].key != ")":
        raise cursor.error("the bracket behind EXECUTE AS USER must hold all that follows", token=start)
    inner = QueryReader(cursor.text, cursor.tokens[cursor.position : -1])
    if inner.at_end():
        raise cursor.error("EXECUTE AS USER needs a statement in its brackets")
    cursor.position = len(cursor.tokens)
    statement = _statement(inner)
    if isinstance(statement, AsUser):
        raise cursor.error("a statement is for one user; AS USER stands within AS USER", ErrorKind.INVALID, start)
    return AsUser(user, statement)


_CHANGES: dict[str, Callable[[QueryReader], dml.Change | AsUser]] = {
    "INSERT": dml.parse_insert,
    "UPDATE": dml.parse_update,
    "DELETE": dml.parse_delete,
    "MERGE": merging.parse_merge,
}

_GRAMMARS: dict[str, Callable[[QueryReader], Statement]] = {
    "SELECT": _query,
    "VALUES": _query,
    "FROM": _query,
    "(": _query,
    "WITH": _with,
    "TABLE": _query,
    "EXPLAIN": _explain,
    **_CHANGES,
    "TRUNCATE": dml.parse_truncate,
    "CREATE": ddl.parse_create,
    "DROP": ddl.parse_drop,
    "ALTER": ddl.parse_alter,
    "COMMENT": altering.parse_comment,
    "BACKUP": server.parse_backup,
    "CHECK": server.parse_check,
    "DESCRIBE": commands.parse_describe,
    "DESC": commands.parse_describe,
    "SHOW": commands.parse_show,
    "FLUSH": commands.parse_flush,
    "COMPACT": commands.parse_compact,
    "STORAGE": commands.parse_storage,
    "PUBLISH": commands.parse_publish,
    "REBUILD": commands.parse_rebuild,
    "BEGIN": commands.parse_begin,
    "START": commands.parse_begin,
    "COMMIT": commands.parse_commit,
    "END": commands.parse_commit,
    "ROLLBACK": commands.parse_rollback,
    "ABORT": commands.parse_rollback,
    "SAVEPOINT": commands.parse_savepoint,
    "RELEASE": commands.parse_release,
    "SET": commands.parse_set,
    "RESET": commands.parse_reset,
    "USE": commands.parse_use,
    "KILL": commands.parse_kill,
    "GRANT": parse_grant,
    "REVOKE": parse_revoke,
    "EXECUTE": _execute,
}
_UNSUPPORTED = frozenset(
    {
        *("COPY", "PREPARE", "DEALLOCATE", "REPLACE", "CALL", "ANALYZE"),
        *("VACUUM", "ATTACH", "DETACH", "LOAD", "INSTALL", "EXPORT", "IMPORT", "LOCK", "PIVOT"),
    }
)
