"""What a client may set for its session, and what it may ask of it: one table of options, by name.

SQL brings text, protocol calls bring typed values; both go through the same `parse`. Options that other systems have,
and tools set without being asked, are here under their names: those that change what a statement means are honoured or
refused, and only those that cannot are kept and left at that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from types import MappingProxyType

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import CATALOG_NAME, DEFAULT_NAMESPACE, NAME_LENGTH_MAX, PG_CATALOG
from flightserver.access.door import Door
from flightserver.activity.statement import Engine
from flightserver.sessions.durations import duration_s, duration_text
from flightserver.sql.statements import AT_MOST_SNAPSHOT

Value = str | bool | int | float | tuple[str, ...]

ISOLATION = "repeatable read"
"""What other systems call snapshot isolation."""

KEPT_LENGTH_MAX = 256

_UTC = frozenset({"utc", "etc/utc", "gmt", "etc/gmt", "uct", "etc/uct", "zulu", "z", "universal", "0", "+00", "+00:00"})


@dataclass(frozen=True)
class SessionOptions:
    """A session's options. `query_timeout_s` is 0 where there is no limit, and None where the server's holds.

    `read_only` is what its transactions are that do not say otherwise; `kept` is what was set and means nothing here.
    """

    namespace: str = DEFAULT_NAMESPACE
    query_timeout_s: float | None = None
    read_only: bool = False
    kept: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    engine: Engine = Engine.AUTO

    def timeout_s(self, limit_s: float) -> float:
        """How long a statement may run on a server with this limit, which may have been lowered since."""
        own = limit_s if self.query_timeout_s is None else self.query_timeout_s
        return min(own or limit_s, limit_s) if limit_s else own


@dataclass(frozen=True)
class Limits:
    """What options are checked against: what the user may reach, and the server's own settings."""

    door: Door
    query_timeout_s: float
    has_cluster: bool


@dataclass(frozen=True)
class Shown:
    """What the values of options follow from: what was set, the server's `query_timeout_s`, and the transaction."""

    options: SessionOptions
    query_timeout_s: float
    is_read_only: bool

    @property
    def timeout_s(self) -> float:
        """How long a statement may run."""
        return self.options.timeout_s(self.query_timeout_s)


Write = Callable[[SessionOptions, Value, Limits], SessionOptions]


@dataclass(frozen=True)
class _Option:
    """An option: what it is, how its value is read, and how it is changed if it can be."""

    description: str
    read: Callable[[Shown], str | float]
    write: Write | None = None
    reset: Callable[[SessionOptions], SessionOptions] = lambda options: options


def option_names(*, settable: bool = False) -> list[str]:
    """All options, or those that can be set."""
    return sorted(name for name, option in _OPTIONS.items() if option.write is not None or not settable)


def described_option(name: str) -> str:
    """What an option is."""
    return _option(name).description


def read_option(shown: Shown, name: str) -> str | float:
    """The value of an option; NOT_FOUND when there is none of that name."""
    return _option(name).read(shown)


def with_option(options: SessionOptions, name: str, value: Value | None, limits: Limits) -> SessionOptions:
    """The options with one changed; None returns it to its default."""
    option = _option(name)
    if option.write is None:
        raise DatabaseError(ErrorKind.INVALID, f"{name} cannot be changed")
    if value is None:
        return option.reset(options)
    return option.write(options, value, limits)


def is_option(name: str) -> bool:
    """Tell whether there is an option of that name."""
    return name.lower() in _OPTIONS


def _option(name: str) -> _Option:
    found = _OPTIONS.get(name.lower())
    if found is None:
        known = ", ".join(option_names())
        raise DatabaseError(ErrorKind.NOT_FOUND, f"there is no session option {name}; there are {known}")
    return found


def _set_catalog(options: SessionOptions, value: Value, _: Limits) -> SessionOptions:
    if value != CATALOG_NAME:
        raise DatabaseError(ErrorKind.NOT_FOUND, f"catalog {value} does not exist; there is {CATALOG_NAME}")
    return options


def _set_schema(options: SessionOptions, value: Value, limits: Limits) -> SessionOptions:
    if not isinstance(value, str):
        raise DatabaseError(ErrorKind.INVALID, "schema must be the name of a namespace")
    limits.door.require_namespace(value)
    return replace(options, namespace=value)


