"""The grammar of who may do what: GRANT, REVOKE, SHOW GRANTS, OWNER TO, and statements for another user."""

from catalog.errors import ErrorKind
from catalog.grants import EVERYBODY, Grantee, GranteeType, Privilege
from catalog.identifiers import COMPUTED_NAMESPACES
from catalog.roles import Role
from flightserver.sql.access_statements import ChangeOwner, Grant, NamespaceRef, Revoke, ShowGrants
from flightserver.sql.statements import TableRef
from flightserver.sql.text.cursor import Cursor
from flightserver.sql.text.tokens import Kind, identifier_name, is_identifier, string_value


def parse_grant(cursor: Cursor) -> Grant:
    """Read `privileges ON [TABLE | VIEW | NAMESPACE] x TO grantees [WITH GRANT OPTION]`."""
    privileges = _privileges(cursor)
    cursor.expect("ON")
    thing = _thing(cursor)
    cursor.expect("TO")
    start = cursor.peek()
    grantees = cursor.separated(lambda: read_grantee(cursor))
    option = cursor.accept("WITH", "GRANT", "OPTION")
    if option and any(grantee.type is not GranteeType.USER for grantee in grantees):
        raise cursor.error("only users can have the grant option, not roles or PUBLIC", ErrorKind.INVALID, start)
    return Grant(privileges, thing, grantees, option)


def parse_revoke(cursor: Cursor) -> Revoke:
    """Read `[GRANT OPTION FOR] privileges ON x FROM grantees [CASCADE | RESTRICT]`."""
    option_only = cursor.accept("GRANT", "OPTION", "FOR")
    privileges = _privileges(cursor)
    cursor.expect("ON")
    thing = _thing(cursor)
    cursor.expect("FROM")
    grantees = cursor.separated(lambda: read_grantee(cursor))
    cascade = cursor.accept("CASCADE")
    _ = cascade or cursor.accept("RESTRICT")
    return Revoke(privileges, thing, grantees, option_only, cascade)


def parse_show_grants(cursor: Cursor) -> ShowGrants:
    """Read `[FOR grantee | ON x]`."""
    if cursor.accept("FOR"):
        return ShowGrants(grantee=read_grantee(cursor))
    return ShowGrants(thing=_thing(cursor)) if cursor.accept("ON") else ShowGrants()


def parse_owner(cursor: Cursor, thing: TableRef | NamespaceRef) -> ChangeOwner:
    """Read `OWNER TO user`."""
    if not cursor.at("OWNER"):
        raise cursor.unsupported(f"expected OWNER TO and a user, found {cursor.found()}")
    cursor.expect("OWNER", "TO")
    return ChangeOwner(thing, user_name(cursor))


def user_name(cursor: Cursor) -> str:
    """Consume the name of a user, as a name or as a string."""
    token = cursor.peek()
    if token.kind is Kind.STRING and token.text[0] in "'$":
        cursor.next()
        return string_value(token)
    return cursor.name("user")


def accept_as_user(cursor: Cursor) -> str | None:
    """Consume `AS USER 'name'` if it comes next. Without a string it is an alias."""
    if cursor.at("AS", "USER") and cursor.peek(2).kind is Kind.STRING:
        cursor.expect("AS", "USER")
        return user_name(cursor)
    return None


def _privileges(cursor: Cursor) -> frozenset[Privilege] | None:
    """Read a list of privileges; None for ALL."""
    if cursor.accept("ALL"):
        cursor.accept("PRIVILEGES")
        return None
    return frozenset(cursor.separated(lambda: _privilege(cursor)))


def _privilege(cursor: Cursor) -> Privilege:
    if not cursor.at_any(*Privilege):
        raise cursor.error(f"expected {', '.join(Privilege)} or ALL, found {cursor.found()}")
    found = Privilege(cursor.next().key)
    if cursor.at("("):
        raise cursor.unsupported("privileges are for whole tables; grant SELECT on a view of some columns")
    return found


def _thing(cursor: Cursor) -> TableRef | NamespaceRef:
    names_more = is_identifier(cursor.peek(1)) and cursor.peek(1).key not in {"TO", "FROM"}
    if names_more and cursor.accept_any("NAMESPACE", "SCHEMA"):
        return NamespaceRef(cursor.namespace())
    if names_more:
        cursor.accept_any("TABLE", "VIEW")
    token = cursor.peek()
    table = cursor.table("table")
    if table.namespace in COMPUTED_NAMESPACES:
        raise cursor.error(f"nothing in the namespace '{table.namespace}' can be granted", ErrorKind.INVALID, token)
    return table


def read_grantee(cursor: Cursor) -> Grantee:
    """Consume `user`, `ROLE role` or `PUBLIC`."""
    if cursor.accept("PUBLIC"):
        return EVERYBODY
    if cursor.at("ROLE") and is_identifier(cursor.peek(1)):
        cursor.next()
        token = cursor.next()
        name = identifier_name(token)
        if name not in {role.value for role in Role}:
            roles = ", ".join(role.value for role in Role)
            raise cursor.error(f"there is no role {name!r}; there are {roles}", ErrorKind.INVALID, token)
        return Grantee(GranteeType.ROLE, name)
    if cursor.at("USER") and (cursor.peek(1).kind is Kind.STRING or is_identifier(cursor.peek(1))):
        cursor.next()
    return Grantee(GranteeType.USER, user_name(cursor))
