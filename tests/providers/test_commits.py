"""Commits: order, durability, visibility, repeated requests."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from catalog.definition import TableKind
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from providers.cold.files import ColdFiles
from providers.commit.idempotency import Idempotency, Outcome
from providers.commit.request import Request
from providers.commit.resolve import OnExisting
from providers.commit.scope_store import Durability, ScopeStore
from tests.processes import HANGS_SECONDS
from tests.storage_fixtures import Database, TableAccess, kv, run_together

REQUEST = Idempotency("request-1", "hash-1")


class WatchedStore(KeyValueStore):
    """A store that knows what would survive a power cut, and whose syncs can be held up."""

    def __init__(self, path: Path, *, accept_loss: bool = False) -> None:
        super().__init__(path, accept_loss=accept_loss)
        self.written: list[tuple[int, set[bytes]]] = []
        self.durable = 0
        self.may_sync = threading.Event()
        self.may_sync.set()
        self.waiting = threading.Event()

    def append(self, batch: AtomicWrite) -> int:
        """Append and remember the keys."""
        ticket = super().append(batch)
        self.written.append((ticket, {key for _, key, value in batch.operations if value is not None}))
        return ticket

    def wait_durable(self, ticket: int) -> None:
        """Wait for permission, then sync."""
        self.waiting.set()
        self.may_sync.wait(HANGS_SECONDS)
        super().wait_durable(ticket)
        self.durable = max(self.durable, ticket)

    def survives(self, fragment: bytes) -> bool:
        """Tell whether a key that contains `fragment` is durable."""
        return any(ticket <= self.durable and any(fragment in key for key in keys) for ticket, keys in self.written)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[TableAccess]:
    """A table over a watched store."""
    database = Database(tmp_path, WatchedStore)
    yield database.create()
    database.close()


def store_of(table: TableAccess) -> WatchedStore:
    """The watched store below a table."""
    found = table.db.keyvalue
    assert isinstance(found, WatchedStore)
    return found


def test_commits_of_a_scope_have_ascending_seqs(table: TableAccess) -> None:
    """`_seq` order is commit order, over statements and restarts."""
    seqs = [table.write(kv(1)).seq, table.write(kv(2), kv(3)).seq]
    table.db.reopen()
    seqs += [table.write(kv(4)).seq, table.delete(kv(1)).seq]
    assert seqs == sorted(set(seqs))
    listed = table.select("SELECT k FROM t ORDER BY _seq")
    assert listed == [2, 3, 4]


def test_outcome_names_the_last_seq_and_counts_rows(table: TableAccess) -> None:
    """An outcome says how many rows were written and the newest `_seq` of the commit."""
    outcome = table.write(kv(1), kv(2), kv(3))
    assert outcome.affected == 3
    assert outcome.seq == table.select("SELECT max(_seq) FROM t")[0] == table.snapshot.last_seq


def test_commit_is_visible_when_it_returns(table: TableAccess) -> None:
    """A writer reads its own write."""
    table.write(kv(1, 5))
    assert table.values() == {1: 5}


def test_commit_is_invisible_before_it_is_durable(watched: TableAccess) -> None:
    """While the sync of a commit is held up, no reader sees its rows."""
    watched.write(kv(1))
    store = store_of(watched)
    store.may_sync.clear()
    store.waiting.clear()
    writer = threading.Thread(target=watched.write, args=(kv(2),))
    writer.start()
    assert store.waiting.wait(HANGS_SECONDS)
    assert watched.values() == {1: 0}
    assert watched.state.head.live_count == 2
    store.may_sync.set()
    writer.join()
    assert sorted(watched.values()) == [1, 2]


def test_later_writer_builds_on_a_commit_that_is_not_yet_visible(watched: TableAccess) -> None:
    """A key that is on its way to the disk exists already for the next INSERT."""
    watched.write(kv(9))
    store = store_of(watched)
    store.may_sync.clear()
    store.waiting.clear()
    writer = threading.Thread(target=watched.write, args=(kv(1),))
    writer.start()
    assert store.waiting.wait(HANGS_SECONDS)
    with pytest.raises(DatabaseError) as caught:
        watched.insert(kv(1))
    assert caught.value.kind is ErrorKind.ALREADY_EXISTS
    store.may_sync.set()
    writer.join()


def test_asynchronous_commit_does_not_wait_for_the_disk(db: Database, table: TableAccess) -> None:
    """With durability `async` a commit is visible and acknowledged without a sync, and a flush waits for it."""
    store = ScopeStore(db.keyvalue, db.folders, ColdFiles(), durability=Durability.ASYNC)
    db.store = store
    table.write(kv(1))
    assert table.values() == {1: 0}
    table.flush()
    db.reopen()
    assert table.values() == {1: 0}


def acknowledged_while_sync_is_held_up(watched: TableAccess, first: object, second: object) -> bool:
    """Run `first` up to its sync, then `second`; tell whether `second` was acknowledged before the sync."""
    store = store_of(watched)
    store.may_sync.clear()
    store.waiting.clear()
    acknowledged = threading.Event()

    def repeat() -> None:
        second()
        acknowledged.set()

    one, two = threading.Thread(target=first), threading.Thread(target=repeat)
    one.start()
    assert store.waiting.wait(HANGS_SECONDS)
    two.start()
    early = acknowledged.wait(0.3)
    store.may_sync.set()
    one.join()
    two.join()
    assert acknowledged.is_set()
    return early


def test_repeated_request_is_not_acknowledged_before_the_first_is_durable(watched: TableAccess) -> None:
    """A retry that overtakes the first request's sync waits for it."""
    watched.write(kv(1))
    write = lambda: watched.write(kv(2), idempotency=REQUEST)  # noqa: E731
    assert not acknowledged_while_sync_is_held_up(watched, write, write)


