"""The grammar of statements that define things: namespaces, tables, columns, views.

What a definition asks for is either kept or refused; no clause is read and dropped. Values leave here checked as far as
the statement itself allows: names, types, keys, defaults and options are consistent with each other.
"""

from dataclasses import replace

from catalog.definition import TableKind
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import RESERVED_NAMESPACES, quote_identifier
from flightserver.sql import server, users
from flightserver.sql.access_statements import NamespaceRef
from flightserver.sql.altering import read_action
from flightserver.sql.columns import constraint_name, key_constraint
from flightserver.sql.grants import parse_owner
from flightserver.sql.options import check_option_names, option_list
from flightserver.sql.policies import parse_create_policy, parse_drop_policy
from flightserver.sql.statements import Statement, TableRef
from flightserver.sql.table_elements import (
    Elements,
    Kind,
    checked_table,
    only_key,
    read_element,
    read_whole,
    refuse_repeated,
)
from flightserver.sql.table_statements import (
    AlterTable,
    CreateNamespace,
    CreateTable,
    CreateTableAs,
    CreateTableLike,
    CreateView,
    DropNamespace,
    DropTable,
    DropView,
    RenameTable,
)
from flightserver.sql.text.cursor import Cursor
from flightserver.sql.text.queries import QueryReader
from flightserver.sql.text.query_text import QueryText


def parse_create(cursor: QueryReader) -> Statement:
    """Read what follows CREATE."""
    if cursor.accept("POLICY"):
        return parse_create_policy(cursor)
    or_replace = cursor.accept("OR", "REPLACE")
    if cursor.accept("VIEW"):
        return _create_view(cursor, or_replace)
    if or_replace:
        return _replacing(cursor)
    if _accept_user(cursor):
        return users.parse_create_user(cursor)
    if cursor.accept("TOKEN"):
        return users.parse_create_token(cursor)
    if cursor.accept_any("NAMESPACE", "SCHEMA"):
        if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
        return CreateNamespace(_user_namespace(cursor), if_not_exists)
    return _create_any_table(cursor)


def _replacing(cursor: QueryReader) -> CreateTable | CreateTableAs | CreateTableLike:
    """Read a table that takes the place of the one of its name."""
    start = cursor.peek()
    made = _create_any_table(cursor)
    if made.if_not_exists:
        raise cursor.error("OR REPLACE and IF NOT EXISTS contradict each other", ErrorKind.INVALID, start)
    return replace(made, or_replace=True)


def _create_any_table(cursor: QueryReader) -> CreateTable | CreateTableAs | CreateTableLike:
    """Read `[TEMPORARY | TEMP | [SHARED | USER] [STREAM]] TABLE …`."""
    if cursor.accept_any("TEMPORARY", "TEMP"):
        if cursor.at("STREAM"):
            raise cursor.unsupported("a STREAM table is not temporary: its rows are, by its ttl_seconds")
        cursor.expect("TABLE")
        return replace(_create_table(cursor, Kind(TableKind.SHARED, is_said=False)), temporary=True)
    kind = _table_kind(cursor)
    if cursor.accept("TABLE"):
        return _create_table(cursor, kind)
    raise cursor.unsupported(f"CREATE {cursor.peek().text.upper()[:40]} is not supported")


def _accept_user(cursor: Cursor) -> bool:
    """Consume USER where it is not the kind of a table."""
    is_kind = cursor.at("USER", "TABLE") or cursor.at("USER", "STREAM", "TABLE")
    return not is_kind and cursor.accept("USER")


def _table_kind(cursor: Cursor) -> Kind:
    """Read `[SHARED | USER] [STREAM]` before TABLE. A STREAM that says no more has rows of each user."""
    for kind in TableKind:
        if cursor.at(kind.value, "STREAM", "TABLE"):
            cursor.next()
            cursor.next()
            return Kind(kind, is_stream=True)
        if cursor.accept_before(kind.value, "TABLE"):
            return Kind(kind)
    if cursor.accept_before("STREAM", "TABLE"):
        return Kind(TableKind.USER, is_stream=True)
    return Kind(TableKind.SHARED, is_said=False)


def _user_namespace(cursor: Cursor) -> str:
    token = cursor.peek()
    name = cursor.namespace()
    if name in RESERVED_NAMESPACES:
        raise cursor.error(f"the namespace name {name!r} is reserved", ErrorKind.INVALID, token)
    return name


def _user_table(cursor: Cursor, what: str = "table") -> TableRef:
    token = cursor.peek()
    table = cursor.table(what)
    if table.namespace in RESERVED_NAMESPACES:
        message = f"the namespace {table.namespace!r} is reserved; nothing can be created, changed or dropped there"
        raise cursor.error(message, ErrorKind.INVALID, token)
    return table


def _create_view(cursor: Cursor, or_replace: bool) -> CreateView:
    if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
    view = _user_table(cursor, "view")
    columns = _column_list(cursor) if cursor.at("(") else None
    cursor.expect("AS")
    query = _query(cursor)
    if columns is not None:
        query = QueryText.joined(["SELECT * FROM (", query, ") AS ", quote_identifier(view.table), columns])
    return CreateView(view, or_replace, if_not_exists, query)


def _column_list(cursor: Cursor) -> QueryText:
    """Read `(column, …)`, as a part of the text."""
    first = cursor.position
    refuse_repeated(cursor.names("column"), "column")
    return cursor.part_from(first)


