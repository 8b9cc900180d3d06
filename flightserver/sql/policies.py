"""The grammar of row policies: CREATE POLICY and DROP POLICY.

A condition is about one row: it has no sub-query, and no parameter.
"""

from catalog.errors import ErrorKind
from catalog.grants import EVERYBODY, Privilege
from flightserver.sql.access_statements import CreatePolicy, DropPolicy
from flightserver.sql.grants import read_grantee
from flightserver.sql.text.queries import QueryReader
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.tokens import Kind

_QUERY_WORDS = frozenset({"SELECT", "WITH", "VALUES", "EXISTS"})
_WRITING = frozenset({Privilege.INSERT, Privilege.UPDATE})


def parse_create_policy(cursor: QueryReader) -> CreatePolicy:
    """Read `name ON table [FOR command] [TO grantees] [USING (…)] [WITH CHECK (…)]`."""
    start = cursor.peek()
    name = cursor.name("policy")
    cursor.expect("ON")
    table = cursor.table()
    if cursor.accept("AS") and not cursor.accept("PERMISSIVE"):
        raise cursor.unsupported("policies are permissive: each allows something")
    privileges = _privileges(cursor) if cursor.accept("FOR") else frozenset(Privilege)
    grantees = cursor.separated(lambda: read_grantee(cursor)) if cursor.accept("TO") else (EVERYBODY,)
    using = _condition(cursor) if cursor.accept("USING") else None
    check = _condition(cursor) if cursor.accept("WITH", "CHECK") else None
    if privileges == {Privilege.INSERT}:
        if using is not None or check is None:
            message = "a policy FOR INSERT has WITH CHECK and no USING: there is no row yet that it could be asked of"
            raise cursor.error(message, ErrorKind.INVALID, start)
    elif using is None:
        raise cursor.error("a policy has USING (condition)", ErrorKind.INVALID, start)
    elif check is not None and privileges.isdisjoint(_WRITING):
        raise cursor.error("a policy that is not for writing has no WITH CHECK", ErrorKind.INVALID, start)
    return CreatePolicy(name, table, privileges, grantees, using, check)


def parse_drop_policy(cursor: QueryReader) -> DropPolicy:
    """Read `[IF EXISTS] name ON table`."""
    if_exists = cursor.accept("IF", "EXISTS")
    name = cursor.name("policy")
    cursor.expect("ON")
    return DropPolicy(name, cursor.table(), if_exists)


def _privileges(cursor: QueryReader) -> frozenset[Privilege]:
    if cursor.accept("ALL"):
        return frozenset(Privilege)
    if not cursor.at_any(*Privilege):
        raise cursor.error(f"expected {', '.join(Privilege)} or ALL, found {cursor.found()}")
    return frozenset({Privilege(cursor.next().key)})


def _condition(cursor: QueryReader) -> QueryText:
    cursor.expect("(")
    first, start = cursor.position, cursor.peek()
    cursor.expression()
    found = cursor.part_from(first)
    cursor.expect(")")
    if not found.keys.isdisjoint(_QUERY_WORDS):
        raise cursor.error("a policy has no sub-query: its condition is about one row", ErrorKind.UNSUPPORTED, start)
    if any(token.kind is Kind.PARAMETER for token in found.tokens):
        raise cursor.error("a policy has no parameters", ErrorKind.INVALID, start)
    return found
