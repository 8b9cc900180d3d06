"""Definitions to and from JSON, as the CATALOG column family holds them (docs/formats/catalog.md).

Decoding trusts nothing: bytes that are not a definition, or fail the checksum in front of it, raise CORRUPT.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from catalog import checksummed
from catalog.definition import (
    Audit,
    Check,
    Column,
    Compression,
    Default,
    DefaultFunction,
    FlushPolicy,
    Format,
    NamespaceDef,
    Publication,
    Retention,
    StreamLimits,
    TableDef,
    TableKind,
    TableOptions,
    Unique,
    ViewDef,
)
from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import Grant, Grantee, GranteeType, ObjectId, ObjectType, Privilege
from catalog.identifiers import TableName
from catalog.policies import Policy
from catalog.roles import Role
from catalog.types import format_type, parse_type
from catalog.users import TokenDef, UserDef, is_password_hash, is_token_hash

TYPES_REMEMBERED = 1_024

_Definition = TypeVar("_Definition", TableDef, ViewDef, NamespaceDef, Grant, Policy, UserDef, TokenDef, tuple[str, str])

_type = lru_cache(TYPES_REMEMBERED)(parse_type)
"""Many columns have few types, and to parse one takes longer than to read the rest of its column."""


def encode_table(table: TableDef) -> bytes:
    """Write a table definition as JSON."""
    return checksummed.encode(
        {
            "id": table.id,
            "namespace": table.name.namespace,
            "table": table.name.table,
            "kind": table.kind.value,
            "version": table.version,
            "columns": [_column_to_json(column) for column in table.columns],
            "key": list(table.key),
            "next_column_id": table.next_column_id,
            "options": _options_to_json(table.options),
            "used_physical": sorted(table.used_physical),
            "owner": table.owner,
            "checks": [[check.name, check.condition] for check in table.checks],
            "made_as": None if table.made_as is None else list(table.made_as),
            "comment": table.comment,
            "uniques": [[unique.name, list(unique.columns)] for unique in table.uniques],
            "unproven": sorted(table.unproven),
        }
    )


def decode_table(data: bytes) -> TableDef:
    """Read what `encode_table` wrote."""
    return _decode(data, _table_from_json)


def encode_view(view: ViewDef) -> bytes:
    """Write a view definition as JSON."""
    return checksummed.encode(
        {
            "namespace": view.name.namespace,
            "view": view.name.table,
            "query": view.query,
            "search_namespace": view.namespace,
            "id": view.id,
            "owner": view.owner,
        }
    )


def decode_view(data: bytes) -> ViewDef:
    """Read what `encode_view` wrote."""
    return _decode(
        data,
        lambda raw: ViewDef(
            TableName(raw["namespace"], raw["view"]), raw["query"], raw["search_namespace"], raw["id"], raw["owner"]
        ),
    )


def encode_namespace(namespace: NamespaceDef) -> bytes:
    """Write a namespace as JSON."""
    return checksummed.encode({"namespace": namespace.name, "id": namespace.id, "owner": namespace.owner})


def decode_namespace(data: bytes) -> NamespaceDef:
    """Read what `encode_namespace` wrote."""
    return _decode(data, lambda raw: NamespaceDef(raw["namespace"], raw["id"], raw["owner"]))


def encode_grant(grant: Grant) -> bytes:
    """Write a grant as JSON."""
    return checksummed.encode(
        {
            "on": grant.object.type.value,
            "id": grant.object.id,
            "privilege": grant.privilege.value,
            "to": grant.grantee.type.value,
            "grantee": grant.grantee.name,
            "grantor": grant.grantor,
            "grant_option": grant.grant_option,
        }
    )


def decode_grant(data: bytes) -> Grant:
    """Read what `encode_grant` wrote."""
    return _decode(
        data,
        lambda raw: Grant(
            ObjectId(ObjectType(raw["on"]), raw["id"]),
            Privilege(raw["privilege"]),
            Grantee(GranteeType(raw["to"]), raw["grantee"]),
            raw["grantor"],
            raw["grant_option"],
        ),
    )


def encode_policy(policy: Policy) -> bytes:
    """Write a row policy as JSON."""
    return checksummed.encode(
        {
            "table_id": policy.table_id,
            "policy": policy.name,
            "privileges": sorted(policy.privileges),
            "to": [[grantee.type.value, grantee.name] for grantee in policy.grantees],
            "using": policy.using,
            "check": policy.check,
        }
    )


def decode_policy(data: bytes) -> Policy:
    """Read what `encode_policy` wrote."""
    return _decode(
        data,
        lambda raw: Policy(
            raw["table_id"],
            raw["policy"],
            frozenset(Privilege(one) for one in raw["privileges"]),
            tuple(Grantee(GranteeType(kind), name) for kind, name in raw["to"]),
            raw["using"],
            raw["check"],
        ),
    )


def encode_user(user: UserDef) -> bytes:
    """Write a user as JSON."""
    return checksummed.encode(
        {
            "name": user.name,
            "role": user.role.value,
            "password_hash": user.password_hash,
            "enabled": user.enabled,
            "limits": dict(user.limits),
            "version": user.version,
        }
    )


def decode_user(data: bytes) -> UserDef:
    """Read what `encode_user` wrote. A password hash that is none is damage: nobody logs in with half a record."""
    return _decode(data, _user_from_json)


def encode_token(token: TokenDef) -> bytes:
    """Write a token as JSON."""
    return checksummed.encode(
        {
            "user": token.user,
            "name": token.name,
            "secret_hash": token.secret_hash,
            "read_only": token.read_only,
            "created_at": token.created_at.isoformat(),
            "expires_at": None if token.expires_at is None else token.expires_at.isoformat(),
        }
    )


def decode_token(data: bytes) -> TokenDef:
    """Read what `encode_token` wrote."""
    return _decode(data, _token_from_json)


def encode_setting(key: str, text: str) -> bytes:
    """Write the value of a setting, a text, as JSON."""
    return checksummed.encode({"key": key, "value": text})


def decode_setting(data: bytes) -> tuple[str, str]:
    """Read what `encode_setting` wrote: the key and the value."""
    return _decode(data, lambda raw: (str(raw["key"]), str(raw["value"])))


def _user_from_json(raw: dict[str, Any]) -> UserDef:
    stored = raw["password_hash"]
    if stored is not None and not is_password_hash(stored):
        raise ValueError("no password hash")
    limits = {str(name): int(limit) for name, limit in raw["limits"].items()}
    return UserDef(raw["name"], Role(raw["role"]), stored, bool(raw["enabled"]), limits, int(raw["version"]))


def _token_from_json(raw: dict[str, Any]) -> TokenDef:
    if not is_token_hash(raw["secret_hash"]):
        raise ValueError("no hash of a token")
    expires = raw["expires_at"]
    return TokenDef(
        raw["user"],
        raw["name"],
        raw["secret_hash"],
        bool(raw["read_only"]),
        datetime.fromisoformat(raw["created_at"]),
        None if expires is None else datetime.fromisoformat(expires),
    )


def _decode(data: bytes, build: Callable[[dict[str, Any]], _Definition]) -> _Definition:
    raw = checksummed.decode(data, "a definition in the catalog")
    try:
        return build(raw)
    except (ValueError, KeyError, TypeError, AttributeError, DatabaseError) as error:
        raise DatabaseError(ErrorKind.CORRUPT, "a definition in the catalog is damaged") from error


def _column_to_json(column: Column) -> dict[str, Any]:
    default = column.default
    return {
        "id": column.id,
        "name": column.name,
        "physical": column.physical,
        "type": format_type(column.type),
        "nullable": column.nullable,
        "default_function": default.function.name if default and default.function else None,
        "default_literal": default.literal if default else None,
        "added": column.added,
        "before": column.before,
        "held_null": column.held_null,
        "comment": column.comment,
    }


def _column_from_json(raw: dict[str, Any]) -> Column:
    default = None
    if raw["default_function"] is not None:
        default = Default(function=DefaultFunction[raw["default_function"]])
    elif raw["default_literal"] is not None:
        default = Default(literal=raw["default_literal"])
    return Column(
        *(raw["id"], raw["name"], raw["physical"], _type(raw["type"]), raw["nullable"], default, raw["added"]),
        before=raw["before"],
        held_null=raw["held_null"],
        comment=raw["comment"],
    )


def _options_to_json(options: TableOptions) -> dict[str, Any]:
    return {
        "flush_rows": options.flush_policy.rows,
        "flush_interval_seconds": options.flush_policy.interval_seconds,
        "bloom_columns": list(options.bloom_columns),
        "bloom_fpp": options.bloom_fpp,
        "compression": options.compression.value,
        "audit": options.audit.value,
        "stream": None if options.stream is None else asdict(options.stream),
        "retention": None if options.retention is None else asdict(options.retention),
        "publish": options.publication.format.value,
        "publish_retention_seconds": options.publication.retention_seconds,
    }


def _options_from_json(raw: dict[str, Any]) -> TableOptions:
    return TableOptions(
        FlushPolicy(raw["flush_rows"], raw["flush_interval_seconds"]),
        tuple(raw["bloom_columns"]),
        raw["bloom_fpp"],
        Compression(raw["compression"]),
        Audit(raw["audit"]),
        None if raw["stream"] is None else StreamLimits(**raw["stream"]),
        None if raw["retention"] is None else Retention(**raw["retention"]),
        Publication(Format(raw["publish"]), raw["publish_retention_seconds"]),
    )


def _table_from_json(raw: dict[str, Any]) -> TableDef:
    return TableDef(
        id=raw["id"],
        name=TableName(raw["namespace"], raw["table"]),
        kind=TableKind(raw["kind"]),
        version=raw["version"],
        columns=tuple(_column_from_json(column) for column in raw["columns"]),
        key=tuple(raw["key"]),
        next_column_id=raw["next_column_id"],
        options=_options_from_json(raw["options"]),
        used_physical=frozenset(raw["used_physical"]),
        owner=raw["owner"],
        checks=tuple(Check(name, condition) for name, condition in raw["checks"]),
        made_as=None if raw["made_as"] is None else TableName(*raw["made_as"]),
        comment=raw["comment"],
        uniques=tuple(Unique(name, tuple(columns)) for name, columns in raw["uniques"]),
        unproven=frozenset(raw["unproven"]),
    )
