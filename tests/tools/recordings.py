"""What tools send first, and what they make of what their users click: one list, as data.

Each entry is a tool, what it sends, and what must come out: rows, or what is among the rows. What Grafana's plugin,
Metabase's driver and another dialect of Superset send is what their sources write out; the others have the forms that
these tools give their statements. All are over the tables that `test_tools.py` makes; names and moments are ours.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from flightserver.protocol import commands
from flightserver.protocol.commands import Command

Row = tuple[object, ...]

T0 = dt.datetime(2023, 1, 1)


@dataclass(frozen=True)
class Sent:
    """What a tool sends: a text or a command, and the rows that come out, or with `among` some of them.

    `None` says that there is nothing to compare: what comes is the server's own business.
    """

    tool: str
    asks: str | Command
    rows: Sequence[Row] | None = None
    among: bool = False

    @property
    def name(self) -> str:
        """What to call it in a list of tests."""
        return f"{self.tool}: {self.asks if isinstance(self.asks, str) else type(self.asks).__name__}"[:110]


def _dbeaver() -> list[Sent]:
    """DBeaver through JDBC: the driver makes commands of `DatabaseMetaData`, the data editor sends texts."""
    tool = "dbeaver"
    return [
        Sent(tool, commands.GetSqlInfo(())),
        Sent(tool, commands.GetCatalogs(), [("main",)]),
        Sent(tool, commands.GetDbSchemas("main", None), [("main", "public"), ("main", "shop")], among=True),
        Sent(tool, commands.GetTableTypes(), [("TABLE",), ("VIEW",)]),
        Sent(
            tool,
            commands.GetTables("main", "public", "%", (), include_schema=False),
            [("main", "public", "metrics", "TABLE"), ("main", "public", "recent", "VIEW")],
        ),
        Sent(tool, commands.GetTables("main", "public", "metrics", (), include_schema=True)),
        Sent(
            tool,
            commands.GetPrimaryKeys("metrics", "main", "public"),
            [("main", "public", "metrics", name, "metrics_pkey", n) for n, name in enumerate(("host", "time"), 1)],
        ),
        Sent(tool, commands.GetImportedKeys("metrics", "main", "public"), []),
        Sent(tool, commands.GetExportedKeys("metrics", "main", "public"), []),
        Sent(tool, commands.GetXdbcTypeInfo(None)),
        Sent(tool, "SET application_name = 'DBeaver 25.2.0 - Main <main>'"),
        Sent(tool, "SELECT current_schema(), current_user", [("public", "root")]),
        Sent(tool, "SELECT x.* FROM main.public.metrics x ORDER BY x.time", [("a", T0, 1.5), ("b", _later(660), 4.0)]),
        Sent(tool, "SELECT count(*) FROM (SELECT x.* FROM public.metrics x) dbvrcnt", [(2,)]),
        Sent(tool, "SELECT x.* FROM public.metrics x WHERE host = 'a' ORDER BY x.\"value\" DESC", [("a", T0, 1.5)]),
    ]


def _superset() -> list[Sent]:
    """Superset through SQLAlchemy: our dialect's reflection, the SQL lab, and a chart over time."""
    tool = "superset"
    window = "time >= '2023-01-01 00:00:00.000000' AND time < '2023-02-01 00:00:00.000000'"
    return [
        Sent(tool, "SELECT 1", [(1,)]),
        Sent(tool, "SELECT CURRENT_SCHEMA", [("public",)]),
        Sent(tool, "SHOW NAMESPACES", [("public",), ("shop",)], among=True),
        Sent(tool, 'SHOW TABLES IN "shop"', [("shop", "goods", "SHARED")]),
        Sent(
            tool,
            'DESCRIBE "shop"."goods"',
            [("id", "BIGINT", False, 1, None), ("price", "DECIMAL(10,2)", True, None, None)],
        ),
        Sent(
            tool,
            "SELECT DATE_TRUNC('hour', time) AS __timestamp, sum(value) AS \"SUM(value)\" FROM public.metrics"
            f" WHERE {window} GROUP BY DATE_TRUNC('hour', time) ORDER BY \"SUM(value)\" DESC LIMIT 10000",
            [(T0, 5.5)],
        ),
        Sent(
            tool,
            "SELECT host AS host, count(*) AS count FROM (SELECT * FROM metrics) AS virtual_table GROUP BY host"
            " ORDER BY count DESC, host LIMIT 1001",
            [("a", 1), ("b", 1)],
        ),
        Sent(tool, "SELECT * FROM public.metrics LIMIT 0", []),
        Sent(
            "superset, other dialect",
            "select distinct table_schema from information_schema.tables",
            [("shop",)],
            among=True,
        ),
        Sent(
            "superset, other dialect",
            "select table_name from information_schema.tables where table_schema = 'public'",
            [("metrics",), ("recent",)],
        ),
    ]


