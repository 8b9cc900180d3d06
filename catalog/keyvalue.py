"""The embedded key-value store: RocksDB in raw mode, with durable batches and checked scans.

The only module that knows `rocksdict`. Three facts of the library shape it:
- `Rdict.write` holds the interpreter lock, `flush_wal(sync=True)` does not. So a batch is first appended to the
  write-ahead log without a sync, and then one `flush_wal` makes every batch appended so far durable (group commit).
- An iterator over a damaged file ends early without an error unless its `status()` is asked; it always is.
- With the default recovery mode a flipped bit in the log silently drops all later writes;
  `tolerate_corrupted_tail_records` refuses to open instead. A log that lost its end, or has zeros in it, opens all the
  same: what was acknowledged is counted outside of it (`catalog.high_water`), and a store with less is refused before
  anything of it is changed. To go on without what is missing, somebody must accept the loss.

After a failed sync nobody knows what the disk holds, so the store refuses every later write until somebody opens it
anew. A failed *append*, as on a full disk, is another matter: nothing of its batch counts, and what was appended before
can still be made durable, but RocksDB takes nothing more. So the store is closed and opened again behind the scenes,
when there is room and somebody wants to write (`Turns` keeps others out meanwhile).
"""

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import Enum, unique
from pathlib import Path
from types import TracebackType
from typing import Any

from rocksdict import AccessType, Checkpoint, DBRecoveryMode, Options, Rdict, RdictIter, WriteBatch, WriteOptions

from catalog import durable, high_water
from catalog.audit import Link
from catalog.errors import DatabaseError, ErrorKind
from catalog.full_disk import disk_full, is_full
from catalog.group_sync import GroupSync
from catalog.high_water import HighWater
from catalog.log_file import spans
from catalog.turns import Turns, Use
from catalog.version_log import oldest_log_needed, version_log_of

log = logging.getLogger(__name__)

WRITE_BUFFER_BYTES = 64 << 20
AUDIT_HEAD = b"audit_head"
AUDIT_BASE = b"audit_base"
"""In META: the places of the audit log's newest record, and of the newest that was cut off its beginning."""

RETRY_SECONDS = 1.0
"""How often a store that refuses writes is opened anew, at most."""
ALONE_SECONDS = 5.0
"""How long it is waited for whoever still reads."""
ROOM_BYTES = 1 << 20
_OLDEST_LOG = "rocksdb.min-log-number-to-keep"
_WAY_OUT = "put the data folder back from a copy, or start with --accept-loss to go on without what is missing"


@unique
class Family(Enum):
    """Column families: one key space for each kind of record."""

    CATALOG = "catalog"
    HOT = "hot"
    IDEMPOTENCY = "idempotency"
    META = "meta"
    AUDIT = "audit"
    JOBS = "jobs"
    MANIFEST_CACHE = "manifest_cache"


