"""A small `pg_catalog`: what tools ask of namespaces, relations, their columns, types and keys.

Columns that tell of what there is not here have the value that PostgreSQL gives them for what has none of it.
"""

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa

from catalog.definition import TableDef, Unique, ViewDef
from catalog.identifiers import CATALOG_NAME, TableName
from flightserver.execution.catalogs.keys import key_name
from flightserver.execution.catalogs.numbers import (
    DATABASE,
    OF_PG_CATALOG,
    OF_PG_CLASS,
    SUPERUSER,
    constraint_number,
    default_number,
    index_number,
    namespace_number,
    relation_number,
    role_number,
)
from flightserver.execution.catalogs.seen import Relation, RelationKind, Seen, filled
from flightserver.sql.postgres_types import PLAIN_TYPES, column_of
from flightserver.sql.rendering import option_values

_UTF8 = 6
_KINDS = {
    "oid": pa.int64(),
    "int": pa.int32(),
    "short": pa.int16(),
    "shorts": pa.list_(pa.int16()),
    "text": pa.string(),
    "texts": pa.list_(pa.string()),
    "bool": pa.bool_(),
    "real": pa.float32(),
}
_SHORT, _OID, _TEXT = _KINDS["short"], _KINDS["oid"], _KINDS["text"]


def _schema(**columns: str) -> pa.Schema:
    """A schema of columns by their types, each with several names."""
    return pa.schema([(name, _KINDS[kind]) for kind, names in columns.items() for name in names.split()])


def _in_order(schema: pa.Schema, order: str) -> pa.Schema:
    return pa.schema([schema.field(name) for name in order.split()])


_NAMESPACE = _in_order(
    _schema(oid="oid nspowner", text="nspname", texts="nspacl"),
    "oid nspname nspowner nspacl",
)
_CLASS = _in_order(
    _schema(
        oid="oid relnamespace reltype reloftype relowner relam relfilenode reltablespace reltoastrelid relrewrite",
        text="relname relpersistence relkind relreplident relpartbound",
        int="relpages relallvisible",
        real="reltuples",
        short="relnatts relchecks",
        bool="relhasindex relisshared relhasrules relhastriggers relhassubclass relrowsecurity relforcerowsecurity"
        " relispopulated relispartition",
        texts="relacl reloptions",
    ),
    "oid relname relnamespace reltype reloftype relowner relam relfilenode reltablespace relpages reltuples"
    " relallvisible reltoastrelid relhasindex relisshared relpersistence relkind relnatts relchecks relhasrules"
    " relhastriggers relhassubclass relrowsecurity relforcerowsecurity relispopulated relreplident relispartition"
    " relrewrite relacl reloptions relpartbound",
)
_ATTRIBUTE = _in_order(
    _schema(
        oid="attrelid atttypid attcollation",
        text="attname attidentity attgenerated",
        short="attlen attnum attndims attinhcount",
        int="atttypmod attstattarget",
        bool="attnotnull atthasdef atthasmissing attisdropped attislocal",
        texts="attacl attoptions",
    ),
    "attrelid attname atttypid attlen attnum atttypmod attndims attnotnull atthasdef atthasmissing attidentity"
    " attgenerated attisdropped attislocal attinhcount attcollation attstattarget attacl attoptions",
)
_ATTRDEF = _in_order(_schema(oid="oid adrelid", short="adnum", text="adbin"), "oid adrelid adnum adbin")
_TYPE = _in_order(
    _schema(
        oid="oid typnamespace typowner typrelid typelem typarray typbasetype typcollation",
        text="typname typtype typcategory typdelim typdefault",
        short="typlen",
        int="typtypmod typndims",
        bool="typispreferred typisdefined typnotnull",
    ),
    "oid typname typnamespace typowner typlen typtype typcategory typispreferred typisdefined typdelim typrelid"
    " typelem typarray typnotnull typbasetype typtypmod typndims typcollation typdefault",
)
_DATABASE = _in_order(
    _schema(
        oid="oid datdba dattablespace",
        text="datname datcollate datctype",
        int="encoding datconnlimit",
        bool="datistemplate datallowconn",
        texts="datacl",
    ),
    "oid datname datdba encoding datcollate datctype datistemplate datallowconn datconnlimit dattablespace datacl",
)
_CONSTRAINT = _in_order(
    _schema(
        oid="oid connamespace conrelid contypid conindid conparentid confrelid",
        text="conname contype confupdtype confdeltype confmatchtype conbin",
        bool="condeferrable condeferred convalidated conislocal connoinherit",
        short="coninhcount",
        shorts="conkey confkey",
    ),
    "oid conname connamespace contype condeferrable condeferred convalidated conrelid contypid conindid conparentid"
    " confrelid confupdtype confdeltype confmatchtype conislocal coninhcount connoinherit conkey confkey conbin",
)
_INDEX = _in_order(
    _schema(
        oid="indexrelid indrelid",
        short="indnatts indnkeyatts",
        bool="indisunique indisprimary indisexclusion indimmediate indisclustered indisvalid indisready indislive",
        shorts="indkey",
        text="indexprs indpred",
    ),
    "indexrelid indrelid indnatts indnkeyatts indisunique indisprimary indisexclusion indimmediate indisclustered"
    " indisvalid indisready indislive indkey indexprs indpred",
)
_DESCRIPTION = _schema(oid="objoid classoid", int="objsubid", text="description")
_ROLES = _in_order(
    _schema(oid="oid", text="rolname", bool="rolsuper rolinherit rolcreaterole rolcreatedb rolcanlogin rolreplication"),
    "oid rolname rolsuper rolinherit rolcreaterole rolcreatedb rolcanlogin rolreplication",
)
_TABLES = _in_order(
    _schema(text="schemaname tablename tableowner tablespace", bool="hasindexes hasrules hastriggers rowsecurity"),
    "schemaname tablename tableowner tablespace hasindexes hasrules hastriggers rowsecurity",
)
_VIEWS = _schema(text="schemaname viewname viewowner definition")


