"""Who a statement runs for, and where its unqualified names resolve."""

from dataclasses import dataclass

from catalog.definition import TableDef, TableKind
from catalog.identifiers import DEFAULT_NAMESPACE, TableName
from flightserver.sql.statements import TableRef


@dataclass(frozen=True)
class Session:
    """One user's view of the database."""

    user: str
    namespace: str = DEFAULT_NAMESPACE

    def name(self, ref: TableRef) -> TableName:
        """The full name of a table as this session wrote it."""
        return TableName(ref.namespace or self.namespace, ref.table)

    def scope_user(self, table: TableDef) -> str | None:
        """Whose rows of `table` this session touches: its user's own, or the shared ones (None)."""
        return self.user if table.kind is TableKind.USER else None
