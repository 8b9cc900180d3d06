"""Connections, transactions and statements over ADBC.

A pooled connection is in autocommit, because an open transaction would keep its snapshot, and the server ends those
that idle. Beginning turns autocommit off, which begins a transaction; committing turns it on again, which commits.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Literal
from weakref import WeakSet

from adbc_driver_flightsql import DatabaseOptions, dbapi
from sqlalchemy import Column, event, exc
from sqlalchemy.engine import URL, ConnectArgsType, Connection, ExceptionContext
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.schema import Table

from flightserver.dialect.compiler import FlightServerCompiler, FlightServerDDLCompiler, FlightServerTypeCompiler
from flightserver.dialect.keys import KeyNumbers
from flightserver.dialect.reflection import Reflection
from flightserver.dialect.values import COLSPECS

DEFAULT_PORT = 31337
AUTOCOMMIT = "AUTOCOMMIT"
SNAPSHOT = "REPEATABLE READ"
"""What other databases call snapshot isolation."""

_QUERY = re.compile(
    r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(?:SELECT|WITH|VALUES|TABLE|FROM|EXPLAIN|DESCRIBE|DESC|SHOW)\b",
    re.IGNORECASE | re.DOTALL,
)
_RETURNING = re.compile(r"\bRETURNING\b", re.IGNORECASE)
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_BROKEN_CONSTRAINT = re.compile(
    r"duplicate key in table |is NOT NULL|has no value for it|breaks the constraint|duplicate value in table "
)
_LOST_CONNECTION = re.compile(
    r"connection refused|error reading from server|transport is closing|EOF|token is unknown|call AdbcConnectionInit"
)

_REFUSED_COMMIT = "failed to update autocommit"

_TLS_FILES = {
    "tls_ca": DatabaseOptions.TLS_ROOT_CERTS.value,
    "tls_cert": DatabaseOptions.MTLS_CERT_CHAIN.value,
    "tls_key": DatabaseOptions.MTLS_PRIVATE_KEY.value,
}

_numbers = KeyNumbers()


class FlightServerContext(DefaultExecutionContext):
    """One statement on its way."""

    def get_insert_default(self, column: Column[Any]) -> Any:
        """A default that is known before the row is sent, so that the row can be found by it."""
        table = column.table
        if column.default is None and isinstance(table, Table) and column is table._autoincrement_column:
            return _numbers.next()
        return super().get_insert_default(column)  # type: ignore[no-untyped-call]


class FlightServerDialect(Reflection):
    """The dialect that `flightserver://` names."""

    name = "flightserver"
    driver = "adbc"
    default_paramstyle = "qmark"
    supports_statement_cache = True
    max_identifier_length = 128

    statement_compiler = FlightServerCompiler
    ddl_compiler = FlightServerDDLCompiler
    type_compiler_cls = FlightServerTypeCompiler
    execution_ctx_cls = FlightServerContext
    colspecs = COLSPECS
    construct_arguments = [(Table, {"with": None})]  # noqa: RUF012 - SQLAlchemy reads it from the class

    supports_alter = False
    supports_comments = False
    supports_sequences = False
    supports_identity_columns = False
    preexecute_autoincrement_sequences = True
    postfetch_lastrowid = False
    supports_default_values = True
    supports_empty_insert = False
    supports_multivalues_insert = True
    supports_sane_rowcount = True
    supports_sane_multi_rowcount = True
    insert_returning = True
    update_returning = True
    delete_returning = True
    use_insertmanyvalues = True
    supports_sane_rowcount_returning = False
    supports_native_boolean = True
    supports_native_decimal = True
    supports_native_uuid = True
    supports_schemas = True
    cte_follows_insert = True
    tuple_in_values = False

    def __init__(
        self,
        json_serializer: Callable[[Any], str] | None = None,
        json_deserializer: Callable[[str], Any] | None = None,
        unenforced: Literal["refuse", "omit"] = "refuse",
        **kw: Any,
    ) -> None:
        super().__init__(**kw)
        self._json_serializer = json_serializer
        self._json_deserializer = json_deserializer
        self.omits_unenforced = _omits(unenforced)
        event.listen(self, "handle_error", _keep_pool)
        self._in_autocommit: WeakSet[Any] = WeakSet()

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """The driver."""
        module: ModuleType = dbapi
        return module

    def create_connect_args(self, url: URL) -> ConnectArgsType:
        """The driver's options: `?tls=true` encrypts, `tls_ca`, `tls_cert` and `tls_key` name files in PEM.

        What is not for us in the query goes to the driver as it is.
        """
        query = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
        if "unenforced" in query:
            self.omits_unenforced = _omits(query.pop("unenforced"))
        scheme = "grpc+tls" if query.pop("tls", "false").lower() in {"true", "1", "yes"} else "grpc"
        files = {option: Path(query.pop(name)).read_text() for name, option in _TLS_FILES.items() if name in query}
        options = {DatabaseOptions.WITH_COOKIE_MIDDLEWARE.value: "true", **query, **files}
        if url.username is not None:
            options |= {"username": url.username, "password": str(url.password or "")}
        host = url.host or "127.0.0.1"
        address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{url.port or DEFAULT_PORT}"
        return [address], {"db_kwargs": options, "autocommit": True}

    def on_connect_url(self, url: URL) -> Callable[[Any], None] | None:
        """Names without a namespace mean the URL's."""
        namespace = url.database
        if not namespace:
            return None

        def use(connection: Any) -> None:
            with connection.cursor() as cursor:
                cursor.executemany(f"USE {self.identifier_preparer.quote_identifier(namespace)}", None)

        return use

    def _get_server_version_info(self, connection: Connection) -> tuple[int, ...]:
        version = str(connection.connection.dbapi_connection.adbc_get_info()["vendor_version"])  # type: ignore[union-attr]
        return tuple(int(part) for part in re.findall(r"\d+", version))

    def _get_default_schema_name(self, connection: Connection) -> str:
        return self._namespace_of(connection)

    def do_ping(self, dbapi_connection: Any) -> bool:
        """Ask for the smallest result there is."""
        with dbapi_connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchall()
        return True

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin a transaction, unless the connection was asked to be in autocommit."""
        if _driver_of(dbapi_connection) not in self._in_autocommit:
            dbapi_connection.adbc_connection.set_autocommit(False)

    def do_commit(self, dbapi_connection: Any) -> None:
        """Commit, if a transaction is open."""
        dbapi_connection.adbc_connection.set_autocommit(True)

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Roll back, if a transaction is open; the driver begins another one at once, which ends here too."""
        connection = dbapi_connection.adbc_connection
        if connection.get_option(_AUTOCOMMIT_OPTION) != "true":
            connection.rollback()
            connection.set_autocommit(True)

    def get_default_isolation_level(self, dbapi_conn: Any) -> Any:
        """Snapshot isolation."""
        return SNAPSHOT

    def get_isolation_level_values(self, dbapi_conn: Any) -> Sequence[Any]:
        """What there is."""
        return [AUTOCOMMIT, SNAPSHOT]

    def get_isolation_level(self, dbapi_connection: Any) -> Any:
        """What the connection was asked to use."""
        return AUTOCOMMIT if _driver_of(dbapi_connection) in self._in_autocommit else SNAPSHOT

    def set_isolation_level(self, dbapi_connection: Any, level: Any) -> None:
        """Choose what the next `do_begin` does."""
        if level == AUTOCOMMIT:
            self._in_autocommit.add(_driver_of(dbapi_connection))
        else:
            self._in_autocommit.discard(_driver_of(dbapi_connection))

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Run a statement; queries leave a result, and RETURNING. What a definition left out is no statement."""
        if not statement:
            return
        with _constraints():
            if _QUERY.match(statement) or _RETURNING.search(_QUOTED.sub("", statement)):
                cursor.execute(statement, parameters)
            else:
                cursor.executemany(statement, [parameters] if parameters else None)

    def do_execute_no_params(self, cursor: Any, statement: str, context: Any = None) -> None:
        """Run a statement without parameters."""
        self.do_execute(cursor, statement, None, context)

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Run a statement for many rows of parameters: one commit. Rows of none are no rows, and it runs for each."""
        with _constraints():
            if any(parameters):
                cursor.executemany(statement, parameters)
                return
            for _ in parameters:
                cursor.executemany(statement, None)

    def is_disconnect(self, e: Exception, connection: Any, cursor: Any) -> bool:
        """Tell whether a new connection would help. After a refused commit the driver's own is of no use any more."""
        return isinstance(e, dbapi.Error) and (_is_refused_commit(e) or _LOST_CONNECTION.search(str(e)) is not None)


_AUTOCOMMIT_OPTION = "adbc.connection.autocommit"


def _omits(unenforced: str) -> bool:
    if unenforced not in {"refuse", "omit"}:
        raise exc.ArgumentError(f"unenforced is 'refuse' or 'omit', not {unenforced!r}")
    return unenforced == "omit"


def _is_refused_commit(error: BaseException | None) -> bool:
    return _REFUSED_COMMIT in str(error)


def _keep_pool(context: ExceptionContext) -> None:
    """One refused commit says nothing about other connections."""
    if context.is_disconnect and _is_refused_commit(context.original_exception):
        context.invalidate_pool_on_disconnect = False


def _driver_of(connection: Any) -> Any:
    """The driver's connection, out of the pool's wrapping."""
    return getattr(connection, "dbapi_connection", connection)


@contextmanager
def _constraints() -> Iterator[None]:
    """Give broken constraints their own class: the protocol has no status for them."""
    try:
        yield
    except dbapi.ProgrammingError as error:
        if _BROKEN_CONSTRAINT.search(str(error)) is None:
            raise
        raise dbapi.IntegrityError(str(error), status_code=error.status_code) from error
