"""Who a statement runs for, what it sees, and when it must stop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from catalog.definition import Audit, TableDef, TableKind
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import DEFAULT_NAMESPACE, TableName
from catalog.roles import Identity, Role
from flightserver.access.door import Door, unnoticed
from flightserver.access.principal import FindIdentity, Principal, only_themselves
from flightserver.access.rights import Use, kind_of
from flightserver.activity.statement import Engine, RunningStatement
from flightserver.sql.statements import TableRef
from flightserver.temporary import TemporaryTables
from providers.commit.request import PLAIN, Request
from providers.commit.work import ScopeOf, Work
from providers.snapshot import Snapshot
from providers.stopping import Stop, never


def unwatched(_: TableDef) -> None:
    """For what is no statement of a client."""


def unbounded(_rows: int, _bytes: int) -> None:
    """For what gives nothing back to a client."""


@dataclass(frozen=True)
class Context:
    """One statement's view of the database.

    `work` is the committed state or a transaction; `temporary` are the tables of the session alone; `request` is what
    its changes bring to their commit. `find_identity` tells who the owners of views are. What the server asks for
    itself, to apply row policies, goes `past_policies` and everything else. `on_read` is told of each table whose reads
    are recorded, before any row of it is read; what it raises ends the statement. `on_hidden` is told when a statement
    names something that is there, and not for its user. `on_returned` is told how many rows and bytes of them a change
    is about to give back; what it raises leaves the change undone.
    """

    principal: Principal
    work: Work
    namespace: str = DEFAULT_NAMESPACE
    in_transaction: bool = False
    temporary: TemporaryTables = field(default_factory=TemporaryTables)
    statement: RunningStatement | None = None
    stop: Stop = never
    request: Request = PLAIN
    find_identity: FindIdentity = only_themselves
    past_policies: bool = False
    on_read: Callable[[TableDef], None] = unwatched
    on_hidden: Callable[[], None] = unnoticed
    on_returned: Callable[[int, int], None] = unbounded
    engine: Engine = Engine.AUTO

    @property
    def user(self) -> str:
        """Whose rows the statement reads and writes."""
        return self.principal.user

    @property
    def door(self) -> Door:
        """The way from names to tables and views, as the statement sees them now."""
        subject = self.principal.subject
        asker = Identity(subject.name, Role.SYSTEM) if self.past_policies else subject
        return Door(
            self.work.registry, asker, self.principal, self.find_identity, self.temporary.by_name, self.on_hidden
        )

    def unguarded(self) -> "Context":
        """The same statement past all policies, and without the tables of its session, which may hide others."""
        return replace(self, past_policies=True, temporary=TemporaryTables())

    def table(self, ref: TableRef, use: Use) -> TableDef:
        """The table that the statement means; NOT_FOUND when there is none that it may use so."""
        return self.door.table(self.name(ref), use)

    def refuse_making(self, kind: TableKind, *, temporary: bool) -> None:
        """Raise when the statement may not make such a table."""
        if temporary and self.principal.is_named:
            raise DatabaseError(ErrorKind.INVALID, "AS USER cannot make a temporary table: it would be of your session")
        self.door.refuse_making(kind_of(kind, temporary=temporary))

    def name(self, ref: TableRef) -> TableName:
        """The full name of a table as the statement wrote it."""
        return TableName(ref.namespace or self.namespace, ref.table)

    def snapshots(self, tables: Sequence[TableDef]) -> list[Snapshot]:
        """The rows of tables that the statement reads, as of one moment."""
        for table in tables:
            if table.options.audit is Audit.ALL:
                self.on_read(table)
        return self.work.snapshots([self.scope(table) for table in tables])

    def scope(self, table: TableDef) -> ScopeOf:
        """The scope of `table` that this user's statements touch: the user's own rows, or the shared ones."""
        return table, self.user if table.kind is TableKind.USER else None
