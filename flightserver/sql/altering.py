"""The grammar of what ALTER TABLE does to one column that is there: its DEFAULT, and whether it takes NULL."""

from flightserver.sql.table_statements import SetDefault, SetNullable
from flightserver.sql.text.cursor import Cursor, stop_at


def parse_alter_column(cursor: Cursor) -> SetDefault | SetNullable:
    """Read what follows ALTER within ALTER TABLE: `[COLUMN] c SET | DROP …`."""
    cursor.accept("COLUMN")
    name = cursor.name("column")
    if cursor.accept("SET", "DEFAULT"):
        return SetDefault(name, _default_text(cursor))
    if cursor.accept("DROP", "DEFAULT"):
        return SetDefault(name, None)
    if cursor.accept("SET", "NOT", "NULL"):
        return SetNullable(name, nullable=False)
    if cursor.accept("DROP", "NOT", "NULL"):
        return SetNullable(name, nullable=True)
    if cursor.at("TYPE") or cursor.at("SET", "DATA"):
        raise cursor.unsupported("a column keeps its type; add one of the other type, then UPDATE, DROP and RENAME")
    raise cursor.unsupported(
        f"expected SET DEFAULT, DROP DEFAULT, SET NOT NULL or DROP NOT NULL, found {cursor.found()}"
    )


def _default_text(cursor: Cursor) -> str:
    """Cut out the expression behind DEFAULT, up to the next action."""
    return cursor.slice_until("default", stop_at(","))