def test_delete_that_finds_nothing_waits_for_the_delete_that_took_the_row(watched: TableAccess) -> None:
    """An acknowledged no-op may not rest on a commit that a power cut could undo."""
    watched.write(kv(1))
    delete = lambda: watched.delete(kv(1))  # noqa: E731
    assert not acknowledged_while_sync_is_held_up(watched, delete, delete)


def test_record_of_a_bulk_commit_survives_after_the_next_bulk_commit(watched: TableAccess) -> None:
    """The manifest carries only the newest bulk commit's record, so the one before must be durable by then."""
    for number in (1, 2):
        load = watched.bulk()
        load.add(watched.part(kv(number)))
        load.commit(Request(Idempotency(f"bulk-{number}", "hash")))
    assert store_of(watched).survives(b"bulk-1")


def test_repeated_request_is_a_no_op_with_the_first_outcome(table: TableAccess) -> None:
    """A request that comes again with its key changes nothing and returns what the first did."""
    first = table.write(kv(1, 1), kv(2, 1), idempotency=REQUEST)
    table.write(kv(1, 7))
    again = table.write(kv(1, 1), kv(2, 1), idempotency=REQUEST)
    assert (again.affected, again.seq, again.replayed) == (first.affected, first.seq, True)
    assert table.values() == {1: 7, 2: 1}


def test_repeated_request_is_known_after_restart_and_flush(table: TableAccess) -> None:
    """The record of a request outlives its hot rows and the process."""
    table.write(kv(1), idempotency=REQUEST)
    table.flush()
    table.db.reopen()
    assert table.write(kv(1, 9), idempotency=REQUEST).replayed
    assert table.values() == {1: 0}


def test_same_key_for_another_request_is_refused(table: TableAccess) -> None:
    """An idempotency key names one request; another one under it is an error that writes nothing."""
    table.write(kv(1), idempotency=REQUEST)
    with pytest.raises(DatabaseError, match="request-1"):
        table.write(kv(2), idempotency=Idempotency("request-1", "other"))
    assert sorted(table.values()) == [1]


def test_request_that_wrote_nothing_is_remembered(table: TableAccess) -> None:
    """A repeated DO NOTHING does not write what it skipped the first time."""
    table.write(kv(1))
    table.write(kv(1, 5), rule=OnExisting.SKIP, idempotency=REQUEST)
    table.delete(kv(1))
    assert table.write(kv(1, 5), rule=OnExisting.SKIP, idempotency=REQUEST) == Outcome(
        0, table.write(kv(1, 5), rule=OnExisting.SKIP, idempotency=REQUEST).seq, replayed=True
    )
    assert table.values() == {}


def test_failed_request_leaves_no_record(table: TableAccess) -> None:
    """A request that failed may be repeated with success."""
    table.write(kv(1))
    with pytest.raises(DatabaseError):
        table.write(kv(1), rule=OnExisting.REFUSE, idempotency=REQUEST)
    table.delete(kv(1))
    assert not table.write(kv(1), rule=OnExisting.REFUSE, idempotency=REQUEST).replayed


@pytest.mark.parametrize("key", ["", "x" * 513])
def test_idempotency_key_has_a_length(key: str) -> None:
    """Empty and oversized idempotency keys are refused."""
    with pytest.raises(DatabaseError) as caught:
        Idempotency(key, "hash")
    assert caught.value.kind is ErrorKind.INVALID


def test_same_request_key_in_another_scope_is_another_request(db: Database) -> None:
    """Idempotency keys of two users never meet."""
    table = db.create(kind=TableKind.USER)
    table.of_user("a").write(kv(1), idempotency=REQUEST)
    assert not table.of_user("b").write(kv(1), idempotency=REQUEST).replayed


