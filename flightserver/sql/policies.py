"""The grammar of row policies: CREATE POLICY and DROP POLICY.

A condition is about one row: it has no sub-query, and no parameter.
"""

from catalog.errors import ErrorKind
from catalog.grants import EVERYBODY, Privilege
from flightserver.sql.access_statements import CreatePolicy, DropPolicy
from flightserver.sql.grants import read_grantee
from flightserver.sql.row_conditions import row_condition
from flightserver.sql.text.queries import QueryReader

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
    using = row_condition(cursor, "a policy") if cursor.accept("USING") else None
    check = row_condition(cursor, "a policy") if cursor.accept("WITH", "CHECK") else None
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