def _namespaces(seen: Seen) -> pa.Table:
    names = seen.namespaces
    columns = {
        "oid": [namespace_number(name) for name in names],
        "nspname": names,
        "nspowner": [role_number(seen.owner_of_namespace(name)) for name in names],
    }
    return filled(_NAMESPACE, len(names), columns)


def _classes(seen: Seen) -> pa.Table:
    """Relations, and behind them what would be the indexes of keys."""
    relations, keyed = seen.relations, seen.keyed
    rows = len(relations) + len(keyed)
    names = [*(one.name for one in relations), *map(_key, keyed)]
    owners = [*(seen.shown_owner(one.owner) for one in relations), *(seen.shown_owner(one.owner) for one in keyed)]
    temporary = {one.name for one in seen.tables if one.kind is RelationKind.TEMPORARY}
    columns = {
        "oid": [*map(_relation_number, relations), *(index_number(_key(table)) for table in keyed)],
        "relname": [name.table for name in names],
        "relnamespace": [namespace_number(name.namespace) for name in names],
        "relowner": [role_number(owner) for owner in owners],
        "relkind": [*("r" if isinstance(one.found, TableDef) else "v" for one in relations), *("i" for _ in keyed)],
        "relnatts": [*map(_width, relations), *(len(table.key) for table in keyed)],
        "relhasindex": [*(_is_keyed(one) for one in relations), *(False for _ in keyed)],
        "relpersistence": [
            *("t" if one.name in temporary else "p" for one in relations),
            *("t" if table.name in temporary else "p" for table in keyed),
        ],
        "relispopulated": True,
        "relreplident": "d",
        "reltuples": -1.0,
        "reloptions": [*map(_options, relations), *(None for _ in keyed)],
        **dict.fromkeys(("relchecks", "relpages", "relallvisible"), 0),
        **dict.fromkeys(("relrewrite", "reltoastrelid", "reltablespace", "relfilenode", "relam", "reloftype"), 0),
        "reltype": 0,
        **dict.fromkeys(("relisshared", "relhasrules", "relhastriggers", "relhassubclass", "relispartition"), False),
        **dict.fromkeys(("relrowsecurity", "relforcerowsecurity"), False),
    }
    return filled(_CLASS, rows, columns)