def test_users_see_only_their_own_rows(db: Database) -> None:
    """Two users of a USER table write the same key without meeting, hot, cold and after a restart."""
    table = db.create(kind=TableKind.USER)
    one, two = table.of_user("a"), table.of_user("A")
    one.insert(kv(1, 10))
    two.insert(kv(1, 20))
    one.flush()
    db.reopen()
    assert (one.values(), two.values()) == ({1: 10}, {1: 20})
    two.flush()
    assert one.folder != two.folder
    assert (one.values(), two.values()) == ({1: 10}, {1: 20})


@pytest.mark.parametrize("user", ["../../x", "a/b", "", ".", "%", "ü\x00", "x" * 300])
def test_user_names_never_leave_the_table_folder(db: Database, user: str) -> None:
    """Whatever a user is called, the files lie directly below the table's folder."""
    table = db.create(kind=TableKind.USER).of_user(user)
    table.write(kv(1, 1))
    table.flush()
    assert table.folder.resolve().parent.parent == (db.folder.tables / "public").resolve()
    db.reopen()
    assert table.values() == {1: 1}


def test_users_with_hot_rows_are_found_on_disk(db: Database) -> None:
    """After a restart the scopes that need a flush are found without reading a row."""
    table = db.create(kind=TableKind.USER)
    for user in ("a", "b\xff", "c"):
        table.of_user(user).write(kv(1), kv(2))
        table.of_user(user).write(kv(3))
    table.of_user("c").flush()
    db.reopen()
    assert list(db.store.hot_records.users(table.definition)) == ["a", "b\xff"]


def test_shared_table_with_hot_rows_is_found_on_disk(table: TableAccess) -> None:
    """A SHARED table's scope has no user."""
    assert list(table.db.store.hot_records.users(table.definition)) == []
    table.write(kv(1))
    assert list(table.db.store.hot_records.users(table.definition)) == [None]


def test_dropped_table_refuses_writes_and_loses_its_records(table: TableAccess) -> None:
    """A writer that waited while its table was dropped gets NOT_FOUND, and no hot record stays."""
    table.write(kv(1), idempotency=REQUEST)
    state, definition = table.state, table.definition
    table.db.store.drop_table(definition)
    with pytest.raises(DatabaseError) as caught:
        table.db.store.write(state, lambda _: table.part(kv(2)), OnExisting.REPLACE)
    assert caught.value.kind is ErrorKind.NOT_FOUND
    assert list(table.db.keyvalue.scan(Family.HOT, b"", b"\xff")) == []
    assert list(table.db.keyvalue.scan(Family.IDEMPOTENCY, b"", b"\xff")) == []


def test_dropping_a_table_leaves_its_neighbours(db: Database) -> None:
    """Only the dropped table's records go."""
    one, two = db.create(name="one"), db.create(name="two")
    one.write(kv(1, 1))
    two.write(kv(2, 2))
    db.store.drop_table(one.definition)
    db.reopen()
    assert two.select("SELECT k FROM two") == [2]


def test_concurrent_inserts_of_one_key_have_one_winner(table: TableAccess) -> None:
    """Of many threads that insert the same key, exactly one succeeds."""
    winners: list[int] = []

    def attempt(number: int) -> None:
        with suppress(DatabaseError):
            table.insert(kv(1, number))
            winners.append(number)

    run_together(*(lambda number=number: attempt(number) for number in range(8)))
    assert len(winners) == 1
    assert table.values() == {1: winners[0]}


def test_large_commit_is_several_records_and_one_commit(table: TableAccess) -> None:
    """A commit above the chunk size is stored in parts that come back as one."""
    rows = 150_000
    outcome = table.write(*[kv(i, i) for i in range(rows)])
    assert outcome.affected == rows
    assert len(list(table.db.keyvalue.scan(Family.HOT, b"", b"\xff"))) == 3
    table.db.reopen()
    assert table.select("SELECT count(*) FROM t") == [rows]
    assert table.select("SELECT sum(v) FROM t") == [rows * (rows - 1) // 2]


def test_pinned_snapshot_never_changes(table: TableAccess) -> None:
    """A reader that pinned a snapshot sees it unchanged after writes, flush, compaction and reclamation."""
    table.write(kv(1, 1), kv(2, 2))
    table.flush()
    table.write(kv(2, 3), kv(3, 3))
    pinned = table.snapshot
    table.delete(kv(1))
    table.flush()
    table.write(kv(3, 4))
    table.compact()
    table.reclaim()
    assert table.values(pinned) == {1: 1, 2: 3, 3: 3}
    assert table.values() == {2: 3, 3: 4}
