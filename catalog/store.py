"""The registry, made durable: every change is one synced RocksDB batch, then one reference assignment.

Keys in the CATALOG family: `n/<namespace>`, `t/<namespace>/<table>`, `v/<namespace>/<view>` (names encoded as path
components, so `/` cannot occur in them), and `next_table_id`. Readers take `registry` once and keep it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from catalog.codec import decode_table, decode_view, encode_table, encode_view
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName, path_component
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from catalog.registry import Registry

_NEXT_TABLE_ID = b"next_table_id"
Change = Callable[[Registry], Registry]


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

    def change(self, change: Change) -> Registry:
        """Apply `change` to the newest registry, make the result durable, publish and return it."""
        batch = AtomicWrite()
        with self.staged(change, batch) as publish:
            if batch.operations:
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
            self._keyvalue.commit(batch)
            self._registry = replace(self._registry, next_table_id=table_id + 1)
            return table_id


def _load(keyvalue: KeyValueStore) -> Registry:
    registry = Registry()
    for key, value in keyvalue.scan(Family.CATALOG, b"n/", b"n0"):
        name = value.decode()
        if key != _namespace_key(name):
            raise DatabaseError(ErrorKind.CORRUPT, "a namespace record in the catalog is damaged")
        registry = Registry(registry.namespaces | {name})
    for _, value in keyvalue.scan(Family.CATALOG, b"t/", b"t0"):
        registry = registry.with_table(decode_table(value))
    for _, value in keyvalue.scan(Family.CATALOG, b"v/", b"v0"):
        registry = registry.with_view(decode_view(value))
    reserved = keyvalue.get(Family.CATALOG, _NEXT_TABLE_ID)
    next_table_id = max(registry.next_table_id, int(reserved) if reserved else 1)
    return Registry(registry.namespaces, registry.tables, registry.views, next_table_id)


def _put_difference(before: Registry, after: Registry, batch: AtomicWrite) -> None:
    for namespace in after.namespaces - before.namespaces:
        batch.put(Family.CATALOG, _namespace_key(namespace), namespace.encode())
    for namespace in before.namespaces - after.namespaces:
        batch.delete(Family.CATALOG, _namespace_key(namespace))
    for name, table in after.tables.items():
        if before.tables.get(name) is not table:
            batch.put(Family.CATALOG, _key(b"t", name), encode_table(table))
    for name, view in after.views.items():
        if before.views.get(name) is not view:
            batch.put(Family.CATALOG, _key(b"v", name), encode_view(view))
    for name in before.tables.keys() - after.tables.keys():
        batch.delete(Family.CATALOG, _key(b"t", name))
    for name in before.views.keys() - after.views.keys():
        batch.delete(Family.CATALOG, _key(b"v", name))
    if after.next_table_id != before.next_table_id:
        batch.put(Family.CATALOG, _NEXT_TABLE_ID, str(after.next_table_id).encode())


def _namespace_key(namespace: str) -> bytes:
    return b"n/" + path_component(namespace).encode()


def _key(kind: bytes, name: TableName) -> bytes:
    return b"/".join((kind, path_component(name.namespace).encode(), path_component(name.table).encode()))
