"""What the keys of tables are called: they have no names of their own, and so they get PostgreSQL's."""

from catalog.definition import TableDef


def key_name(table: TableDef) -> str:
    """The name of a table's key."""
    return f"{table.name.table}_pkey"