def _set_search_path(options: SessionOptions, value: Value, limits: Limits) -> SessionOptions:
    """One namespace, as USE: those that other systems search anyway, and that of the user, may stand beside it."""
    names = value if isinstance(value, tuple) else [part.strip().strip('"') for part in str(value).split(",")]
    own = [name for name in names if name not in {"$user", PG_CATALOG}]
    if len(own) != 1 or not own[0]:
        raise DatabaseError(
            ErrorKind.UNSUPPORTED, "search_path is one namespace here: names of others are written as namespace.table"
        )
    return _set_schema(options, own[0], limits)


def _set_timeout(options: SessionOptions, value: Value, limits: Limits) -> SessionOptions:
    try:
        seconds = float(value) if not isinstance(value, tuple | bool) else -1.0
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise DatabaseError(
            ErrorKind.INVALID, f"query_timeout_s must be a number of seconds, 0 for no limit, not {value}"
        )
    if limits.query_timeout_s and not 0 < seconds <= limits.query_timeout_s:
        raise DatabaseError(
            ErrorKind.INVALID, f"query_timeout_s may be at most {limits.query_timeout_s:g} on this server"
        )
    return replace(options, query_timeout_s=seconds)


def _set_statement_timeout(options: SessionOptions, value: Value, limits: Limits) -> SessionOptions:
    """The same in the units of other systems, in which 0 asks for no limit beside the server's."""
    seconds = duration_s("statement_timeout", value)
    return _set_timeout(options, seconds, limits) if seconds else replace(options, query_timeout_s=None)


def _set_read_only(options: SessionOptions, value: Value, _: Limits) -> SessionOptions:
    return replace(options, read_only=_truth("default_transaction_read_only", value))


def _truth(name: str, value: Value) -> bool:
    word = str(value).lower()
    if word not in {"on", "true", "yes", "1", "off", "false", "no", "0"}:
        raise DatabaseError(ErrorKind.INVALID, f"{name} is on or off, not {value}")
    return word in {"on", "true", "yes", "1"}


def _on_or_off(is_on: bool) -> str:
    return "on" if is_on else "off"


def _words(value: Value) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _fact(description: str, value: str) -> _Option:
    """What is so, and cannot be set."""
    return _Option(description, lambda _: value)


def _fixed(name: str, description: str, shown: str, allowed: frozenset[str], why: str) -> _Option:
    """An option of one meaning, which may be set to that alone."""

    def write(options: SessionOptions, value: Value, _: Limits) -> SessionOptions:
        words = _words(value)
        if words.lower() not in allowed:
            raise DatabaseError(ErrorKind.UNSUPPORTED, f"{name} cannot be {words[:40]}: {why}")
        return options

    return _Option(description, lambda _: shown, write)


def _kept(name: str, description: str, default: str = "") -> _Option:
    """An option that is remembered for who asks, and changes nothing."""

    def write(options: SessionOptions, value: Value, _: Limits) -> SessionOptions:
        text = _words(value)
        if len(text) > KEPT_LENGTH_MAX:
            raise DatabaseError(ErrorKind.INVALID, f"{name} may have at most {KEPT_LENGTH_MAX} characters")
        return replace(options, kept=MappingProxyType({**options.kept, name: text}))

    def reset(options: SessionOptions) -> SessionOptions:
        return replace(options, kept=MappingProxyType({n: value for n, value in options.kept.items() if n != name}))

    return _Option(description, lambda shown: shown.options.kept.get(name, default), write, reset)


def _reset_namespace(options: SessionOptions) -> SessionOptions:
    return replace(options, namespace=DEFAULT_NAMESPACE)


def _reset_timeout(options: SessionOptions) -> SessionOptions:
    return replace(options, query_timeout_s=None)


_LEVELS = frozenset(level.lower() for level in AT_MOST_SNAPSHOT)
_NO_OTHER_LEVEL = "every transaction has snapshot isolation"


