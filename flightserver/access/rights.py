"""What may be done: one declaration, and the functions that ask it. Nothing else in the server decides about rights.

`RIGHTS` says for each use of each kind of thing who may: its owner, roles, and those to whom it was granted. `MAKING`
says which roles may make what. `STATEMENTS` has a row for each statement: what it uses, and whether it can be for
another user. `OF_SERVER` says who may send those about the server as a whole. What has no row is not allowed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique

from catalog.definition import TableKind
from catalog.grants import Privilege
from catalog.roles import Role
from flightserver.sql import access_statements as access
from flightserver.sql import server_statements as server
from flightserver.sql import statements as sql
from flightserver.sql import table_statements as tables
from flightserver.sql.statements import Statement


@unique
class Use(Enum):
    """What a statement wants of a thing."""

    READ = "its rows"
    INSERT = "new rows in it"
    UPDATE = "new versions of its rows"
    DELETE = "rows of it gone"
    DEFINE = "another definition, or none"
    DESCRIBE = "what it is"
    DEPEND = "to know what it reads, and that it goes with that"
    MAINTAIN = "its files written anew"
    INSPECT = "what is known of its files"
    GRANT = "others to be granted something of it"


CHANGES = frozenset({Use.INSERT, Use.UPDATE, Use.DELETE})
"""Uses that write rows."""


@unique
class Kind(Enum):
    """What rights tell apart."""

    SHARED = "a SHARED table"
    USER = "a USER table, in which everybody has rows of their own"
    TEMPORARY = "a table of the session alone"
    VIEW = "a view"
    NAMESPACE = "a namespace"


@unique
class Relation(Enum):
    """What a user is to a thing. To be granted something is to be granted what the use asks for."""

    OWNER = "owner"
    GRANTED = "granted"
    OTHER = "other"


@dataclass(frozen=True)
class Right:
    """Who may use a thing in some way: these roles, the owner, and who was granted any of these privileges."""

    roles: frozenset[Role]
    owner: bool = True
    privileges: frozenset[Privilege] = frozenset()


ALL_ROLES = frozenset(Role)
TRUSTED = frozenset({Role.SERVICE, Role.DBA, Role.SYSTEM})
"""Who works with everybody's shared data."""

OVERSEERS = frozenset({Role.DBA, Role.SYSTEM})
"""Who looks after the server: sees and ends what others do, and may do with a thing what its owner may."""

NO_ROLE: frozenset[Role] = frozenset()
_ANY = frozenset(Privilege)

_EVERYBODY = Right(ALL_ROLES)
_OWNED = Right(OVERSEERS)

RIGHTS: Mapping[tuple[Use, Kind], Right] = {
    (Use.READ, Kind.SHARED): Right(TRUSTED, privileges=frozenset({Privilege.SELECT})),
    (Use.INSERT, Kind.SHARED): Right(TRUSTED, privileges=frozenset({Privilege.INSERT})),
    (Use.UPDATE, Kind.SHARED): Right(TRUSTED, privileges=frozenset({Privilege.UPDATE})),
    (Use.DELETE, Kind.SHARED): Right(TRUSTED, privileges=frozenset({Privilege.DELETE})),
    (Use.DEFINE, Kind.SHARED): _OWNED,
    (Use.DESCRIBE, Kind.SHARED): Right(TRUSTED, privileges=_ANY),
    (Use.MAINTAIN, Kind.SHARED): Right(TRUSTED),
    (Use.INSPECT, Kind.SHARED): Right(TRUSTED),
    (Use.GRANT, Kind.SHARED): Right(TRUSTED, privileges=_ANY),
    (Use.READ, Kind.USER): _EVERYBODY,
    (Use.INSERT, Kind.USER): _EVERYBODY,
    (Use.UPDATE, Kind.USER): _EVERYBODY,
    (Use.DELETE, Kind.USER): _EVERYBODY,
    (Use.DEFINE, Kind.USER): _OWNED,
    (Use.DESCRIBE, Kind.USER): _EVERYBODY,
    (Use.MAINTAIN, Kind.USER): Right(TRUSTED),
    (Use.INSPECT, Kind.USER): _EVERYBODY,
    (Use.GRANT, Kind.USER): _EVERYBODY,
    (Use.READ, Kind.TEMPORARY): _EVERYBODY,
    (Use.INSERT, Kind.TEMPORARY): _EVERYBODY,
    (Use.UPDATE, Kind.TEMPORARY): _EVERYBODY,
    (Use.DELETE, Kind.TEMPORARY): _EVERYBODY,
    (Use.DEFINE, Kind.TEMPORARY): _EVERYBODY,
    (Use.DESCRIBE, Kind.TEMPORARY): _EVERYBODY,
    (Use.MAINTAIN, Kind.TEMPORARY): _EVERYBODY,
    (Use.INSPECT, Kind.TEMPORARY): _EVERYBODY,
    (Use.READ, Kind.VIEW): Right(TRUSTED, privileges=frozenset({Privilege.SELECT})),
    (Use.DEFINE, Kind.VIEW): _OWNED,
    (Use.DESCRIBE, Kind.VIEW): Right(TRUSTED, privileges=frozenset({Privilege.SELECT})),
    (Use.DEPEND, Kind.VIEW): _EVERYBODY,
    (Use.GRANT, Kind.VIEW): Right(TRUSTED, privileges=_ANY),
    (Use.DESCRIBE, Kind.NAMESPACE): Right(TRUSTED, privileges=_ANY),
    (Use.DEFINE, Kind.NAMESPACE): _OWNED,
    (Use.GRANT, Kind.NAMESPACE): Right(TRUSTED, privileges=_ANY),
}
"""Who may use what how. Whoever may grant still needs the grant option for what they grant, or to be like the owner."""

