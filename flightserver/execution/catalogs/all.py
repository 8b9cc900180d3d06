"""Every table of the catalogs by its full name, ready to be read."""

from collections.abc import Callable, Mapping

import pyarrow as pa

from catalog.identifiers import INFORMATION_SCHEMA, PG_CATALOG, TableName
from flightserver.context import Context
from flightserver.execution.catalogs.information_schema import STANDARD
from flightserver.execution.catalogs.pg_catalog import POSTGRESQL
from flightserver.execution.catalogs.seen import DescribeView, Seen
from flightserver.execution.system import SystemTable

_CATALOGS = {INFORMATION_SCHEMA: STANDARD, PG_CATALOG: POSTGRESQL}


def catalog_tables(
    system: Mapping[TableName, SystemTable], describe_view: DescribeView
) -> dict[TableName, SystemTable]:
    """The tables of the catalogs; they tell of themselves, too, and of the other tables that the server computes."""
    computed = dict(system)

    def of(schema: pa.Schema, make: Callable[[Seen], pa.Table]) -> SystemTable:
        def rows(context: Context) -> pa.Table:
            return make(Seen(context, computed, describe_view))

        return SystemTable(schema, rows)

    made = {
        TableName(namespace, name): of(schema, make)
        for namespace, tables in _CATALOGS.items()
        for name, (schema, make) in tables.items()
    }
    computed |= made
    return made
