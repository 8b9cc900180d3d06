"""`information_schema`: the tables of the standard, with the columns and words that PostgreSQL has in them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from catalog.definition import Check, Column, TableDef, ViewDef
from catalog.identifiers import CATALOG_NAME, PG_CATALOG
from flightserver.execution.catalogs.keys import key_name
from flightserver.execution.catalogs.seen import RelationKind, Seen, filled

YES, NO = "YES", "NO"
UNIQUE = "UNIQUE"

_TEXT, _NUMBER = pa.string(), pa.int32()


def _schema(names: str, numbers: str = "") -> pa.Schema:
    """A schema of columns by their names; those that are no text are numbers."""
    whole = set(numbers.split())
    return pa.schema([(name, _NUMBER if name in whole else _TEXT) for name in names.split()])


_SCHEMATA = _schema(
    "catalog_name schema_name schema_owner default_character_set_catalog default_character_set_schema"
    " default_character_set_name sql_path"
)
_TABLES = _schema(
    "table_catalog table_schema table_name table_type self_referencing_column_name reference_generation"
    " user_defined_type_catalog user_defined_type_schema user_defined_type_name is_insertable_into is_typed"
    " commit_action"
)
_COLUMNS = _schema(
    "table_catalog table_schema table_name column_name ordinal_position column_default is_nullable data_type"
    " character_maximum_length character_octet_length numeric_precision numeric_precision_radix numeric_scale"
    " datetime_precision interval_type interval_precision character_set_catalog character_set_schema"
    " character_set_name collation_catalog collation_schema collation_name domain_catalog domain_schema domain_name"
    " udt_catalog udt_schema udt_name scope_catalog scope_schema scope_name maximum_cardinality dtd_identifier"
    " is_self_referencing is_identity identity_generation identity_start identity_increment identity_maximum"
    " identity_minimum identity_cycle is_generated generation_expression is_updatable",
    "ordinal_position character_maximum_length character_octet_length numeric_precision numeric_precision_radix"
    " numeric_scale datetime_precision interval_precision maximum_cardinality",
)
_VIEWS = _schema(
    "table_catalog table_schema table_name view_definition check_option is_updatable is_insertable_into"
    " is_trigger_updatable is_trigger_deletable is_trigger_insertable_into"
)
_TABLE_CONSTRAINTS = _schema(
    "constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name constraint_type"
    " is_deferrable initially_deferred enforced nulls_distinct"
)
_CHECK_CONSTRAINTS = _schema("constraint_catalog constraint_schema constraint_name check_clause")
_KEY_COLUMN_USAGE = _schema(
    "constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name column_name"
    " ordinal_position position_in_unique_constraint",
    "ordinal_position position_in_unique_constraint",
)
_CONSTRAINT_COLUMN_USAGE = _schema(
    "table_catalog table_schema table_name column_name constraint_catalog constraint_schema constraint_name"
)
_REFERENTIAL_CONSTRAINTS = _schema(
    "constraint_catalog constraint_schema constraint_name unique_constraint_catalog unique_constraint_schema"
    " unique_constraint_name match_option update_rule delete_rule"
)


def _schemata(seen: Seen) -> pa.Table:
    names = seen.namespaces
    columns = {
        "catalog_name": CATALOG_NAME,
        "schema_name": names,
        "schema_owner": [seen.owner_of_namespace(name) for name in names],
    }
    return filled(_SCHEMATA, len(names), columns)


def _tables(seen: Seen) -> pa.Table:
    relations = seen.relations
    types = [RelationKind.VIEW.value if one.kind is RelationKind.COMPUTED else one.kind.value for one in relations]
    columns = {
        "table_catalog": CATALOG_NAME,
        "table_schema": [one.name.namespace for one in relations],
        "table_name": [one.name.table for one in relations],
        "table_type": types,
        "is_insertable_into": [NO if word == RelationKind.VIEW.value else YES for word in types],
        "is_typed": NO,
    }
    return filled(_TABLES, len(relations), columns)


def _columns(seen: Seen) -> pa.Table:
    found, relations = seen.columns, seen.relations
    names = pa.array([one.name.table for one in relations], _TEXT)
    namespaces = pa.array([one.name.namespace for one in relations], _TEXT)
    updatable = pa.array([YES if isinstance(one.found, TableDef) else NO for one in relations], _TEXT)

    def of_type(name: str, kind: pa.DataType = _NUMBER) -> pa.Array:
        return found.types.column(name, found.type, kind)

    columns = {
        "table_catalog": CATALOG_NAME,
        "table_schema": namespaces.take(found.relation),
        "table_name": names.take(found.relation),
        "column_name": found.name,
        "ordinal_position": found.position,
        "column_default": found.default,
        "is_nullable": pa.array([NO, YES], _TEXT).take(found.nullable.cast(pa.int8())),
        "data_type": of_type("words", _TEXT),
        "character_octet_length": of_type("octets"),
        "numeric_precision": of_type("precision"),
        "numeric_precision_radix": of_type("radix"),
        "numeric_scale": of_type("scale"),
        "datetime_precision": of_type("fraction_digits"),
        "udt_catalog": CATALOG_NAME,
        "udt_schema": PG_CATALOG,
        "udt_name": of_type("name", _TEXT),
        "dtd_identifier": found.position.cast(_TEXT),
        "is_self_referencing": NO,
        "is_identity": NO,
        "identity_cycle": NO,
        "is_generated": "NEVER",
        "is_updatable": updatable.take(found.relation),
    }
    return filled(_COLUMNS, len(found.name), columns)


def _views(seen: Seen) -> pa.Table:
    views = [one.found for one in seen.views if isinstance(one.found, ViewDef)]
    columns = {
        "table_catalog": CATALOG_NAME,
        "table_schema": [view.name.namespace for view in views],
        "table_name": [view.name.table for view in views],
        "view_definition": [view.query for view in views],
        "check_option": "NONE",
        **dict.fromkeys(_VIEWS.names[5:], NO),
    }
    return filled(_VIEWS, len(views), columns)


def _table_constraints(seen: Seen) -> pa.Table:
    checks = _checks(seen)
    alike = _of_columns(seen)
    tables = [*(one.table for one in alike), *(table for table, _ in checks)]
    columns = {
        **_of_tables(tables),
        "constraint_name": [*(one.name for one in alike), *(check.name for _, check in checks)],
        "constraint_type": [*(one.type for one in alike), *("CHECK" for _ in checks)],
        "is_deferrable": NO,
        "initially_deferred": NO,
        "enforced": YES,
        "nulls_distinct": [*(YES if one.type == UNIQUE else None for one in alike), *(None for _ in checks)],
    }
    return filled(_TABLE_CONSTRAINTS, len(tables), columns)


def _check_constraints(seen: Seen) -> pa.Table:
    checks = _checks(seen)
    columns = {
        "constraint_catalog": CATALOG_NAME,
        "constraint_schema": [table.name.namespace for table, _ in checks],
        "constraint_name": [check.name for _, check in checks],
        "check_clause": [check.condition for _, check in checks],
    }
    return filled(_CHECK_CONSTRAINTS, len(checks), columns)


def _checks(seen: Seen) -> list[tuple[TableDef, Check]]:
    """Every CHECK with its table."""
    tables = [one.found for one in seen.tables if isinstance(one.found, TableDef)]
    return [(table, check) for table in tables for check in table.checks]


def _key_column_usage(seen: Seen) -> pa.Table:
    used = [(one, place) for one in _of_columns(seen) for place in range(len(one.columns))]
    columns = {**_columns_used(used), "ordinal_position": [place + 1 for _, place in used]}
    return filled(_KEY_COLUMN_USAGE, len(used), columns)


def _constraint_column_usage(seen: Seen) -> pa.Table:
    used = [(one, place) for one in _of_columns(seen) for place in range(len(one.columns))]
    return filled(_CONSTRAINT_COLUMN_USAGE, len(used), _columns_used(used))


def _referential_constraints(_: Seen) -> pa.Table:
    return _REFERENTIAL_CONSTRAINTS.empty_table()


@dataclass(frozen=True)
class _OfColumns:
    """A constraint that is about columns: the key of a table, or a UNIQUE."""

    table: TableDef
    name: str
    type: str
    columns: tuple[Column, ...]


def _of_columns(seen: Seen) -> list[_OfColumns]:
    """All of them."""
    keys = [_OfColumns(table, key_name(table), "PRIMARY KEY", table.key_columns) for table in seen.keyed]
    return keys + [_OfColumns(table, unique.name, UNIQUE, table.columns_of(unique)) for table, unique in seen.uniques]


def _columns_used(used: list[tuple[_OfColumns, int]]) -> Mapping[str, object]:
    """A row for every column, by its place, of constraints."""
    return {
        **_of_tables([one.table for one, _ in used]),
        "constraint_name": [one.name for one, _ in used],
        "column_name": [one.columns[place].name for one, place in used],
    }


def _of_tables(tables: list[TableDef]) -> Mapping[str, object]:
    """The names of tables that have constraints."""
    namespaces = [table.name.namespace for table in tables]
    return {
        **dict.fromkeys(("constraint_catalog", "table_catalog"), CATALOG_NAME),
        **dict.fromkeys(("constraint_schema", "table_schema"), namespaces),
        "table_name": [table.name.table for table in tables],
    }


STANDARD: Mapping[str, tuple[pa.Schema, Callable[[Seen], pa.Table]]] = {
    "check_constraints": (_CHECK_CONSTRAINTS, _check_constraints),
    "columns": (_COLUMNS, _columns),
    "constraint_column_usage": (_CONSTRAINT_COLUMN_USAGE, _constraint_column_usage),
    "key_column_usage": (_KEY_COLUMN_USAGE, _key_column_usage),
    "referential_constraints": (_REFERENTIAL_CONSTRAINTS, _referential_constraints),
    "schemata": (_SCHEMATA, _schemata),
    "table_constraints": (_TABLE_CONSTRAINTS, _table_constraints),
    "tables": (_TABLES, _tables),
    "views": (_VIEWS, _views),
}
"""The tables of `information_schema`."""
