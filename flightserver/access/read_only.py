"""What somebody who is read only may say, and what a read only transaction may have in it: one list of statements.

Whatever is not in it changes something.
"""

from catalog.errors import DatabaseError, ErrorKind
from flightserver.access.principal import Principal
from flightserver.sql.access_statements import ShowGrants
from flightserver.sql.statements import (
    Begin,
    Commit,
    Explain,
    Query,
    Release,
    ResetOption,
    Rollback,
    Savepoint,
    SetOption,
    SetTransaction,
    ShowOption,
    Statement,
    SubstraitQuery,
    UseNamespace,
)
from flightserver.sql.table_statements import (
    Describe,
    ShowColumns,
    ShowCreate,
    ShowJobs,
    ShowManifest,
    ShowManifestCache,
    ShowNamespaces,
    ShowTables,
)

CHANGES_NOTHING: frozenset[type[Statement]] = frozenset(
    {
        *(Query, SubstraitQuery, Explain, Describe),
        *(ShowNamespaces, ShowTables, ShowColumns, ShowCreate, ShowGrants, ShowJobs, ShowOption),
        *(ShowManifest, ShowManifestCache),
        *(Begin, Commit, Rollback, Savepoint, Release, SetOption, SetTransaction, ResetOption, UseNamespace),
    }
)


def refuse_change(principal: Principal, statement: Statement, *, in_read_only: bool = False) -> None:
    """Raise when a statement changes something and its principal, or the transaction it is in, is read only."""
    if type(statement) not in CHANGES_NOTHING:
        refuse_ingest(principal, in_read_only=in_read_only)


def refuse_ingest(principal: Principal, *, in_read_only: bool = False) -> None:
    """Raise when rows arrive, and their principal or the transaction is read only."""
    if principal.read_only:
        raise DatabaseError(ErrorKind.DENIED, "this login is read only: it may not change anything")
    if in_read_only:
        raise DatabaseError(ErrorKind.INVALID, "the transaction is read only: nothing may be changed in it")