def _grafana() -> list[Sent]:
    """Grafana's Flight SQL plugin: what its editor asks, and its macros as it writes them out."""
    tool = "grafana"
    binned = "date_bin(interval '600 second', time, timestamp '1970-01-01T00:00:00Z')"
    within = "time >= '2023-01-01T00:00:00Z' AND time <= '2023-01-01T00:10:00Z'"
    parts = ("minute", "hour", "day", "month", "year")
    return [
        Sent(tool, commands.GetSqlInfo(())),
        Sent(
            tool,
            commands.GetTables(table_types=("BASE TABLE",)),
            [("main", "public", "metrics", "TABLE"), ("main", "shop", "goods", "TABLE")],
        ),
        Sent(tool, commands.GetTables(table_name_filter_pattern="metrics", include_schema=True)),
        Sent(
            tool,
            f"select {binned} as time_binned, avg(value) from metrics where {within} group by time_binned",
            [(T0, 1.5)],
        ),
        Sent(tool, f"select {binned} from metrics order by 1", [(T0,), (_later(600),)]),
        Sent(tool, "select * from metrics where time >= '2023-01-01T00:00:01Z'", [("b", _later(660), 4.0)]),
        Sent(tool, "select host from metrics where time <= '2023-01-01T00:10:00Z'", [("a",)]),
        Sent(
            tool,
            f"select {','.join(f'datepart({part!r}, time) as time_{part}' for part in parts)} from metrics"
            f" where {within}",
            [(0, 0, 1, 1, 2023)],
        ),
        Sent(
            tool,
            f"select {','.join(f'datepart({part!r}, time)' for part in parts[1:])},count(*) from metrics"
            f" group by {','.join(f'datepart({part!r}, time)' for part in parts[1:])}",
            [(0, 1, 1, 2023, 2)],
        ),
    ]


def _metabase() -> list[Sent]:
    """Metabase through JDBC: what a synchronisation asks, and a question."""
    tool = "metabase"
    kinds = (
        "TABLE",
        "PARTITIONED TABLE",
        "VIEW",
        "FOREIGN TABLE",
        "MATERIALIZED VIEW",
        "EXTERNAL TABLE",
        "DYNAMIC_TABLE",
    )
    return [
        Sent(tool, commands.GetTables("main", "shop", "%", kinds), [("main", "shop", "goods", "TABLE")]),
        Sent(
            tool,
            "SELECT table_name, table_schema FROM information_schema.tables WHERE LOWER(table_catalog) = LOWER('main')",
            [("metrics", "public"), ("recent", "public"), ("goods", "shop")],
            among=True,
        ),
        Sent(
            tool,
            'SELECT "column_name" AS "name", "ordinal_position" AS "database-position",'
            ' "table_schema" AS "table-schema", "table_name" AS "table-name", UPPER("data_type") AS "database-type",'
            ' FALSE AS "database-is-auto-increment",'
            ' CASE WHEN "is_nullable" = \'NO\' THEN TRUE ELSE FALSE END AS "database-required", \'\' AS "field-comment"'
            ' FROM "information_schema"."columns"'
            " WHERE (1 >= 1) AND (LOWER(\"table_schema\") IN ('shop')) AND (LOWER(\"table_name\") IN ('goods'))"
            ' ORDER BY "table_schema" ASC, "table_name" ASC, "ordinal_position" ASC',
            [
                ("id", 1, "shop", "goods", "BIGINT", False, True, ""),
                ("price", 2, "shop", "goods", "NUMERIC", False, False, ""),
            ],
        ),
        Sent(
            tool,
            'SELECT date_trunc(\'day\', "public"."metrics"."time") AS "time", SUM("public"."metrics"."value") AS "sum"'
            ' FROM "public"."metrics" GROUP BY date_trunc(\'day\', "public"."metrics"."time")'
            ' ORDER BY date_trunc(\'day\', "public"."metrics"."time") ASC',
            [(T0, 5.5)],
        ),
        Sent(
            tool,
            'SELECT "source"."host" AS "host" FROM (SELECT "public"."metrics"."host" AS "host" FROM "public"."metrics")'
            ' AS "source" GROUP BY "source"."host" ORDER BY "source"."host" ASC LIMIT 5000',
            [("a",), ("b",)],
        ),
        Sent(tool, 'SELECT TRUE AS _ FROM "public"."metrics" WHERE 1 <> 1 LIMIT 0', []),
    ]


