"""The numbers (`oid`) by which the tables of `pg_catalog` know things.

They are made of names, so that they are the same whenever they are asked for and tell nothing of what else there is, as
numbers counted up would. Of so many numbers chance gives two names one in less than one of ten million catalogs with
five thousand tables. PostgreSQL's own are those that its documentation has.
"""

from functools import lru_cache
from hashlib import blake2b

from catalog.identifiers import DEFAULT_NAMESPACE, PG_CATALOG, TableName

DATABASE = 1
SUPERUSER = 10
OF_PG_CATALOG = 11
OF_PG_CLASS = 1259
OF_PUBLIC = 2200

RELATIONS_KEPT = 1 << 14

_FIRST_FREE = 1 << 16
_DIGEST_BYTES = 6
"""With 48 bits every client can tell them apart that has floating numbers only."""


def namespace_number(name: str) -> int:
    """The number of a namespace."""
    known = {PG_CATALOG: OF_PG_CATALOG, DEFAULT_NAMESPACE: OF_PUBLIC}
    return known.get(name) or _number("namespace", name)


@lru_cache(RELATIONS_KEPT)
def relation_number(name: TableName) -> int:
    """The number of a table or a view."""
    return _number("relation", *name)


def constraint_number(name: TableName) -> int:
    """The number of a constraint, by the namespace of its table and its own name."""
    return _number("constraint", *name)


def index_number(name: TableName) -> int:
    """The number of what PostgreSQL would have as the index of a key."""
    return _number("index", *name)


def default_number(relation: int, position: int) -> int:
    """The number of a column's default."""
    return _number("default", str(relation), str(position))


def role_number(owner: str | None) -> int:
    """The number of a user; 0 where there is none, or none who is shown."""
    return 0 if owner is None else _number("role", owner)


def _number(*parts: str) -> int:
    digest = blake2b("\0".join(parts).encode(), digest_size=_DIGEST_BYTES).digest()
    return _FIRST_FREE + int.from_bytes(digest, "big")
