"""The records that RocksDB has beside the rows: definitions, users, settings, counters, requests, jobs, the audit log.

All families are read from end to end, so that a damaged file of RocksDB is found wherever it is.
"""

import json
from collections.abc import Callable, Iterator

from catalog import checksummed
from catalog.audit import Link
from catalog.audit_log import AuditLog
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import AUDIT_BASE, AUDIT_HEAD, Family, KeyValueStore
from catalog.setting_store import SettingStore
from catalog.store import CatalogStore
from catalog.user_store import UserStore
from flush.checking.findings import FROM_A_COPY, Finding
from flush.work import Work

_END = b"\xff" * 64
"""Above every key."""


def check_records(keyvalue: KeyValueStore, work: Work) -> Iterator[Finding]:
    """Whatever is wrong with records that belong to no table alone."""
    for what, open_all in _STORES.items():
        try:
            open_all(keyvalue)
        except DatabaseError as error:
            yield Finding(None, None, what, error.message, FROM_A_COPY)
    for family, (what, check) in _RECORDS.items():
        count = 0
        try:
            for key, value in keyvalue.scan(family, b"", _END):
                work.check()
                work.did(1, len(value))
                count += not _is_whole(check, key, value)
        except DatabaseError as error:
            if error.kind is not ErrorKind.CORRUPT:
                raise
            yield Finding(None, None, what, error.message, FROM_A_COPY)
        if count:
            yield Finding(None, None, what, f"{count} of them make no sense", FROM_A_COPY)
    yield from check_audit_log(keyvalue)


def check_audit_log(keyvalue: KeyValueStore) -> Iterator[Finding]:
    """Whatever is wrong with the chain of the audit log."""
    try:
        found, _ = AuditLog(keyvalue).check()
    except DatabaseError as error:
        yield Finding(None, None, "the audit log", error.message, FROM_A_COPY)
        return
    for one in found:
        yield Finding(None, None, f"record {one.number} of the audit log", one.problem, FROM_A_COPY)


def _is_whole(check: Callable[[bytes, bytes], object], key: bytes, value: bytes) -> bool:
    try:
        check(key, value)
    except (DatabaseError, ValueError, KeyError, TypeError):
        return False
    return True


def _check_meta(key: bytes, value: bytes) -> None:
    """Places of the audit log, or numbers."""
    if key in {AUDIT_BASE, AUDIT_HEAD}:
        Link.decode(value)
    else:
        [int(number) for number in value.split()]


def _check_request(_: bytes, value: bytes) -> None:
    found = json.loads(value)
    int(found["rows"]), int(found["seq"]), found["request_hash"], found["at"]


def _check_job(key: bytes, value: bytes) -> None:
    if checksummed.decode(value, "a job")["number"] != int.from_bytes(key, "big"):
        raise ValueError("another job")


_STORES: dict[str, Callable[[KeyValueStore], object]] = {
    "the catalog": CatalogStore,
    "the users": lambda keyvalue: list(UserStore(keyvalue).listed()),
    "the settings": lambda keyvalue: SettingStore(keyvalue).all(),
}
_RECORDS: dict[Family, tuple[str, Callable[[bytes, bytes], object]]] = {
    Family.META: ("the counters", _check_meta),
    Family.IDEMPOTENCY: ("the records of requests", _check_request),
    Family.JOBS: ("the records of jobs", _check_job),
}
