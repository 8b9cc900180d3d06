"""The definition that a change was made by, held against the one that it is committed by.

A statement looks its table up before it waits: for its rows, for a stream, for a lock. Whoever commits the change holds
what keeps the definition as it is (the scope's writer lock, or the transaction's), and asks here. A change that was
found in the table's rows holds for the definition that they were read by and for no other: a column that has come since
is not in it. Rows that a client offered hold as long as the columns that they name are the same,
what fills the others, and the constraints that they were held against.
"""

from collections.abc import Collection

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind


class StaleDefinitionError(DatabaseError):
    """A table is not the one any more that a statement was made for; nothing of the statement was written.

    What can be made again, from a text and its parameters, may be made for the table as it is now. A stream cannot.
    """


def require_same(made_by: TableDef, now: TableDef) -> None:
    """Raise for a change of the table's own rows that was made by another definition."""
    if made_by.version != now.version:
        raise changed(now)


def require_columns(made_by: TableDef, now: TableDef, named: Collection[str]) -> None:
    """Raise for rows that name a column which has another name now, or is gone, or by which less was demanded."""
    if made_by.version != now.version:
        if not _demands_all(made_by, now) or not _fills_alike(made_by, now, named):
            raise changed(now)
        for name in named:
            column = now.by_name.get(name)
            if column is None or column.id != made_by.column(name).id:
                raise changed(now)


def _demands_all(made_by: TableDef, now: TableDef) -> bool:
    """Tell whether rows were held against all that is demanded now. A new NOT NULL column has its DEFAULT."""
    required = now.demands[1] & made_by.by_id.keys()
    same = made_by.checks == now.checks and {*now.uniques} <= {*made_by.uniques}
    return same and required <= made_by.demands[1]


def _fills_alike(made_by: TableDef, now: TableDef, named: Collection[str]) -> bool:
    """Tell whether columns that no row names have the same DEFAULT still, as far as they are there."""
    filled = ((column, now.by_id.get(column.id)) for column in made_by.columns if column.name not in named)
    return all(after is None or after.default == column.default for column, after in filled)


def dropped(table: TableDef) -> StaleDefinitionError:
    """What is left to say of a table that is gone."""
    return StaleDefinitionError(ErrorKind.NOT_FOUND, f"table {table.name} was dropped")


def changed(table: TableDef) -> StaleDefinitionError:
    """What is said of a table that is another one by now."""
    return StaleDefinitionError(
        ErrorKind.CONFLICT, f"the definition of {table.name} was changed while the statement ran; run it again"
    )