MAKING: Mapping[Kind, frozenset[Role]] = {
    Kind.SHARED: TRUSTED,
    Kind.USER: ALL_ROLES,
    Kind.TEMPORARY: ALL_ROLES,
    Kind.VIEW: ALL_ROLES,
    Kind.NAMESPACE: TRUSTED,
}
"""Which roles may make what."""

ACTING: Mapping[Role, frozenset[Role]] = {
    Role.USER: NO_ROLE,
    Role.SERVICE: frozenset({Role.SERVICE, Role.USER}),
    Role.DBA: frozenset({Role.DBA, Role.SERVICE, Role.USER}),
    Role.SYSTEM: ALL_ROLES,
}
"""For whom a role may act. Everybody acts for themselves."""


JOBS = _OWNED
"""Who sees and ends a job in the background: who looks after the server, and who asked for it."""


@dataclass(frozen=True)
class Demand:
    """What a statement uses, and whether it can be for another user (AS USER)."""

    uses: frozenset[Use] = frozenset()
    for_another: bool = True


def _uses(*uses: Use) -> Demand:
    return Demand(frozenset(uses))


_OF_SESSION = Demand(for_another=False)

STATEMENTS: Mapping[type[Statement], Demand] = {
    sql.Query: _uses(Use.READ),
    sql.SubstraitQuery: _uses(Use.READ),
    sql.Explain: _uses(Use.READ, Use.INSERT, Use.UPDATE, Use.DELETE),
    sql.Insert: _uses(Use.INSERT, Use.READ),
    sql.Update: _uses(Use.UPDATE, Use.READ),
    sql.Delete: _uses(Use.DELETE, Use.READ),
    sql.Merge: _uses(Use.INSERT, Use.UPDATE, Use.DELETE, Use.READ),
    sql.Truncate: _uses(Use.DELETE),
    tables.CreateNamespace: _uses(Use.DESCRIBE),
    tables.DropNamespace: _uses(Use.DEFINE),
    tables.CreateTable: _uses(Use.DESCRIBE, Use.DEFINE),
    tables.CreateTableAs: _uses(Use.DESCRIBE, Use.DEFINE, Use.READ),
    tables.CreateTableLike: _uses(Use.DESCRIBE, Use.DEFINE, Use.READ),
    tables.DropTable: _uses(Use.DEFINE, Use.DEPEND),
    tables.AlterTable: _uses(Use.DEFINE, Use.DEPEND),
    tables.RenameTable: _uses(Use.DEFINE, Use.DEPEND),
    tables.CreateView: _uses(Use.DEFINE, Use.READ),
    tables.DropView: _uses(Use.DEFINE, Use.DEPEND),
    tables.Describe: _uses(Use.DESCRIBE),
    tables.ShowNamespaces: _uses(Use.DESCRIBE),
    tables.ShowTables: _uses(Use.DESCRIBE),
    tables.ShowColumns: _uses(Use.DESCRIBE),
    tables.ShowCreate: _uses(Use.DESCRIBE),
    tables.ShowManifest: _uses(Use.INSPECT),
    tables.ShowManifestCache: _uses(Use.INSPECT),
    tables.ShowPublished: _uses(Use.INSPECT),
    tables.ShowJobs: Demand(),
    tables.Flush: _uses(Use.MAINTAIN),
    tables.Compact: _uses(Use.MAINTAIN),
    tables.PublishTable: _uses(Use.MAINTAIN),
    tables.RebuildManifest: _uses(Use.MAINTAIN),
    server.CheckTables: _uses(Use.MAINTAIN),
    access.Grant: Demand(frozenset({Use.GRANT}), for_another=False),
    access.Revoke: Demand(frozenset({Use.GRANT}), for_another=False),
    access.ShowGrants: _uses(Use.DESCRIBE),
    access.ChangeOwner: Demand(frozenset({Use.DEFINE}), for_another=False),
    access.CreatePolicy: Demand(frozenset({Use.DEFINE}), for_another=False),
    access.DropPolicy: Demand(frozenset({Use.DEFINE}), for_another=False),
    access.CreateUser: _OF_SESSION,
    access.AlterUser: _OF_SESSION,
    access.DropUser: _OF_SESSION,
    access.CreateToken: _OF_SESSION,
    access.DropToken: _OF_SESSION,
    access.AsUser: _OF_SESSION,
    sql.Begin: _OF_SESSION,
    sql.Commit: _OF_SESSION,
    sql.Rollback: _OF_SESSION,
    sql.Savepoint: _OF_SESSION,
    sql.Release: _OF_SESSION,
    sql.SetOption: _OF_SESSION,
    sql.SetTransaction: _OF_SESSION,
    sql.ResetOption: _OF_SESSION,
    sql.ShowOption: _OF_SESSION,
    server.SetSetting: _OF_SESSION,
    server.ResetSetting: _OF_SESSION,
    server.Backup: _OF_SESSION,
    server.ShowBackups: _OF_SESSION,
    server.CheckBackup: _OF_SESSION,
    server.KillQuery: _OF_SESSION,
    server.KillSession: _OF_SESSION,
    server.KillJob: _OF_SESSION,
    server.CheckAuditLog: _OF_SESSION,
    sql.UseNamespace: Demand(frozenset({Use.DESCRIBE}), for_another=False),
}
"""A row for each statement."""