def _attributes(seen: Seen) -> pa.Table:
    found = seen.columns
    owners = pa.array(map(_relation_number, seen.relations), _OID)
    of_type = found.types.column
    columns = {
        "attrelid": owners.take(found.relation),
        "attname": found.name,
        "atttypid": of_type("oid", found.type, _OID),
        "attlen": of_type("size", found.type, _SHORT),
        "attnum": found.position,
        "atttypmod": of_type("modifier", found.type, pa.int32()),
        "attndims": of_type("dimensions", found.type, _SHORT),
        "attnotnull": found.not_null,
        "atthasdef": found.default.is_valid(),
        **dict.fromkeys(("attidentity", "attgenerated"), ""),
        **dict.fromkeys(("atthasmissing", "attisdropped"), False),
        "attislocal": True,
        **dict.fromkeys(("attinhcount", "attcollation"), 0),
        "attstattarget": -1,
    }
    return filled(_ATTRIBUTE, len(found.name), columns)


def _defaults(seen: Seen) -> pa.Table:
    found = seen.columns
    has = found.default.is_valid()
    owners = pa.array(map(_relation_number, seen.relations), _OID).take(found.relation.filter(has))
    positions = found.position.filter(has)
    pairs = zip(owners.to_pylist(), positions.to_pylist(), strict=True)
    columns = {
        "oid": [default_number(*pair) for pair in pairs],
        "adrelid": owners,
        "adnum": positions,
        "adbin": found.default.filter(has),
    }
    return filled(_ATTRDEF, len(owners), columns)


def _types(_: Seen) -> pa.Table:
    types = [*PLAIN_TYPES, *(one.array for one in PLAIN_TYPES)]
    columns = {
        "oid": column_of(types, "oid", _OID),
        "typname": column_of(types, "name", _TEXT),
        "typnamespace": OF_PG_CATALOG,
        "typowner": SUPERUSER,
        "typlen": column_of(types, "size", _SHORT),
        "typtype": ["p" if one.category == "P" else "b" for one in types],
        "typcategory": column_of(types, "category", _TEXT),
        "typelem": column_of(types, "element_oid", _OID),
        "typarray": column_of(types, "array_oid", _OID),
        "typisdefined": True,
        "typdelim": ",",
        "typtypmod": -1,
        **dict.fromkeys(("typrelid", "typbasetype", "typndims", "typcollation"), 0),
        **dict.fromkeys(("typispreferred", "typnotnull"), False),
    }
    return filled(_TYPE, len(types), columns)


def _databases(_: Seen) -> pa.Table:
    columns = {
        "oid": DATABASE,
        "datname": CATALOG_NAME,
        "datdba": SUPERUSER,
        "encoding": _UTF8,
        **dict.fromkeys(("datcollate", "datctype"), "C"),
        "datistemplate": False,
        "datallowconn": True,
        "datconnlimit": -1,
        "dattablespace": 0,
    }
    return filled(_DATABASE, 1, columns)


def _constraints(seen: Seen) -> pa.Table:
    keyed, uniques = seen.keyed, seen.uniques
    tables = [*keyed, *(table for table, _ in uniques)]
    columns = {
        "oid": [constraint_number(name) for name in [*map(_key, keyed), *(_unique(*one) for one in uniques)]],
        "conname": [*map(key_name, keyed), *(unique.name for _, unique in uniques)],
        "connamespace": [namespace_number(table.name.namespace) for table in tables],
        "contype": [*("p" for _ in keyed), *("u" for _ in uniques)],
        "conrelid": [relation_number(table.name) for table in tables],
        "conindid": [*(index_number(_key(table)) for table in keyed), *(0 for _ in uniques)],
        "conkey": [*map(_places, keyed), *(_places(table, unique.columns) for table, unique in uniques)],
        **dict.fromkeys(("convalidated", "conislocal", "connoinherit"), True),
        **dict.fromkeys(("condeferrable", "condeferred"), False),
        **dict.fromkeys(("contypid", "conparentid", "confrelid", "coninhcount"), 0),
        **dict.fromkeys(("confupdtype", "confdeltype", "confmatchtype"), " "),
    }
    return filled(_CONSTRAINT, len(tables), columns)


def _indexes(seen: Seen) -> pa.Table:
    keyed = seen.keyed
    widths = [len(table.key) for table in keyed]
    columns = {
        "indexrelid": [index_number(_key(table)) for table in keyed],
        "indrelid": [relation_number(table.name) for table in keyed],
        "indnatts": widths,
        "indnkeyatts": widths,
        **dict.fromkeys(("indisunique", "indisprimary", "indimmediate"), True),
        **dict.fromkeys(("indisvalid", "indisready", "indislive"), True),
        **dict.fromkeys(("indisexclusion", "indisclustered"), False),
        "indkey": [_places(table) for table in keyed],
    }
    return filled(_INDEX, len(keyed), columns)


