"""What a client can ask for about people: users, tokens, what they may do, and for whom they act."""

from dataclasses import dataclass
from datetime import timedelta

from catalog.grants import Grantee, Privilege
from catalog.roles import Role
from flightserver.sql.statements import Secret, Statement, TableRef
from flightserver.sql.text.query_text import QueryText


@dataclass(frozen=True)
class NamespaceRef:
    """A namespace as written."""

    name: str


@dataclass(frozen=True)
class Grant(Statement):
    """Privileges for somebody; None for all that there are for such a thing."""

    privileges: frozenset[Privilege] | None
    thing: TableRef | NamespaceRef
    grantees: tuple[Grantee, ...]
    grant_option: bool


@dataclass(frozen=True)
class Revoke(Statement):
    """Privileges, or only their grant option, are taken back; with `cascade`, what was granted on by them, too."""

    privileges: frozenset[Privilege] | None
    thing: TableRef | NamespaceRef
    grantees: tuple[Grantee, ...]
    option_only: bool
    cascade: bool


@dataclass(frozen=True)
class ShowGrants(Statement):
    """The grants that the user may see, all or those to somebody or on something."""

    grantee: Grantee | None = None
    thing: TableRef | NamespaceRef | None = None


@dataclass(frozen=True)
class ChangeOwner(Statement):
    """A table, a view or a namespace belongs to somebody else."""

    thing: TableRef | NamespaceRef
    owner: str


@dataclass(frozen=True)
class CreatePolicy(Statement):
    """Rows of a table are for those who satisfy a condition: `using` of rows that are there, `check` of new ones."""

    name: str
    table: TableRef
    privileges: frozenset[Privilege]
    grantees: tuple[Grantee, ...]
    using: QueryText | None
    check: QueryText | None


@dataclass(frozen=True)
class DropPolicy(Statement):
    """A policy goes; with the last one, every row is for everybody who may use the table."""

    name: str
    table: TableRef
    if_exists: bool


@dataclass(frozen=True)
class AsUser(Statement):
    """A statement for another user."""

    user: str
    statement: Statement


@dataclass(frozen=True)
class CreateUser(Statement):
    """A new user. Without a password, only tokens let the user in."""

    name: str
    if_not_exists: bool
    role: Role
    password: Secret | None


@dataclass(frozen=True)
class SetPassword:
    """ALTER USER … SET PASSWORD."""

    password: Secret


@dataclass(frozen=True)
class SetRole:
    """ALTER USER … SET ROLE."""

    role: Role


@dataclass(frozen=True)
class Switch:
    """ALTER USER … ENABLE or DISABLE."""

    on: bool


@dataclass(frozen=True)
class SetLimit:
    """ALTER USER … SET LIMIT, or with None RESET LIMIT: what holds for all users holds again."""

    name: str
    value: int | None


UserChange = SetPassword | SetRole | Switch | SetLimit


@dataclass(frozen=True)
class AlterUser(Statement):
    """One change of a user."""

    name: str
    change: UserChange


@dataclass(frozen=True)
class DropUser(Statement):
    """A user goes; with `cascade`, the user's rows in USER tables too."""

    name: str
    if_exists: bool
    cascade: bool


@dataclass(frozen=True)
class CreateToken(Statement):
    """A new way for a program to log in as a user (None: as oneself)."""

    name: str
    user: str | None
    read_only: bool
    lifetime: timedelta | None


@dataclass(frozen=True)
class DropToken(Statement):
    """A token goes."""

    name: str
    user: str | None
