"""The embedded key-value store: RocksDB in raw mode, with durable batches and checked scans.

The only module that knows `rocksdict`. Three facts of the library shape it:
- `Rdict.write` holds the interpreter lock, `flush_wal(sync=True)` does not. So a batch is first appended to the
  write-ahead log without a sync, and then one `flush_wal` makes every batch appended so far durable (group commit).
- An iterator over a damaged file ends early without an error unless its `status()` is asked; it always is.
- With the default recovery mode a flipped bit in the log silently drops all later writes;
  `tolerate_corrupted_tail_records` refuses to open instead. A log that lost its end, or has zeros in it, opens all the
  same: what was acknowledged is counted outside of it (`catalog.high_water`), and a store with less is refused before
  anything of it is changed. To go on without what is missing, somebody must accept the loss.

After a failed sync nobody knows what the disk holds, so the store refuses every later write until it is reopened.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import Enum, unique
from pathlib import Path
from types import TracebackType

from rocksdict import AccessType, DBRecoveryMode, Options, Rdict, RdictIter, WriteBatch, WriteOptions

from catalog import high_water
from catalog.audit import Link
from catalog.errors import DatabaseError, ErrorKind
from catalog.high_water import HighWater
from catalog.log_file import spans

log = logging.getLogger(__name__)

WRITE_BUFFER_BYTES = 64 << 20
AUDIT_HEAD = b"audit_head"
AUDIT_BASE = b"audit_base"
"""In META: the places of the audit log's newest record, and of the newest that was cut off its beginning."""

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
        """Remove every key with `lower <= key < upper`."""
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
        mark = path.with_name(f"{path.name}.mark")
        if is_new(path):
            _begin(path, mark)
        elif accept_loss:
            _log_loss(path, mark)
        else:
            _check_complete(path, mark)
        self._db = _open(path, accept_loss=accept_loss)
        if accept_loss:
            high_water.begin(mark)
        self._handles = {family: self._db.get_column_family_handle(family.value) for family in Family}
        self._columns = {family: self._db.get_column_family(family.value) for family in Family}
        self._unsynced = WriteOptions()
        self._append = threading.Lock()
        self._audit_head = Link.decode(self.get(Family.META, AUDIT_HEAD))
        self._high_water = HighWater(mark, path)
        self._high_water.note(self._db.latest_sequence_number())  # opening has synced all that it found
        self._sync = _GroupSync(self._db, self._high_water)

    def __enter__(self) -> "KeyValueStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get(self, family: Family, key: bytes) -> bytes | None:
        """Return the value of `key`, or None; raise CORRUPT when a file is damaged."""
        with _damage_of(family):
            value: bytes | None = self._columns[family].get(key)
        return value

    def scan(self, family: Family, lower: bytes, upper: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield pairs with `lower <= key < upper` in key order; raise CORRUPT when a file is damaged."""
        cursor = self._columns[family].iter()
        cursor.seek(lower)
        yield from _walk(cursor, family, upper)

    def audit_log(self) -> tuple[Link, Link, Iterator[tuple[bytes, bytes]]]:
        """Where the audit log begins and ends, and its records by their keys: all as of one moment."""
        with self._append:
            base, head = (Link.decode(self.get(Family.META, key)) for key in (AUDIT_BASE, AUDIT_HEAD))
            cursor = self._columns[Family.AUDIT].iter()
        cursor.seek_to_first()
        return base, head, _walk(cursor, Family.AUDIT, None)

    def first_key(self, family: Family, lower: bytes, upper: bytes) -> bytes | None:
        """Return the smallest key with `lower <= key < upper`, without reading its value; raise CORRUPT for damage."""
        cursor = self._columns[family].iter()
        cursor.seek(lower)
        key: bytes | None = cursor.key() if cursor.valid() else None
        with _damage_of(family):
            cursor.status()
        return key if key is not None and key < upper else None

    def append(self, batch: AtomicWrite) -> int:
        """Write `batch` to the log, not yet durable; return the ticket that `wait_durable` takes.

        Tickets are ordered: when a ticket is durable, so are all smaller ones.
        """
        native = WriteBatch(raw_mode=True)
        for family, key, value in batch.operations:
            if value is None:
                native.delete(key, self._handles[family])
            else:
                native.put(key, value, self._handles[family])
        for family, lower, upper in batch.deleted_ranges:
            native.delete_range(lower, upper, self._handles[family])
        with self._append:
            self._sync.refuse_after_failure()
            audit_head = self._chain(batch.audited, native)
            try:
                self._db.write(native, self._unsynced)
            except Exception as error:
                raise DatabaseError(ErrorKind.UNAVAILABLE, f"the write-ahead log refuses writes: {error}") from error
            self._audit_head = audit_head
            return self._sync.appended()

    def _chain(self, records: list[bytes], native: WriteBatch) -> Link:
        """Put records at the end of the audit log; return where it ends then. Nobody else may append meanwhile."""
        link, audit = self._audit_head, self._handles[Family.AUDIT]
        for body in records:
            link = link.then(body)
            native.put(link.key, link.digest + body, audit)
        if records:
            native.put(AUDIT_HEAD, link.encode(), self._handles[Family.META])
        return link

    def wait_durable(self, ticket: int) -> None:
        """Return when the batch of `ticket` survives a power cut; one sync serves all waiting threads."""
        self._sync.wait(ticket)

    def commit(self, batch: AtomicWrite) -> None:
        """Write `batch` and wait until it is durable."""
        self.wait_durable(self.append(batch))

    def close(self) -> None:
        """Release the files. The store cannot be used afterwards."""
        self._columns.clear()
        self._handles.clear()
        self._db.close()
        self._high_water.close()


def is_new(path: Path) -> bool:
    """Tell whether there is no store at a path."""
    return not (path / "CURRENT").exists()


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


class _GroupSync:
    """Turns many waits for durability into few syncs: one thread syncs for all who wrote before it began."""

    def __init__(self, db: Rdict, mark: HighWater) -> None:
        self._db = db
        self._mark = mark
        self._state = threading.Condition()
        self._written = 0
        self._durable = 0
        self._syncing = False
        self._failure: str | None = None

    def appended(self) -> int:
        with self._state:
            self._written += 1
            return self._written

    def refuse_after_failure(self) -> None:
        if self._failure is not None:
            raise DatabaseError(
                ErrorKind.UNAVAILABLE, f"writes are refused since a sync failed ({self._failure}); restart the server"
            )

    def wait(self, ticket: int) -> None:
        while self._lead_or_follow(ticket):
            pass

    def _lead_or_follow(self, ticket: int) -> bool:
        """Wait for another thread's sync or do one. Return False when `ticket` is durable."""
        with self._state:
            while self._syncing and self._durable < ticket:
                self._state.wait()
            if self._durable >= ticket:
                return False
            self.refuse_after_failure()
            self._syncing = True
            target = self._written
        failure = None
        try:
            change = self._db.latest_sequence_number()
            self._db.flush_wal(True)
            self._mark.note(change)
        except Exception as error:  # noqa: BLE001 - rocksdict raises bare Exception
            failure = str(error)
        with self._state:
            self._syncing = False
            self._failure = failure
            if failure is None:
                self._durable = target
            self._state.notify_all()
        return True


@contextmanager
def _damage_of(family: Family) -> Iterator[None]:
    """Turn the library's bare exceptions into CORRUPT; its text names files, so it stays in the cause."""
    try:
        yield
    except Exception as error:
        raise DatabaseError(ErrorKind.CORRUPT, f"{family.value} records are damaged on disk") from error


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
    try:
        names = Rdict.list_cf(str(path), _options())
        families = {name: _options() for name in names}
        options = _options()
        options.set_wal_recovery_mode(DBRecoveryMode.tolerate_corrupted_tail_records())
        store = Rdict(str(path), options, column_families=families, access_type=AccessType.read_only(False))
    except Exception as error:
        raise DatabaseError(ErrorKind.CORRUPT, f"the key-value store cannot be opened: {error}; {_WAY_OUT}") from error
    newest, oldest_log = store.latest_sequence_number(), store.property_int_value(_OLDEST_LOG)
    store.close()
    return newest, oldest_log or 0


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