def _descriptions(seen: Seen) -> pa.Table:
    """The comments on tables, at place 0, and on their columns."""
    found = [
        (relation_number(table.name), place, comment)
        for table in (one.found for one in seen.tables)
        if isinstance(table, TableDef)
        for place, comment in enumerate([table.comment, *(column.comment for column in table.visible_columns)])
        if comment
    ]
    numbers, places, comments = zip(*found, strict=True) if found else ((), (), ())
    columns = {"objoid": numbers, "classoid": OF_PG_CLASS, "objsubid": places, "description": comments}
    return filled(_DESCRIPTION, len(found), columns)


def _roles(seen: Seen) -> pa.Table:
    """Who asks."""
    columns = {
        "oid": role_number(seen.asker),
        "rolname": seen.asker,
        "rolsuper": seen.is_admin,
        **dict.fromkeys(("rolinherit", "rolcanlogin"), True),
        "rolcreaterole": seen.is_admin,
        **dict.fromkeys(("rolcreatedb", "rolreplication"), False),
    }
    return filled(_ROLES, 1, columns)


def _tables(seen: Seen) -> pa.Table:
    tables = seen.tables
    columns = {
        "schemaname": [one.name.namespace for one in tables],
        "tablename": [one.name.table for one in tables],
        "tableowner": [seen.shown_owner(one.owner) for one in tables],
        "hasindexes": [_is_keyed(one) for one in tables],
        **dict.fromkeys(("hasrules", "hastriggers", "rowsecurity"), False),
    }
    return filled(_TABLES, len(tables), columns)


def _views(seen: Seen) -> pa.Table:
    views = [one.found for one in seen.views if isinstance(one.found, ViewDef)]
    columns = {
        "schemaname": [view.name.namespace for view in views],
        "viewname": [view.name.table for view in views],
        "viewowner": [seen.shown_owner(view.owner) for view in views],
        "definition": [view.query for view in views],
    }
    return filled(_VIEWS, len(views), columns)


def _key(table: TableDef) -> TableName:
    return TableName(table.name.namespace, key_name(table))


def _unique(table: TableDef, unique: Unique) -> TableName:
    """A name that no other constraint of the namespace has: those of tables are each their own."""
    return TableName(table.name.namespace, f"{table.name.table}.{unique.name}")


def _relation_number(relation: Relation) -> int:
    return relation_number(relation.name)


def _options(relation: Relation) -> list[str] | None:
    """The options of a table that are not the defaults; none of a table that has no others."""
    if not isinstance(relation.found, TableDef):
        return None
    return [f"{name}={value}" for name, value in option_values(relation.found).items()] or None


def _is_keyed(relation: Relation) -> bool:
    return isinstance(relation.found, TableDef) and not relation.found.has_hidden_key


def _width(relation: Relation) -> int | None:
    """How many columns a relation has; of a view that is for `pg_attribute` to say."""
    if isinstance(relation.found, TableDef):
        return len(relation.found.visible_columns)
    return None if isinstance(relation.found, ViewDef) else len(relation.found.schema)


def _places(table: TableDef, columns: Sequence[int] | None = None) -> list[int]:
    """Where columns, those of the key if none are given, stand among those of their table, from 1."""
    places = {column.id: place for place, column in enumerate(table.visible_columns, start=1)}
    return [places[column] for column in (table.key if columns is None else columns)]


POSTGRESQL: Mapping[str, tuple[pa.Schema, Callable[[Seen], pa.Table]]] = {
    "pg_attrdef": (_ATTRDEF, _defaults),
    "pg_attribute": (_ATTRIBUTE, _attributes),
    "pg_class": (_CLASS, _classes),
    "pg_constraint": (_CONSTRAINT, _constraints),
    "pg_database": (_DATABASE, _databases),
    "pg_description": (_DESCRIPTION, _descriptions),
    "pg_index": (_INDEX, _indexes),
    "pg_namespace": (_NAMESPACE, _namespaces),
    "pg_roles": (_ROLES, _roles),
    "pg_tables": (_TABLES, _tables),
    "pg_type": (_TYPE, _types),
    "pg_views": (_VIEWS, _views),
}
"""The tables of `pg_catalog`."""