def _set_engine(options: SessionOptions, value: Value, limits: Limits) -> SessionOptions:
    found = next((engine for engine in Engine if engine.value == str(value).lower()), None)
    if found is None:
        known = ", ".join(engine.value for engine in Engine)
        raise DatabaseError(ErrorKind.INVALID, f"engine is one of {known}, not {value}")
    if found is Engine.CLUSTER and not limits.has_cluster:
        raise DatabaseError(ErrorKind.INVALID, "this server has no cluster: it is named by the setting cluster.url")
    return replace(options, engine=found)


_OPTIONS: Mapping[str, _Option] = {
    "application_name": _kept("application_name", "what the client calls itself; kept"),
    "bytea_output": _fixed(
        "bytea_output", "how other systems write bytes", "hex", frozenset({"hex"}), "bytes are sent as they are"
    ),
    "catalog": _Option("the one catalog", lambda _: CATALOG_NAME, _set_catalog),
    "client_encoding": _fixed(
        "client_encoding",
        "how text is sent",
        "UTF8",
        frozenset({"utf8", "utf-8", "unicode", "utf8mb4"}),
        "text is sent in UTF-8",
    ),
    "client_min_messages": _kept("client_min_messages", "which notices other systems send; kept", "notice"),
    "datestyle": _fixed(
        "datestyle",
        "how other systems write dates",
        "ISO, MDY",
        frozenset({"iso", "iso, mdy", "iso, dmy", "iso, ymd", "iso,mdy", "iso,dmy", "iso,ymd"}),
        "dates as text are year-month-day",
    ),
    "default_transaction_isolation": _fixed(
        "default_transaction_isolation", "what a transaction sees of others", ISOLATION, _LEVELS, _NO_OTHER_LEVEL
    ),
    "default_transaction_read_only": _Option(
        "whether transactions change nothing that do not say otherwise",
        lambda shown: _on_or_off(shown.options.read_only),
        _set_read_only,
        lambda options: replace(options, read_only=False),
    ),
    "engine": _Option(
        "where queries run: auto, local or cluster",
        lambda shown: shown.options.engine.value,
        _set_engine,
        lambda options: replace(options, engine=Engine.AUTO),
    ),
    "extra_float_digits": _kept("extra_float_digits", "how other systems round numbers; kept", "1"),
    "integer_datetimes": _fact("moments are whole numbers", "on"),
    "intervalstyle": _fixed(
        "intervalstyle", "how other systems write intervals", "postgres", frozenset({"postgres"}), "there is one style"
    ),
    "lock_timeout": _kept("lock_timeout", "how long other systems wait for locks; kept, nothing waits", "0"),
    "max_identifier_length": _fact("how long a name may be", str(NAME_LENGTH_MAX)),
    "query_timeout_s": _Option(
        "seconds that a statement may run, 0 for no limit", lambda shown: shown.timeout_s, _set_timeout, _reset_timeout
    ),
    "schema": _Option(
        "where names without a namespace resolve", lambda shown: shown.options.namespace, _set_schema, _reset_namespace
    ),
    "search_path": _Option(
        "the same as schema", lambda shown: shown.options.namespace, _set_search_path, _reset_namespace
    ),
    "server_encoding": _fact("how text is stored", "UTF8"),
    "server_version": _fact("the version of this server", version("flightserver")),
    "standard_conforming_strings": _fixed(
        "standard_conforming_strings",
        "a backslash in a text is itself",
        "on",
        frozenset({"on", "true", "1", "yes"}),
        "a backslash in a text is always itself",
    ),
    "statement_timeout": _Option(
        "query_timeout_s in milliseconds or with a unit",
        lambda shown: duration_text(shown.timeout_s),
        _set_statement_timeout,
        _reset_timeout,
    ),
    "timezone": _fixed(
        "timezone",
        "the zone of moments without one",
        "UTC",
        _UTC,
        "moments without a zone are in UTC; convert them with AT TIME ZONE or in the client",
    ),
    "transaction_isolation": _fixed(
        "transaction_isolation", "what this transaction sees of others", ISOLATION, _LEVELS, _NO_OTHER_LEVEL
    ),
    "transaction_read_only": _Option(
        "whether this transaction may change nothing", lambda shown: _on_or_off(shown.is_read_only)
    ),
}