class AtomicWrite:
    """Puts and deletes that become durable together or not at all."""

    def __init__(self) -> None:
        self.operations: list[tuple[Family, bytes, bytes | None]] = []
        self.deleted_ranges: list[tuple[Family, bytes, bytes]] = []
        self.audited: list[bytes] = []

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to write."""
        return not (self.operations or self.deleted_ranges or self.audited)

    def put(self, family: Family, key: bytes, value: bytes) -> None:
        """Set `key` to `value`."""
        self.operations.append((family, key, value))

    def delete(self, family: Family, key: bytes) -> None:
        """Remove `key`; no error when it is absent."""
        self.operations.append((family, key, None))

    def delete_range(self, family: Family, lower: bytes, upper: bytes) -> None:
        """Remove every key with `lower <= key < upper` that was there before this batch."""
        self.deleted_ranges.append((family, lower, upper))

    def audit(self, record: bytes) -> None:
        """Add a record to the audit log: it is there if, and only if, everything else of the batch is."""
        self.audited.append(record)


class KeyValueStore:
    """Ordered byte keys in column families. Safe for use by many threads.

    Opening raises CORRUPT when changes that were acknowledged are missing, and changes nothing then. With
    `accept_loss`, what can be read is all there is from now on; a store that is missing altogether is no such loss.
    """

    def __init__(self, path: Path, *, accept_loss: bool = False) -> None:
        self._path = path
        mark = mark_of(path)
        if is_new(path):
            _begin(path, mark)
        elif accept_loss:
            _log_loss(path, mark)
        else:
            _check_complete(path, mark)
        self._turns = Turns()
        self._in_use = Use(self._begin_use, self._turns.end)
        self._opened: _Opened | None = _Opened(_open(path, accept_loss=accept_loss))
        if accept_loss:
            high_water.begin(mark)
        self._unsynced = WriteOptions()
        self._append = threading.Lock()
        self._recovery = threading.Lock()
        self._refusal: Callable[[], DatabaseError] | None = None
        self._tried_at = -math.inf
        self._audit_head = Link.decode(self.get(Family.META, AUDIT_HEAD))
        self._high_water = HighWater(mark, path)
        self._high_water.note(self._opened.db.latest_sequence_number())  # opening has synced all that it found
        self._sync = GroupSync(self._make_durable)

    def __enter__(self) -> "KeyValueStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get(self, family: Family, key: bytes) -> bytes | None:
        """Return the value of `key`, or None; raise CORRUPT when a file is damaged."""
        with self._in_use as opened:
            try:
                value: bytes | None = opened.columns[family].get(key)
            except Exception as error:
                raise _damaged(family) from error
        return value

    def scan(self, family: Family, lower: bytes, upper: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield pairs with `lower <= key < upper` in key order; raise CORRUPT when a file is damaged."""
        with self._in_use as opened:
            cursor = opened.columns[family].iter()
            cursor.seek(lower)
            yield from _walk(cursor, family, upper)

    def audit_log(self) -> tuple[Link, Link, Iterator[tuple[bytes, bytes]]]:
        """Where the audit log begins and ends, and its records by their keys: all as of one moment."""
        records = self._audit_log()
        base, head = next(records)
        return base, head, records

    def _audit_log(self) -> Iterator[tuple[Any, Any]]:
        """The same, with beginning and end first: what is read stays in use from then on, until it is let go."""
        with self._in_use as opened:
            with self._append:
                base, head = (Link.decode(opened.columns[Family.META].get(key)) for key in (AUDIT_BASE, AUDIT_HEAD))
                cursor = opened.columns[Family.AUDIT].iter()
            yield base, head
            cursor.seek_to_first()
            yield from _walk(cursor, Family.AUDIT, None)

    def first_key(self, family: Family, lower: bytes, upper: bytes) -> bytes | None:
        """Return the smallest key with `lower <= key < upper`, without reading its value; raise CORRUPT for damage."""
        with self._in_use as opened:
            cursor = opened.columns[family].iter()
            cursor.seek(lower)
            key: bytes | None = cursor.key() if cursor.valid() else None
            with _damage_of(family):
                cursor.status()
        return key if key is not None and key < upper else None

    def append(self, batch: AtomicWrite) -> int:
        """Write `batch` to the log, not yet durable; return the ticket that `wait_durable` takes.

        Tickets are ordered: when a ticket is durable, so are all smaller ones. An error means that nothing of the batch
        was written: RESOURCES when the disk is full.
        """
        if self._refusal is not None:
            self._recover()
        with self._in_use as opened:
            native = opened.written(batch)
            with self._append:
                self._sync.refuse_after_failure()
                if self._refusal is not None:
                    raise self._refusal()
                audit_head = opened.chain(batch.audited, self._audit_head, native)
                try:
                    opened.db.write(native, self._unsynced)
                except Exception as error:
                    log.warning("the write-ahead log refuses writes: %s", error)
                    self._refusal = disk_full if is_full(error) else _refused
                    raise self._refusal() from error
                self._audit_head = audit_head
                return self._sync.appended()

    def wait_durable(self, ticket: int) -> None:
        """Return when the batch of `ticket` survives a power cut; one sync serves all waiting threads."""
        self._sync.wait(ticket)

    def commit(self, batch: AtomicWrite) -> None:
        """Write `batch` and wait until it is durable."""
        self.wait_durable(self.append(batch))

    def write_out(self) -> None:
        """Bring what is in memory and in the log into files of its own, so that a copy has little to write."""
        with self._in_use as opened, _damage_of_store():
            for column in opened.columns.values():
                column.flush(True)

    def copy_to(self, path: Path) -> None:
        """Make a copy as of one moment, over all families, in a folder that does not exist yet.

        Files are linked, but for the log, of which the copy has what was appended by then, durable or not.
        """
        with self._in_use as opened, _damage_of_store():
            Checkpoint(opened.db).create_checkpoint(str(path))

    def close(self) -> None:
        """Release the files. The store cannot be used afterwards."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()
        self._high_water.close()

    def _begin_use(self) -> "_Opened":
        """Keep others from opening the library's store anew, until `_turns` are told that it is not used any more."""
        if self._opened is None:
            self._recover()
        self._turns.begin()
        if self._opened is None:
            self._turns.end()
            raise _refused()
        return self._opened

    def _make_durable(self) -> None:
        """Sync the log. After a failed append the library refuses to; the log's files can be synced all the same."""
        with self._in_use as opened:
            change = opened.db.latest_sequence_number()
            try:
                opened.db.flush_wal(True)
            except Exception:
                with self._append:
                    refused = self._refusal is not None
                if not refused:
                    raise
                _sync_logs(self._path)
                return
            try:
                self._high_water.note(change)
            except OSError as error:
                if not is_full(error):
                    raise

    def _recover(self) -> None:
        """Open the store anew after a failed append; raise when that was tried just now, or there is no room yet."""
        with self._recovery:
            if self._refusal is None and self._opened is not None:
                return
            refusal = self._refusal or _refused
            if time.monotonic() - self._tried_at < RETRY_SECONDS:
                raise refusal()
            self._tried_at = time.monotonic()
            if not _has_room(self._path):
                raise refusal()
            self._sync.wait_all()
            with self._turns.alone(ALONE_SECONDS):
                if self._opened is not None:
                    opened, self._opened = self._opened, None
                    opened.close()
                self._opened = _Opened(_open_again(self._path))
                self._refusal = None
            log.warning("the store takes writes again")


