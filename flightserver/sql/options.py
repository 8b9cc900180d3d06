"""Storage options of WITH (…): which there are, and what their values mean.

Values arrive as text, however they were written. An option that is not in the table is refused, never ignored.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum
from typing import TypeVar

from catalog.definition import Audit, Compression, FlushPolicy, Format, TableOptions
from catalog.errors import DatabaseError, ErrorKind
from flightserver.sql.lifetimes import (
    UNSET,
    check_lifetime,
    refuse_for_streams,
    with_max_bytes,
    with_max_rows,
    with_publish_retention,
    with_retention,
    with_retention_column,
    with_ttl,
)
from flightserver.sql.text.cursor import Cursor
from flightserver.sql.text.tokens import Kind, Token, fold, identifier_name, is_identifier, string_value, tokenize

FLUSH_ROWS_MAX = 100_000_000
FLUSH_INTERVAL_SECONDS_MAX = 31 * 86_400.0
BLOOM_FPP_MIN = 0.00001
BLOOM_FPP_MAX = 0.5

Choice = TypeVar("Choice", bound=Enum)


def parse_options(
    options: Mapping[str, str], column_ids: Mapping[str, int], base: TableOptions | None = None
) -> TableOptions:
    """Return `base` (or the defaults) with the options given; raise INVALID for names or values that make no sense.

    `column_ids` maps column names to the stable ids that `bloom_columns` is stored as.
    """
    parsed = base or TableOptions()
    check_option_names(options)
    for name, value in options.items():
        if name in _ABOUT_FILES:
            refuse_for_streams(parsed, name)
        parsed = _PARSERS[name](parsed, value, column_ids)
    check_lifetime(parsed)
    return parsed


def option_value(cursor: Cursor) -> str:
    """Read a string, a word or a number, with or without a sign, as text."""
    sign = "-" if cursor.accept("-") else ""
    token = cursor.next()
    if token.kind is Kind.NUMBER:
        return sign + token.text
    if not sign and token.kind is Kind.STRING and token.text[0] in "'$":
        return string_value(token)
    if not sign and is_identifier(token):
        return identifier_name(token)
    raise cursor.error("expected a value: a string, a number or a word", token=token)


def check_option_names(options: Mapping[str, str]) -> None:
    """Refuse options that do not exist."""
    for name in options:
        if name not in _PARSERS:
            raise _invalid(f"there is no table option {name!r}; the options are {', '.join(sorted(_PARSERS))}")


def bloom_column_names(value: str) -> tuple[str, ...]:
    """Return the columns that a `bloom_columns` value names: names with commas between them, or nothing."""
    tokens = tokenize(value)
    if not tokens:
        return ()
    if len(tokens) % 2 == 0 or any(token.key != "," for token in tokens[1::2]):
        raise _bad_bloom_columns(value)
    names = tuple(_column_name(token, value) for token in tokens[::2])
    if len(set(names)) < len(names):
        raise _invalid(f"bloom_columns names a column twice: {value!r}")
    return names


def _column_name(token: Token, value: str) -> str:
    if not is_identifier(token):
        raise _bad_bloom_columns(value)
    return identifier_name(token)


def _bad_bloom_columns(value: str) -> DatabaseError:
    return _invalid(f"bloom_columns is a list of column names like 'a,b', not {value[:80]!r}")


def _flush_policy(options: TableOptions, value: str, _: Mapping[str, int]) -> TableOptions:
    if value.strip().lower() == "none":
        return replace(options, flush_policy=FlushPolicy(None, None))
    parts: dict[str, float] = {}
    for part in value.split(","):
        name, _colon, number = part.partition(":")
        name = name.strip().lower()
        if name not in {"rows", "interval"} or name in parts:
            raise _bad_flush_policy(value)
        parts[name] = _number(number, lambda: _bad_flush_policy(value))
    rows, interval = parts.get("rows"), parts.get("interval")
    if rows is not None and not (rows.is_integer() and 1 <= rows <= FLUSH_ROWS_MAX):
        raise _invalid(f"flush_policy: rows must be a whole number from 1 to {FLUSH_ROWS_MAX}, not {rows:g}")
    if interval is not None and not 0 < interval <= FLUSH_INTERVAL_SECONDS_MAX:
        raise _invalid(f"flush_policy: interval must be above 0 and at most {FLUSH_INTERVAL_SECONDS_MAX:g} seconds")
    return replace(options, flush_policy=FlushPolicy(None if rows is None else int(rows), interval))


def _bad_flush_policy(value: str) -> DatabaseError:
    return _invalid(f"flush_policy is 'rows:N', 'interval:SECONDS', 'rows:N,interval:SECONDS' or 'none', not {value!r}")


def _bloom_columns(options: TableOptions, value: str, column_ids: Mapping[str, int]) -> TableOptions:
    names = bloom_column_names(value)
    for name in names:
        if name not in column_ids:
            raise DatabaseError(ErrorKind.NOT_FOUND, f"bloom_columns: there is no column {name!r}")
    return replace(options, bloom_columns=tuple(column_ids[name] for name in names))


def _bloom_fpp(options: TableOptions, value: str, _: Mapping[str, int]) -> TableOptions:
    message = f"bloom_fpp must be a number from {BLOOM_FPP_MIN:.5f} to {BLOOM_FPP_MAX}, not {value!r}"
    rate = _number(value, lambda: _invalid(message))
    if not BLOOM_FPP_MIN <= rate <= BLOOM_FPP_MAX:
        raise _invalid(message)
    return replace(options, bloom_fpp=rate)


def _compression(options: TableOptions, value: str, _: Mapping[str, int]) -> TableOptions:
    return replace(options, compression=_one_of(Compression, "compression", value))


def _audit(options: TableOptions, value: str, _: Mapping[str, int]) -> TableOptions:
    return replace(options, audit=_one_of(Audit, "audit", value))


def _publish(options: TableOptions, value: str, _: Mapping[str, int]) -> TableOptions:
    format_ = _one_of(Format, "publish", value)
    return replace(options, publication=replace(options.publication, format=format_))


def _retention_column(options: TableOptions, value: str, column_ids: Mapping[str, int]) -> TableOptions:
    """A column by its name, written as one; `none` that is not quoted inside is no column."""
    if value.strip().lower() == UNSET:
        return with_retention_column(options, None)
    names = bloom_column_names(value)
    if len(names) != 1 or names[0] not in column_ids:
        raise DatabaseError(ErrorKind.NOT_FOUND, f"retention_column: there is no column {value[:80]!r}")
    return with_retention_column(options, column_ids[names[0]])


def _one_of(choices: type[Choice], option: str, value: str) -> Choice:
    try:
        return choices(value.strip().lower())
    except ValueError:
        known = ", ".join(choice.value for choice in choices)
        raise _invalid(f"{option} is one of {known}, not {value!r}") from None


def _number(text: str, error: Callable[[], DatabaseError]) -> float:
    try:
        number = float(text)
    except ValueError:
        raise error() from None
    if not math.isfinite(number):
        raise error()
    return number


def _invalid(message: str) -> DatabaseError:
    return DatabaseError(ErrorKind.INVALID, message)


_PARSERS: dict[str, Callable[[TableOptions, str, Mapping[str, int]], TableOptions]] = {
    "flush_policy": _flush_policy,
    "bloom_columns": _bloom_columns,
    "bloom_fpp": _bloom_fpp,
    "compression": _compression,
    "audit": _audit,
    "ttl_seconds": lambda options, value, _: with_ttl(options, value),
    "max_bytes": lambda options, value, _: with_max_bytes(options, value),
    "max_rows": lambda options, value, _: with_max_rows(options, value),
    "retention": lambda options, value, _: with_retention(options, value),
    "retention_column": _retention_column,
    "publish": _publish,
    "publish_retention": lambda options, value, _: with_publish_retention(options, value),
}
_ABOUT_FILES = frozenset({"flush_policy", "bloom_columns", "bloom_fpp", "compression", "publish", "publish_retention"})


def option_list(cursor: Cursor) -> dict[str, str]:
    """Read `(name = value, …)`."""
    cursor.expect("(")
    start = cursor.peek()
    pairs = cursor.separated(lambda: _option(cursor))
    cursor.expect(")")
    if len(dict(pairs)) < len(pairs):
        raise cursor.error("an option is given twice", ErrorKind.INVALID, start)
    return dict(pairs)


def _option(cursor: Cursor) -> tuple[str, str]:
    name = fold(cursor.name("option"))
    cursor.expect("=")
    return name, option_value(cursor)
