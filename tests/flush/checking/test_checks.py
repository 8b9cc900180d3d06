"""A check finds what is not what was written, names it, and finds nothing where everything is whole."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.definition import TableKind
from catalog.errors import DatabaseError
from catalog.keyvalue import AtomicWrite, Family
from flush.checking.checks import check_all, check_table
from flush.checking.findings import Finding
from flush.work import Work
from manifest.layout import MANIFEST_NAME
from tests.flush.checking.test_repair import flushed, only, spoil
from tests.storage_fixtures import Database, TableAccess, kv


def found(table: TableAccess) -> list[Finding]:
    """What a check of a table finds."""
    return check_table(table.db.store, table.db.keyvalue, table.definition, None, Work())


@pytest.fixture
def filled(table: TableAccess) -> TableAccess:
    """A table of a batch with dead rows, a second, a segment, and hot rows."""
    flushed(table, *range(40))
    flushed(table, *range(30, 50), v=1)
    table.load([kv(100, 1), kv(101, 1)])
    table.write(kv(1, 9), kv(200, 9))
    return table


def test_what_is_whole_has_no_findings(filled: TableAccess) -> None:
    """In memory or not; the rows and bytes that were read are told."""
    work = Work()
    assert check_all(filled.db.store, filled.db.keyvalue, filled.db.tables(), work) == []
    assert work.rows >= 62
    assert work.bytes > 0
    filled.db.reopen()
    assert check_all(filled.db.store, filled.db.keyvalue, filled.db.tables(), Work()) == []


@pytest.mark.parametrize("is_loaded", [True, False])
@pytest.mark.parametrize("damage", [spoil, Path.unlink])
@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("batch-1.parquet", "batch 1"),
        ("batch-3.arrow", "batch 3"),
        ("batch-1.bloom", "the bloom filter of batch 1"),
        ("batch-1.*.dv", "the deletion file of batch 1"),
        (MANIFEST_NAME, "the manifest"),
    ],
)
def test_a_damaged_file_is_named(
    filled: TableAccess, pattern: str, what: str, damage: Callable[[Path], None], is_loaded: bool
) -> None:
    """Whether the scope is in memory or not."""
    filled.reclaim()
    if not is_loaded:
        filled.db.reopen()
    damage(only(filled, pattern))
    (finding,) = found(filled)
    assert (finding.table, finding.user, finding.what) == (filled.name, None, what)
    assert finding.problem in {"its file is not what was written", "its file is missing", "it fails its checksum"}
    assert finding.remedy


def test_rows_that_rot_while_they_are_in_use_fail_from_then_on(filled: TableAccess) -> None:
    """A file is trusted that was whole when it was opened; a check takes that back."""
    values = filled.values()
    spoil(only(filled, "batch-1.parquet"))
    found(filled)
    with pytest.raises(DatabaseError, match=r"batch 1 of table public\.t is damaged"):
        filled.values()
    spoil(only(filled, "batch-1.parquet"))
    assert filled.values() == values


def test_a_record_of_hot_rows_that_is_none_is_found(filled: TableAccess) -> None:
    """By the name of its table."""
    spoiled = AtomicWrite()
    for key, value in list(filled.db.keyvalue.scan(Family.HOT, b"", b"\xff")):
        spoiled.put(Family.HOT, key, value[:-30] if len(value) > 60 else b"none")
    filled.db.keyvalue.commit(spoiled)
    assert [one.what for one in found(filled)] == ["a record of hot rows"]


@pytest.mark.parametrize(
    ("family", "key", "what"),
    [
        (Family.META, b"seq_ceiling", "the counters"),
        (Family.IDEMPOTENCY, b"x", "the records of requests"),
        (Family.JOBS, bytes(8), "the records of jobs"),
        (Family.CATALOG, b"t/public/x", "the catalog"),
        (Family.CATALOG, b"u/x", "the users"),
        (Family.CATALOG, b"setting/x", "the settings"),
        (Family.AUDIT, bytes(8), "record 0 of the audit log"),
    ],
)
def test_records_of_the_server_are_checked(filled: TableAccess, family: Family, key: bytes, what: str) -> None:
    """Those that make no sense are counted."""
    spoiled = AtomicWrite()
    spoiled.put(family, key, b"none")
    filled.db.keyvalue.commit(spoiled)
    found = check_all(filled.db.store, filled.db.keyvalue, filled.db.tables(), Work())
    assert what in {one.what for one in found}


def test_everybodys_rows_are_checked(db: Database) -> None:
    """Of a USER table, also those that nobody has used since the start."""
    table = db.create(kind=TableKind.USER)
    for user in ("ann", "bob"):
        flushed(table.of_user(user), 1, 2)
    folder = table.of_user("bob").folder
    db.reopen()
    spoil(folder / "batch-1.parquet")
    (finding,) = found(table)
    assert (finding.user, finding.what) == ("bob", "batch 1")


def test_files_of_somebody_else_are_no_files_of_ones_own(db: Database) -> None:
    """Whole as they are: a folder that was copied over another's is found, and serves nobody."""
    table = db.create(kind=TableKind.USER)
    ann, bob = table.of_user("ann"), table.of_user("bob")
    flushed(ann, 1)
    flushed(bob, 2)
    theirs, own = ann.folder, bob.folder
    db.reopen()
    for path in theirs.iterdir():
        (own / path.name).write_bytes(path.read_bytes())
    assert [(one.user, one.problem) for one in found(table)] == [("bob", "its file is that of another")]
    with pytest.raises(DatabaseError, match="that of another"):
        bob.values()


def test_a_check_finds_nothing_while_everything_goes_on(table: TableAccess) -> None:
    """Batches come and go meanwhile, and none of those that went is missed."""
    stopping, work = threading.Event(), Work()

    def change() -> None:
        number = 0
        while not stopping.is_set():
            flushed(table, *range(number % 7, 40), v=number)
            if number % 3 == 2:
                table.compact()
                table.reclaim()
            number += 1

    thread = threading.Thread(target=change)
    thread.start()
    try:
        while work.rows < 3_000 and thread.is_alive():
            assert check_table(table.db.store, table.db.keyvalue, table.definition, [None], work) == []
    finally:
        stopping.set()
        thread.join()
    assert work.rows >= 3_000