def mark_of(path: Path) -> Path:
    """Where it is noted how far the store at a path was acknowledged."""
    return path.with_name(f"{path.name}.mark")


def is_new(path: Path) -> bool:
    """Tell whether there is no store at a path."""
    return not (path / "CURRENT").exists()


def peek(path: Path, family: Family, lower: bytes, upper: bytes) -> list[tuple[bytes, bytes]]:
    """What a store has, read beside a process that may have it open; nothing of it is changed."""
    store = _read_only(path)
    try:
        cursor = store.get_column_family(family.value).iter()
        cursor.seek(lower)
        return list(_walk(cursor, family, upper))
    finally:
        store.close()


def _walk(cursor: RdictIter, family: Family, upper: bytes | None) -> Iterator[tuple[bytes, bytes]]:
    """The pairs from a cursor's place on; raise CORRUPT when a file is damaged."""
    while cursor.valid():
        key: bytes = cursor.key()
        if upper is not None and key >= upper:
            break
        yield key, cursor.value()
        cursor.next()
    with _damage_of(family):
        cursor.status()


class _Opened:
    """RocksDB as it was opened, with what its families are called by."""

    def __init__(self, db: Rdict) -> None:
        self.db = db
        self.columns = {family: db.get_column_family(family.value) for family in Family}
        self._handles = {family: db.get_column_family_handle(family.value) for family in Family}

    def written(self, batch: AtomicWrite) -> WriteBatch:
        """A batch as the library takes it."""
        native = WriteBatch(raw_mode=True)
        for family, lower, upper in batch.deleted_ranges:
            native.delete_range(lower, upper, self._handles[family])
        for family, key, value in batch.operations:
            if value is None:
                native.delete(key, self._handles[family])
            else:
                native.put(key, value, self._handles[family])
        return native

    def chain(self, records: list[bytes], link: Link, native: WriteBatch) -> Link:
        """Put records at the end of the audit log, which is `link`; return where it ends then."""
        audit = self._handles[Family.AUDIT]
        for body in records:
            link = link.then(body)
            native.put(link.key, link.digest + body, audit)
        if records:
            native.put(AUDIT_HEAD, link.encode(), self._handles[Family.META])
        return link

    def close(self) -> None:
        """Let the files go, even where not all could be written to them: the log has it."""
        self.columns.clear()
        self._handles.clear()
        try:
            self.db.close()
        except Exception as error:  # noqa: BLE001 - rocksdict raises bare Exception
            log.warning("the key-value store was closed with a failure: %s", error)


@contextmanager
def _damage_of(family: Family) -> Iterator[None]:
    """Turn the library's bare exceptions into CORRUPT; its text names files, so it stays in the cause."""
    try:
        yield
    except Exception as error:
        raise _damaged(family) from error


def _damaged(family: Family) -> DatabaseError:
    return DatabaseError(ErrorKind.CORRUPT, f"{family.value} records are damaged on disk")


@contextmanager
def _damage_of_store() -> Iterator[None]:
    """The same for what is done with the whole store; a full disk is told as one."""
    try:
        yield
    except Exception as error:
        if is_full(error):
            raise disk_full() from error
        raise DatabaseError(ErrorKind.CORRUPT, "the key-value store cannot be copied") from error


def _open(path: Path, *, accept_loss: bool) -> Rdict:
    """Open a store, or make one. Where a loss is accepted, a log that is damaged is read as far as it can be."""
    modes = [DBRecoveryMode.tolerate_corrupted_tail_records()]
    if accept_loss:
        modes += [DBRecoveryMode.point_in_time(), DBRecoveryMode.skip_any_corrupted_record()]
    failures = []
    for mode in modes:
        options = _options()
        options.set_wal_recovery_mode(mode)
        try:
            return Rdict(str(path), options, column_families={family.value: _options() for family in Family})
        except Exception as error:  # noqa: BLE001 - rocksdict raises bare Exception
            failures.append(error)
    raise DatabaseError(ErrorKind.CORRUPT, f"the key-value store cannot be opened: {failures[0]}") from failures[0]