def _power_bi() -> list[Sent]:
    """Power BI through ODBC: metadata by commands, and the texts that its folding makes."""
    tool = "power bi"
    return [
        Sent(tool, commands.GetDbSchemas(None, "%"), [("main", "public")], among=True),
        Sent(
            tool,
            commands.GetTables(None, "%", "%", ("TABLE", "VIEW")),
            [("main", "shop", "goods", "TABLE")],
            among=True,
        ),
        Sent(tool, 'select "id", "price" from "main"."shop"."goods"', [(1, 9.5)]),
        Sent(
            tool,
            'select "rows"."host" as "host", sum("rows"."value") as "a0" from (select "_"."host", "_"."value"'
            ' from "main"."public"."metrics" "_" where "_"."value" is not null) "rows" group by "host" order by 1',
            [("a", 1.5), ("b", 4.0)],
        ),
        Sent(
            tool,
            'select "_"."host" as "host", "_"."a0" as "a0" from (select "host", count(1) as "a0" from'
            ' "main"."public"."metrics" group by "host") "_" where not "_"."a0" is null order by "host" limit 1000',
            [("a", 1), ("b", 1)],
        ),
    ]


def _pandas() -> list[Sent]:
    """The library pandas through ADBC: `read_sql`, and what `to_sql` asks before it streams."""
    tool = "pandas"
    return [
        Sent(tool, commands.GetTables(None, None, "metrics", ()), [("main", "public", "metrics", "TABLE")]),
        Sent(tool, "SELECT * FROM metrics WHERE host = 'b'", [("b", _later(660), 4.0)]),
        Sent(tool, "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"),
        Sent(tool, "SELECT count(*) AS n FROM metrics", [(2,)]),
        Sent(tool, "COMMIT"),
    ]


def _of_postgresql() -> list[Sent]:
    """What people paste, and generic tools send, that were made for PostgreSQL."""
    tool = "postgresql's"
    return [
        Sent(tool, "SET extra_float_digits = 3"),
        Sent(tool, "SET client_encoding TO 'UTF8'"),
        Sent(tool, "SET TIME ZONE 'UTC'"),
        Sent(tool, "SHOW TRANSACTION ISOLATION LEVEL", [("repeatable read",)]),
        Sent(tool, "SHOW search_path", [("public",)]),
        Sent(tool, "show standard_conforming_strings", [("on",)]),
        Sent(tool, "SELECT version()"),
        Sent(tool, "SELECT current_database()", [("main",)]),
        Sent(
            tool,
            "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname = 'shop'",
            [("goods",)],
        ),
        Sent(
            tool,
            "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg_%' ORDER BY nspname",
            [("shop",)],
            among=True,
        ),
        Sent(
            tool,
            "SELECT a.attname AS column_name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS data_type,"
            " a.attnotnull AS not_null FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
            " WHERE c.relname = 'goods' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            [("id", "bigint", True), ("price", "numeric(10,2)", False)],
        ),
        Sent(
            tool,
            "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND"
            " a.attnum = ANY(i.indkey) JOIN pg_class c ON c.oid = i.indrelid WHERE c.relname ="
            " 'metrics' AND i.indisprimary ORDER BY a.attnum",
            [("host",), ("time",)],
        ),
        Sent(
            tool,
            "SELECT kcu.column_name FROM information_schema.table_constraints tc"
            " JOIN information_schema.key_column_usage kcu ON kcu.constraint_name ="
            " tc.constraint_name AND kcu.table_schema = tc.table_schema WHERE"
            " tc.constraint_type = 'PRIMARY KEY' AND tc.table_name = 'metrics' ORDER BY kcu.ordinal_position",
            [("host",), ("time",)],
        ),
    ]


def _later(seconds: int) -> dt.datetime:
    return T0 + dt.timedelta(seconds=seconds)


SENT = [*_dbeaver(), *_superset(), *_grafana(), *_metabase(), *_power_bi(), *_pandas(), *_of_postgresql()]
"""Everything, in the order in which each tool sends it."""
