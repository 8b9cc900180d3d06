"""What a client may set for its session: one table of options, by name.

SQL brings text, protocol calls bring typed values; both go through the same `parse`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import CATALOG_NAME, DEFAULT_NAMESPACE
from flightserver.access.door import Door

Value = str | bool | int | float | tuple[str, ...]


@dataclass(frozen=True)
class SessionOptions:
    """A session's options. `query_timeout_s` is 0 where there is no limit, and None where the server's holds."""

    namespace: str = DEFAULT_NAMESPACE
    query_timeout_s: float | None = None

    def timeout_s(self, limit_s: float) -> float:
        """How long a statement may run on a server with this limit, which may have been lowered since."""
        own = limit_s if self.query_timeout_s is None else self.query_timeout_s
        return min(own or limit_s, limit_s) if limit_s else own


@dataclass(frozen=True)
class Limits:
    """What options are checked against: what the user may reach, and the server's own settings."""

    door: Door
    query_timeout_s: float


@dataclass(frozen=True)
class _Option:
    read: Callable[[SessionOptions, float], str | float]
    write: Callable[[SessionOptions, Value, Limits], SessionOptions]
    reset: Callable[[SessionOptions], SessionOptions]


def option_names() -> list[str]:
    """All options."""
    return sorted(_OPTIONS)


def read_option(options: SessionOptions, name: str, timeout_s: float) -> str | float:
    """The value of an option, on a server with this `query_timeout_s`; NOT_FOUND when there is none of that name."""
    return _option(name).read(options, timeout_s)


def with_option(options: SessionOptions, name: str, value: Value | None, limits: Limits) -> SessionOptions:
    """The options with one changed; None returns it to its default."""
    option = _option(name)
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


_OPTIONS: Mapping[str, _Option] = {
    "catalog": _Option(lambda *_: CATALOG_NAME, _set_catalog, lambda options: options),
    "schema": _Option(
        lambda options, _: options.namespace, _set_schema, lambda options: replace(options, namespace=DEFAULT_NAMESPACE)
    ),
    "query_timeout_s": _Option(
        lambda options, limit_s: options.timeout_s(limit_s),
        _set_timeout,
        lambda options: replace(options, query_timeout_s=None),
    ),
}
