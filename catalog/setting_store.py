"""Settings that statements have changed: one record each, under `setting/<key>` in the CATALOG family.

What a setting may be is not known here: whoever reads checks.
"""

from collections.abc import Iterable
from pathlib import Path

from catalog.codec import decode_setting, encode_setting
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import path_component
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore, is_new, peek
from catalog.store import Completion, as_it_is

_SETTINGS = b"setting/"
_END = b"setting0"


class SettingStore:
    """The changed settings of a data folder. Changes are durable when they return, with what `complete` adds."""

    def __init__(self, keyvalue: KeyValueStore) -> None:
        self._keyvalue = keyvalue

    def all(self) -> dict[str, str]:
        """Their values as texts, by key."""
        return _decoded(self._keyvalue.scan(Family.CATALOG, _SETTINGS, _END))

    def put(self, key: str, text: str, complete: Completion = as_it_is) -> None:
        """Keep the value of a setting."""
        batch = AtomicWrite()
        batch.put(Family.CATALOG, _stored(key), encode_setting(key, text))
        complete(batch)
        self._keyvalue.commit(batch)

    def delete(self, key: str, complete: Completion = as_it_is) -> None:
        """Forget the value of a setting; no error when there is none."""
        batch = AtomicWrite()
        batch.delete(Family.CATALOG, _stored(key))
        complete(batch)
        self._keyvalue.commit(batch)


def read_settings(store: Path) -> dict[str, str]:
    """The changed settings of a store that another process may have open; none of one that is not there."""
    return {} if is_new(store) else _decoded(peek(store, Family.CATALOG, _SETTINGS, _END))


def _decoded(records: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    found = {}
    for stored, value in records:
        key, text = decode_setting(value)
        if stored != _stored(key):
            raise DatabaseError(ErrorKind.CORRUPT, "the record of a setting in the catalog is damaged")
        found[key] = text
    return found


def _stored(key: str) -> bytes:
    return _SETTINGS + path_component(key).encode()