def _open_again(path: Path) -> Rdict:
    """Open a store that was closed just now; somebody may hold on to the last of it for a moment."""
    deadline = time.monotonic() + ALONE_SECONDS
    while True:
        try:
            return _open(path, accept_loss=False)
        except DatabaseError as error:
            if time.monotonic() > deadline:
                log.warning("the key-value store cannot be opened again yet: %s", error.message)
                raise _refused() from error
            time.sleep(0.01)


def _refused() -> DatabaseError:
    return DatabaseError(ErrorKind.UNAVAILABLE, "the key-value store takes no writes just now; retry later")


def _has_room(path: Path) -> bool:
    """Tell whether there is room for what is in the log to be written once more, and for a new one."""
    probe = path.with_name(f"{path.name}.room")
    size = sum(log_file.stat().st_size for log_file in high_water.log_files(path).values()) + ROOM_BYTES
    try:
        with probe.open("wb") as file:
            for _ in range(-(-size // ROOM_BYTES)):
                file.write(bytes(ROOM_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True


def _sync_logs(path: Path) -> None:
    """Make what stands in the log's files durable."""
    for log_file in high_water.log_files(path).values():
        durable.sync_file(log_file)
    durable.sync_folder(path)


def _begin(path: Path, mark: Path) -> None:
    """Begin a new store's mark. Raise CORRUPT when something was acknowledged here: then the store was lost."""
    acknowledged = high_water.read(mark)
    if acknowledged is not None and acknowledged.change:
        raise DatabaseError(
            ErrorKind.CORRUPT,
            f"the folder {path.name} is missing or empty, and with it every definition and {acknowledged.change} "
            f"changes, the last of {_moment(acknowledged.at)}; put it back from a copy",
        )
    high_water.begin(mark)


def _check_complete(path: Path, mark: Path) -> None:
    """Raise CORRUPT when a store lacks something that was acknowledged. Nothing on disk is changed."""
    newest, oldest_log = _extent(path)
    try:
        acknowledged = high_water.read(mark)
    except DatabaseError as error:
        raise DatabaseError(ErrorKind.CORRUPT, f"{error.message}; {_WAY_OUT}") from error
    if acknowledged is None:
        raise DatabaseError(
            ErrorKind.CORRUPT,
            f"{mark.name} is missing, so nobody can tell whether acknowledged changes are missing; {_WAY_OUT}",
        )
    if oldest_log_needed(version_log_of(path).read_bytes()) < acknowledged.oldest_log:
        raise DatabaseError(
            ErrorKind.CORRUPT,
            f"{version_log_of(path).name} of the key-value store has lost its end, and with it changes that were "
            f"acknowledged; the newest was change {acknowledged.change}, of {_moment(acknowledged.at)}; {_WAY_OUT}",
        )
    logs = {number: spans(log.read_bytes()) for number, log in high_water.log_files(path).items()}
    missing = high_water.missing_changes(acknowledged, newest, oldest_log, logs)
    if missing:
        count = sum(span.length for span in missing)
        raise DatabaseError(
            ErrorKind.CORRUPT,
            f"the write-ahead log has lost {count} changes that were acknowledged, from change {missing[0].first} on; "
            f"the newest was change {acknowledged.change}, of {_moment(acknowledged.at)}; {_WAY_OUT}",
        )


def _extent(path: Path) -> tuple[int, int]:
    """The number of the newest change that can be read, and the number of the oldest log file that is needed."""
    store = _read_only(path)
    newest, oldest_log = store.latest_sequence_number(), store.property_int_value(_OLDEST_LOG)
    store.close()
    return newest, oldest_log or 0


def _read_only(path: Path) -> Rdict:
    """A store that is only looked at; CORRUPT when that cannot be."""
    try:
        names = Rdict.list_cf(str(path), _options())
        families = {name: _options() for name in names}
        options = _options()
        options.set_wal_recovery_mode(DBRecoveryMode.tolerate_corrupted_tail_records())
        return Rdict(str(path), options, column_families=families, access_type=AccessType.read_only(False))
    except Exception as error:
        raise DatabaseError(ErrorKind.CORRUPT, f"the key-value store cannot be opened: {error}; {_WAY_OUT}") from error


def _log_loss(path: Path, mark: Path) -> None:
    """Say what is given up."""
    try:
        _check_complete(path, mark)
    except DatabaseError as error:
        log.warning("a loss was accepted: %s", error.message)


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_keep_log_file_num(4)
    return options