RULERS = frozenset({Role.SYSTEM})
"""Who decides what the server may take and give."""

OF_SERVER: Mapping[type[Statement], frozenset[Role]] = {
    server.SetSetting: RULERS,
    server.ResetSetting: RULERS,
    server.Backup: OVERSEERS,
    server.ShowBackups: OVERSEERS,
    server.CheckBackup: OVERSEERS,
    server.CheckAuditLog: OVERSEERS,
}
"""Who may say what is about the server as a whole."""


def kind_of(kind: TableKind, *, temporary: bool) -> Kind:
    """What a table is to rights."""
    if temporary:
        return Kind.TEMPORARY
    return Kind.USER if kind is TableKind.USER else Kind.SHARED


def privileges_for(use: Use, kind: Kind) -> frozenset[Privilege]:
    """The privileges of which one is enough for a use."""
    right = RIGHTS.get((use, kind))
    return frozenset() if right is None else right.privileges


def is_allowed(use: Use, kind: Kind, relation: Relation, role: Role) -> bool:
    """Tell whether somebody with a role and a relation to a thing may use it so."""
    right = RIGHTS.get((use, kind))
    if right is None:
        return False
    if role in right.roles:
        return True
    return right.owner if relation is Relation.OWNER else relation is Relation.GRANTED and bool(right.privileges)


def may_make(kind: Kind, role: Role) -> bool:
    """Tell whether a role may make such a thing."""
    return role in MAKING[kind]


def may_say(statement: Statement, role: Role) -> bool:
    """Tell whether a role may send a statement that is about the server as a whole."""
    return role in OF_SERVER[type(statement)]


def may_act_for(actor: Role, subject: Role) -> bool:
    """Tell whether a role may act for another user of a role."""
    return subject in ACTING[actor]