def _query(cursor: Cursor) -> QueryText:
    if not cursor.at_any("SELECT", "WITH", "VALUES", "FROM", "TABLE", "("):
        raise cursor.error(f"expected a query, found {cursor.found()}")
    return cursor.rest("query")


def _create_table(cursor: QueryReader, kind: Kind) -> CreateTable | CreateTableAs | CreateTableLike:
    if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
    table = _user_table(cursor)
    place = cursor.peek()
    elements = Elements()
    if cursor.accept("("):
        cursor.separated(lambda: read_element(cursor, elements))
        cursor.expect(")")
    elif cursor.accept("LIKE"):
        elements.columns.append(read_whole(cursor))
    elif key := key_constraint(cursor, is_named=constraint_name(cursor) is not None):
        elements.keys.append(key)
    options = _with_options(cursor)
    if elements.has_likeness:
        return _like(cursor, CreateTableLike(table, kind.of_rows, if_not_exists, (), (), options), kind, elements)
    has_query = cursor.accept("AS")
    key = only_key(elements.keys)
    if has_query and not elements.columns:
        check_option_names(options)
        query = _query(cursor)
        if elements.checks or elements.uniques:
            raise cursor.error("a constraint needs the columns that it is about; list them", ErrorKind.INVALID, place)
        return CreateTableAs(table, kind.of_rows, if_not_exists, key, options, query, is_stream=kind.is_stream)
    if not elements.columns:
        raise cursor.error("a table needs columns or AS and a query", ErrorKind.INVALID, place)
    try:
        made = checked_table(table, kind, if_not_exists, elements, key, options)
    except DatabaseError as error:
        raise DatabaseError(error.kind, f"table {table}: {error.message}") from None
    return _filled(made, _query(cursor)) if has_query else made


def _like(cursor: Cursor, made: CreateTableLike, kind: Kind, elements: Elements) -> CreateTableLike:
    """A table whose columns are not known yet: what they must be together is looked at with them."""
    if cursor.at("AS"):
        raise cursor.unsupported("LIKE and AS do not stand together; create the table, then INSERT the query's rows")
    check_option_names(made.options)
    return replace(
        made,
        kind=kind.of_rows if kind.is_said else None,
        is_stream=kind.is_stream,
        columns=tuple(elements.columns),
        keys=tuple(elements.keys),
        checks=tuple(elements.checks),
        uniques=tuple(elements.uniques),
    )


def _filled(made: CreateTable, query: QueryText) -> CreateTableAs:
    """The same table with the rows of a query."""
    return CreateTableAs(
        made.table,
        made.kind,
        made.if_not_exists,
        made.primary_key,
        made.options,
        query,
        is_stream=made.is_stream,
        columns=made.columns,
        checks=made.checks,
        uniques=made.uniques,
    )


def _with_options(cursor: Cursor) -> dict[str, str]:
    return option_list(cursor) if cursor.accept("WITH") else {}


def _cascades(cursor: Cursor) -> bool:
    """Read `[CASCADE | RESTRICT]`."""
    cascade = cursor.accept("CASCADE")
    _ = cascade or cursor.accept("RESTRICT")
    return cascade


def parse_drop(cursor: QueryReader) -> Statement:
    """Read what follows DROP."""
    if cursor.accept("POLICY"):
        return parse_drop_policy(cursor)
    if _accept_user(cursor):
        return users.parse_drop_user(cursor)
    if cursor.accept("TOKEN"):
        return users.parse_drop_token(cursor)
    if cursor.accept_any("NAMESPACE", "SCHEMA"):
        if_exists = cursor.accept("IF", "EXISTS")
        name = _user_namespace(cursor)
        return DropNamespace(name, if_exists, _cascades(cursor))
    if cursor.accept("VIEW"):
        if_exists = cursor.accept("IF", "EXISTS")
        return DropView(_user_table(cursor, "view"), if_exists, _cascades(cursor))
    _table_kind(cursor)
    if cursor.accept("TABLE"):
        if_exists = cursor.accept("IF", "EXISTS")
        return DropTable(_user_table(cursor), if_exists, _cascades(cursor))
    raise cursor.unsupported(f"DROP {cursor.peek().text.upper()[:40]} is not supported")


def parse_alter(cursor: QueryReader) -> Statement:
    """Read what follows ALTER: actions on one table, another owner, one change of a user or of a setting."""
    if cursor.accept("USER"):
        return users.parse_alter_user(cursor)
    if cursor.accept("SYSTEM"):
        return server.parse_alter_system(cursor)
    if cursor.accept_any("NAMESPACE", "SCHEMA"):
        return parse_owner(cursor, NamespaceRef(cursor.namespace()))
    if cursor.accept("VIEW"):
        return parse_owner(cursor, _user_table(cursor, "view"))
    if not cursor.accept("TABLE"):
        raise cursor.unsupported(f"ALTER {cursor.peek().text.upper()[:40]} is not supported")
    table = _user_table(cursor)
    if cursor.at("OWNER"):
        return parse_owner(cursor, table)
    if cursor.accept("RENAME", "TO"):
        return RenameTable(table, cursor.name("table"))
    return AlterTable(table, cursor.separated(lambda: read_action(cursor)))
