"""The registry, made durable: every change is one synced RocksDB batch, then one reference assignment.

Keys in the CATALOG family: `n/<namespace>`, `t/<namespace>/<table>`, `v/<namespace>/<view>` (names encoded as path
components, so `/` cannot occur in them), `gone/<table id>` and `next_table_id`. Readers take `registry` once and keep
it.

An id that was handed out and is no table, not yet or no more, is *gone*: what is stored under it may be deleted. That
is on record from the moment the id is handed out until a definition has it, and again from the moment it is dropped
until nothing is left. Of ids without such a record nothing is known, and so nothing of theirs may be deleted.
"""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from catalog.codec import (
    decode_grant,
    decode_namespace,
    decode_policy,
    decode_table,
    decode_view,
    encode_grant,
    encode_namespace,
    encode_policy,
    encode_table,
    encode_view,
)
from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import GrantKey
from catalog.identifiers import TableName, path_component
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from catalog.policies import PolicyKey
from catalog.registry import Registry
from catalog.sorted_map import SortedMap

_NEXT_TABLE_ID = b"next_table_id"
_GONE = b"gone/"
Change = Callable[[Registry], Registry]
Definition = TypeVar("Definition")
Completion = Callable[[AtomicWrite], None]
"""Adds to the batch of a change."""


def as_it_is(_: AtomicWrite) -> None:
    """For changes with nothing to add."""


class CatalogStore:
    """Holds the current registry. `change` is atomic and durable."""

    def __init__(self, keyvalue: KeyValueStore) -> None:
        self._keyvalue = keyvalue
        self._lock = threading.RLock()
        self._registry = _load(keyvalue)

    @property
    def registry(self) -> Registry:
        """The definitions as of now; an immutable value."""
        return self._registry

    def change(self, change: Change, complete: Completion = as_it_is) -> Registry:
        """Apply `change` to the newest registry, make the result durable, publish and return it.

        `complete` may add to the batch.
        """
        batch = AtomicWrite()
        with self.staged(change, batch) as publish:
            complete(batch)
            if not batch.is_empty:
                self._keyvalue.commit(batch)
            publish()
            return self._registry

    @contextmanager
    def staged(self, change: Change, batch: AtomicWrite) -> Iterator[Callable[[], None]]:
        """Put the records of a change into `batch`; yield what publishes it, to be called once `batch` is durable.

        No other change comes between.
        """
        with self._lock:
            after = change(self._registry)
            _put_difference(self._registry, after, batch)

            def publish() -> None:
                self._registry = after

            yield publish

    def reserve_table_id(self) -> int:
        """Return a table id that no table has or had."""
        with self._lock:
            table_id = self._registry.next_table_id
            batch = AtomicWrite()
            batch.put(Family.CATALOG, _NEXT_TABLE_ID, str(table_id + 1).encode())
            batch.put(Family.CATALOG, _gone_key(table_id), b"")
            self._keyvalue.commit(batch)
            self._registry = replace(self._registry, next_table_id=table_id + 1)
            return table_id

    def skip_table_ids(self, last: int) -> None:
        """Never hand out an id up to `last`: there are files of such a table, known or not."""
        with self._lock:
            if last >= self._registry.next_table_id:
                batch = AtomicWrite()
                batch.put(Family.CATALOG, _NEXT_TABLE_ID, str(last + 1).encode())
                self._keyvalue.commit(batch)
                self._registry = replace(self._registry, next_table_id=last + 1)

    def gone_tables(self) -> frozenset[int]:
        """Ids that are no tables, and of which something may be left."""
        found = self._keyvalue.scan(Family.CATALOG, _GONE, _GONE + b"\xff")
        return frozenset(int(key.removeprefix(_GONE)) for key, _ in found)

    def forget_gone(self, table_ids: Collection[int]) -> None:
        """Say that nothing is left of some tables that are gone."""
        batch = AtomicWrite()
        for table_id in table_ids:
            batch.delete(Family.CATALOG, _gone_key(table_id))
        if table_ids:
            self._keyvalue.commit(batch)


