"""Names of namespaces, tables, columns and users, and how they are written in SQL and in paths.

Unquoted SQL names fold to lower case before they come here. Every name that reaches the disk passes through
`path_component`, which is injective and yields a single harmless path component for any text, so no name can collide
with another or escape its folder.
"""

import hashlib
import re
from typing import NamedTuple

from catalog.errors import DatabaseError, ErrorKind

CATALOG_NAME = "main"
DEFAULT_NAMESPACE = "public"
SYSTEM_NAMESPACE = "system"
INFORMATION_SCHEMA, PG_CATALOG = "information_schema", "pg_catalog"
COMPUTED_NAMESPACES = (INFORMATION_SCHEMA, PG_CATALOG, SYSTEM_NAMESPACE)
"""Namespaces of tables that the server computes when they are read."""

RESERVED_NAMESPACES = frozenset({*COMPUTED_NAMESPACES, "datafusion", CATALOG_NAME})
NAME_LENGTH_MAX = 128
PATH_COMPONENT_MAX = 200

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")
_NOT_PATH_SAFE = re.compile(r"[^a-z0-9_-]")


class TableName(NamedTuple):
    """A table's full name inside the one catalog. Names of one namespace are neighbours in their order."""

    namespace: str
    table: str

    def __str__(self) -> str:
        return f"{self.namespace}.{self.table}"


def check_name(what: str, name: str) -> str:
    """Return `name` when it may name a `what`; raise INVALID otherwise."""
    if not name or len(name) > NAME_LENGTH_MAX or any(ord(letter) < 32 for letter in name):
        raise DatabaseError(
            ErrorKind.INVALID,
            f"{what} name must have 1 to {NAME_LENGTH_MAX} characters and no control characters: {name[:40]!r}",
        )
    return name


def quote_identifier(name: str) -> str:
    """Write a name as a quoted SQL identifier that DataFusion reads back as exactly this name."""
    return '"' + name.replace('"', '""') + '"'


def display_identifier(name: str) -> str:
    """Write a name the way a person would: quoted only when it must be."""
    return name if _PLAIN_NAME.match(name) else quote_identifier(name)


def path_component(name: str) -> str:
    """Encode any text as one path component: `[a-z0-9_-]` stay, every other UTF-8 byte becomes `~XX`.

    Injective, never empty (the empty text is `~`), never `.` or `..`, and safe on case-folding file systems because
    upper-case letters are encoded. Long names keep a readable start and end in `~~` and a 160-bit digest.
    """
    if not name:
        return "~"
    component = _NOT_PATH_SAFE.sub(lambda found: "".join(f"~{byte:02x}" for byte in found[0].encode()), name)
    if len(component) <= PATH_COMPONENT_MAX:
        return component
    return f"{component[:64]}~~{hashlib.blake2b(name.encode(), digest_size=20).hexdigest()}"
