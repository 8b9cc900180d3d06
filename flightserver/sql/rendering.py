"""Definitions as the statements that make them anew; the parser reads back what is written here."""

from collections.abc import Sequence

from catalog.definition import Column, FlushPolicy, TableDef, TableKind, ViewDef
from catalog.identifiers import TableName, display_identifier
from catalog.types import format_type
from flightserver.sql.lifetimes import base_options, retention_text

_NUMBERS = frozenset({"bloom_fpp", "ttl_seconds", "max_bytes", "max_rows"})


def create_table_text(table: TableDef) -> str:
    """CREATE TABLE with columns, key, and the options that differ from the defaults."""
    lines = [_column(column, table) for column in table.visible_columns]
    if not table.has_hidden_key:
        lines.append(f"PRIMARY KEY ({_names(table.key_columns)})")
    lines += [f"CONSTRAINT {display_identifier(check.name)} CHECK ({check.condition})" for check in table.checks]
    lines += [
        f"CONSTRAINT {display_identifier(unique.name)} UNIQUE ({_names(table.columns_of(unique))})"
        for unique in table.uniques
    ]
    kind = "" if table.kind_name == TableKind.SHARED.value else f"{table.kind_name} "
    body = ",\n    ".join(lines)
    return f"CREATE {kind}TABLE {_full_name(table.name)} (\n    {body}\n){_options(table)}"


def create_view_text(view: ViewDef) -> str:
    """CREATE VIEW with the query as it was written."""
    return f"CREATE VIEW {_full_name(view.name)} AS {view.query}"


def _column(column: Column, table: TableDef) -> str:
    parts = [display_identifier(column.name), format_type(column.type)]
    if not column.nullable and column.id not in table.key:
        parts.append("NOT NULL")
    if column.default is not None:
        parts.append(f"DEFAULT {column.default}")
    return " ".join(parts)


def _options(table: TableDef) -> str:
    shown = option_literals(table)
    return f" WITH ({', '.join(f'{name} = {value}' for name, value in shown.items())})" if shown else ""


def option_literals(table: TableDef) -> dict[str, str]:
    """The options that differ from the defaults, each with its value as SQL writes it."""
    return {
        name: value if name in _NUMBERS else "'" + value.replace("'", "''") + "'"
        for name, value in option_values(table).items()
    }


def option_values(table: TableDef) -> dict[str, str]:
    """The options that differ from the defaults, each with its value as text."""
    defaults, options = base_options(is_stream=table.is_stream), table.options
    shown = _lifetime(table)
    if options.flush_policy != defaults.flush_policy:
        shown["flush_policy"] = _flush_policy(options.flush_policy)
    if options.bloom_columns:
        shown["bloom_columns"] = _names([table.by_id[number] for number in options.bloom_columns])
    if options.bloom_fpp != defaults.bloom_fpp:
        shown["bloom_fpp"] = f"{options.bloom_fpp}"
    if options.compression is not defaults.compression:
        shown["compression"] = options.compression.value
    if options.audit is not defaults.audit:
        shown["audit"] = options.audit.value
    if options.publication.format is not defaults.publication.format:
        shown["publish"] = options.publication.format.value
    if options.publication.retention_seconds != defaults.publication.retention_seconds:
        shown["publish_retention"] = retention_text(options.publication.retention_seconds)
    return shown


def _lifetime(table: TableDef) -> dict[str, str]:
    """How long rows stay, where that is not for ever. What a STREAM may take is always said."""
    stream, retention = table.options.stream, table.options.retention
    shown: dict[str, str] = {}
    if stream is not None:
        shown |= {"ttl_seconds": f"{stream.ttl_seconds:.12g}", "max_bytes": f"{stream.max_bytes}"}
        if stream.max_rows is not None:
            shown["max_rows"] = f"{stream.max_rows}"
    if retention is not None:
        shown["retention"] = retention_text(retention.seconds)
        if retention.column is not None:
            shown["retention_column"] = _names([table.by_id[retention.column]])
    return shown


def _flush_policy(policy: FlushPolicy) -> str:
    parts = [] if policy.rows is None else [f"rows:{policy.rows}"]
    if policy.interval_seconds is not None:
        parts.append(f"interval:{policy.interval_seconds:g}")
    return ",".join(parts) or "none"


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(display_identifier(column.name) for column in columns)


def _full_name(name: TableName) -> str:
    return f"{display_identifier(name.namespace)}.{display_identifier(name.table)}"