def _load(keyvalue: KeyValueStore) -> Registry:
    namespaces = dict(Registry().namespaces)
    for key, value in keyvalue.scan(Family.CATALOG, b"n/", b"n0"):
        namespace = decode_namespace(value)
        if key != _namespace_key(namespace.name):
            raise DatabaseError(ErrorKind.CORRUPT, "a namespace record in the catalog is damaged")
        namespaces[namespace.name] = namespace
    tables = [decode_table(value) for _, value in keyvalue.scan(Family.CATALOG, b"t/", b"t0")]
    views = [decode_view(value) for _, value in keyvalue.scan(Family.CATALOG, b"v/", b"v0")]
    grants = [decode_grant(value) for _, value in keyvalue.scan(Family.CATALOG, b"g/", b"g0")]
    policies = [decode_policy(value) for _, value in keyvalue.scan(Family.CATALOG, b"p/", b"p0")]
    for found in [*(table.name for table in tables), *(view.name for view in views)]:
        if found.namespace not in namespaces:
            raise DatabaseError(ErrorKind.CORRUPT, f"the namespace of {found} is missing from the catalog")
    reserved = int(keyvalue.get(Family.CATALOG, _NEXT_TABLE_ID) or 1)
    return Registry(
        SortedMap(namespaces.items()),
        SortedMap((table.name, table) for table in tables),
        SortedMap((view.name, view) for view in views),
        SortedMap((table.id, table.name) for table in tables),
        max([reserved, *(table.id + 1 for table in tables)]),
        SortedMap((grant.key, grant) for grant in grants),
        SortedMap((policy.key, policy) for policy in policies),
    )


def _put_difference(before: Registry, after: Registry, batch: AtomicWrite) -> None:
    changes = after.changes_since(before)
    for namespace in changes.namespaces:
        _put(batch, _namespace_key(namespace.key), namespace.after, encode_namespace)
    for table in changes.tables:
        _put(batch, _key(b"t", table.key), table.after, encode_table)
    for view in changes.views:
        _put(batch, _key(b"v", view.key), view.after, encode_view)
    for grant in changes.grants:
        _put(batch, _grant_key(grant.key), grant.after, encode_grant)
    for policy in changes.policies:
        _put(batch, _policy_key(policy.key), policy.after, encode_policy)
    for dropped in before.left_out_by(after):
        batch.put(Family.CATALOG, _gone_key(dropped.id), b"")
    for made in after.left_out_by(before):
        batch.delete(Family.CATALOG, _gone_key(made.id))
    if after.next_table_id != before.next_table_id:
        batch.put(Family.CATALOG, _NEXT_TABLE_ID, str(after.next_table_id).encode())


def _policy_key(key: PolicyKey) -> bytes:
    return b"/".join((b"p", str(key.table_id).encode(), path_component(key.name).encode()))


def _put(batch: AtomicWrite, key: bytes, there: Definition | None, encode: Callable[[Definition], bytes]) -> None:
    if there is None:
        batch.delete(Family.CATALOG, key)
    else:
        batch.put(Family.CATALOG, key, encode(there))


def _namespace_key(namespace: str) -> bytes:
    return b"n/" + path_component(namespace).encode()


def _grant_key(key: GrantKey) -> bytes:
    thing, privilege, grantee, grantor = key
    parts = (thing.type, str(thing.id), privilege.lower(), grantee.type, grantee.name, grantor)
    return b"/".join((b"g", *(path_component(part).encode() for part in parts)))


def _gone_key(table_id: int) -> bytes:
    return _GONE + str(table_id).encode()


def _key(kind: bytes, name: TableName) -> bytes:
    return b"/".join((kind, path_component(name.namespace).encode(), path_component(name.table).encode()))
