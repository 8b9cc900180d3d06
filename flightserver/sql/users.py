"""The grammar of users and tokens. What stands behind PASSWORD is in no error, whatever is wrong with the statement."""

from collections.abc import Callable
from datetime import timedelta

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import check_name
from catalog.roles import Role
from catalog.users import check_user_name
from flightserver.sql.access_statements import (
    AlterUser,
    CreateToken,
    CreateUser,
    DropToken,
    DropUser,
    SetLimit,
    SetPassword,
    SetRole,
    Switch,
    UserChange,
)
from flightserver.sql.statements import Secret
from flightserver.sql.text.cursor import Cursor
from flightserver.sql.text.tokens import Kind, Token, identifier_name, is_identifier, string_value

_UNITS = {"SECOND": "seconds", "MINUTE": "minutes", "HOUR": "hours", "DAY": "days", "WEEK": "weeks"}
_LIFETIME_DAYS_MAX = 36_500
_LIMIT_MAX = 1 << 62


def parse_create_user(cursor: Cursor) -> CreateUser:
    """Read what follows CREATE USER: `[IF NOT EXISTS] name [WITH] [PASSWORD '…'] [ROLE role]`."""
    if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
    name = user_name(cursor)
    cursor.accept("WITH")
    password: Secret | None = None
    role: Role | None = None
    while not cursor.at_end():
        if password is None and cursor.accept("PASSWORD"):
            password = _password(cursor)
        elif role is None and cursor.accept("ROLE"):
            role = _role(cursor)
        elif password is not None:
            raise cursor.error("expected ROLE and a role, or the end of the statement")
        else:
            raise cursor.error(f"expected PASSWORD or ROLE, found {cursor.found()}")
    return CreateUser(name, if_not_exists, role or Role.USER, password)


def parse_alter_user(cursor: Cursor) -> AlterUser:
    """Read what follows ALTER USER: a name and one change."""
    name = user_name(cursor)
    for words, change in _CHANGES.items():
        if cursor.accept(*words):
            return AlterUser(name, change(cursor))
    raise cursor.error(
        "expected SET PASSWORD, SET ROLE, SET LIMIT, RESET LIMIT, ENABLE or DISABLE behind the user's name"
    )


def parse_drop_user(cursor: Cursor) -> DropUser:
    """Read what follows DROP USER: `[IF EXISTS] name [CASCADE | RESTRICT]`."""
    if_exists = cursor.accept("IF", "EXISTS")
    name = user_name(cursor)
    cascade = cursor.accept("CASCADE")
    _ = cascade or cursor.accept("RESTRICT")
    return DropUser(name, if_exists, cascade)


def parse_create_token(cursor: Cursor) -> CreateToken:
    """Read what follows CREATE TOKEN: `name [FOR user] [READ ONLY] [EXPIRES IN '90 days']`."""
    name = _token_name(cursor)
    user = user_name(cursor) if cursor.accept("FOR") else None
    read_only = cursor.accept("READ", "ONLY")
    lifetime = _lifetime(cursor) if cursor.accept("EXPIRES", "IN") else None
    return CreateToken(name, user, read_only, lifetime)


def parse_drop_token(cursor: Cursor) -> DropToken:
    """Read what follows DROP TOKEN: `name [FOR user]`."""
    name = _token_name(cursor)
    return DropToken(name, user_name(cursor) if cursor.accept("FOR") else None)


def user_name(cursor: Cursor) -> str:
    """Read the name of a user: a word, a quoted name or a string."""
    return _name(cursor, "user", check_user_name)


def _token_name(cursor: Cursor) -> str:
    return _name(cursor, "token", lambda name: check_name("token", name))


def _name(cursor: Cursor, what: str, check: Callable[[str], str]) -> str:
    token = cursor.peek()
    if not is_identifier(token) and not _is_plain_string(token):
        raise cursor.error(f"expected the name of a {what}, found {cursor.found()}")
    try:
        name = check(identifier_name(token) if is_identifier(token) else string_value(token))
    except DatabaseError as error:
        raise cursor.error(error.message, error.kind) from None
    cursor.next()
    return name


def _is_plain_string(token: Token) -> bool:
    return token.kind is Kind.STRING and token.text[0] in "'$"


def _password(cursor: Cursor) -> Secret:
    token = cursor.next()
    if not _is_plain_string(token):
        raise cursor.error("expected the password as a string, 'like this'", token=token)
    return Secret(string_value(token))


def _role(cursor: Cursor) -> Role:
    token = cursor.next()
    text = string_value(token) if _is_plain_string(token) else token.text
    try:
        return Role(text.lower())
    except ValueError:
        roles = ", ".join(role.value for role in Role)
        raise cursor.error(f"there is no such role; the roles are {roles}", ErrorKind.INVALID, token) from None


def _set_limit(cursor: Cursor) -> SetLimit:
    name = cursor.name("limit")
    if not cursor.accept_any("=", "TO"):
        raise cursor.error(f"expected = and a number, found {cursor.found()}")
    token = cursor.next()
    digits = token.text.replace("_", "")
    if token.kind is not Kind.NUMBER or not digits.isdecimal() or int(digits[:20]) > _LIMIT_MAX:
        raise cursor.error("a limit is a whole number that is not negative", ErrorKind.INVALID, token)
    return SetLimit(name, int(digits))


def _lifetime(cursor: Cursor) -> timedelta:
    token = cursor.next()
    words = string_value(token).split() if _is_plain_string(token) else []
    unit = _UNITS.get(words[1].upper().removesuffix("S")) if len(words) == 2 else None
    if unit is None or not words[0].isdecimal():
        raise cursor.error("expected how long, such as '90 days' or '12 hours'", ErrorKind.INVALID, token)
    number = int(words[0][:12])
    seconds = number * timedelta(**{unit: 1}).total_seconds()
    if not 0 < seconds <= _LIFETIME_DAYS_MAX * 86_400:
        raise cursor.error(
            f"a token lives for at most {_LIFETIME_DAYS_MAX} days; without EXPIRES it does not end by itself",
            ErrorKind.INVALID,
            token,
        )
    return timedelta(seconds=seconds)


_CHANGES: dict[tuple[str, ...], Callable[[Cursor], UserChange]] = {
    ("SET", "PASSWORD"): lambda cursor: SetPassword(_password(cursor)),
    ("SET", "ROLE"): lambda cursor: SetRole(_role(cursor)),
    ("SET", "LIMIT"): _set_limit,
    ("RESET", "LIMIT"): lambda cursor: SetLimit(cursor.name("limit"), None),
    ("ENABLE",): lambda _: Switch(on=True),
    ("DISABLE",): lambda _: Switch(on=False),
}
