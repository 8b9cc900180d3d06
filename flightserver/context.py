"""Who a statement runs for, what it sees, and when it must stop."""

from dataclasses import dataclass, field

from catalog.definition import TableDef, TableKind
from catalog.identifiers import DEFAULT_NAMESPACE, TableName
from flightserver.access.door import Door, Use
from flightserver.access.principal import Principal
from flightserver.activity.statement import RunningStatement
from flightserver.sql.statements import TableRef
from flightserver.temporary import TemporaryTables
from providers.commit.idempotency import Idempotency
from providers.commit.work import ScopeOf, Work
from providers.stopping import Stop, never


@dataclass(frozen=True)
class Context:
    """One statement's view of the database.

    `work` is the committed state or a transaction; `temporary` are the tables of the session alone. A change with the
    `idempotency` of an earlier one is not made again.
    """

    principal: Principal
    work: Work
    namespace: str = DEFAULT_NAMESPACE
    in_transaction: bool = False
    temporary: TemporaryTables = field(default_factory=TemporaryTables)
    statement: RunningStatement | None = None
    stop: Stop = never
    idempotency: Idempotency | None = None

    @property
    def user(self) -> str:
        """Whose rows the statement reads and writes."""
        return self.principal.user

    @property
    def door(self) -> Door:
        """The way from names to tables and views, as the statement sees them now."""
        return Door(self.work.registry, self.temporary.by_name)

    def table(self, ref: TableRef, use: Use) -> TableDef:
        """The table that the statement means; NOT_FOUND when there is none that it may use so."""
        return self.door.table(self.name(ref), use)

    def name(self, ref: TableRef) -> TableName:
        """The full name of a table as the statement wrote it."""
        return TableName(ref.namespace or self.namespace, ref.table)

    def scope(self, table: TableDef) -> ScopeOf:
        """The scope of `table` that this user's statements touch: the user's own rows, or the shared ones."""
        return table, self.user if table.kind is TableKind.USER else None
