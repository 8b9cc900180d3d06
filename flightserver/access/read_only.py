"""What somebody who is read only may say: one list of kinds of statements. Whatever is not in it changes something."""

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
        *(Begin, Commit, Rollback, Savepoint, Release, SetOption, ResetOption, UseNamespace),
    }
)


def refuse_change(principal: Principal, statement: Statement) -> None:
    """Raise DENIED when a statement changes something and its principal may not."""
    if principal.read_only and type(statement) not in CHANGES_NOTHING:
        raise _denied()


def refuse_ingest(principal: Principal) -> None:
    """Raise DENIED when the principal of rows that arrive may not change anything."""
    if principal.read_only:
        raise _denied()


def _denied() -> DatabaseError:
    return DatabaseError(ErrorKind.DENIED, "this login is read only: it may not change anything")
