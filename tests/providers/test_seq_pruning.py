"""Incremental reading by `_seq`: a query for what changed since opens only the batches that hold it."""

from tests.storage_fixtures import Database, kv


def test_rows_since_a_seq_open_only_later_batches(db: Database) -> None:
    """`_seq > X` rules out every batch whose newest version is older."""
    table = db.create()
    for key in range(4):
        table.insert(kv(key, key))
        table.flush()
    since = table.select("SELECT _seq FROM t WHERE k = 2")[0]
    assert len(table.pruned(f"_seq > {since}").kept) == 1
    assert table.select(f"SELECT k FROM t WHERE _seq > {since}") == [3]


def test_hot_rows_are_read_whatever_their_seq(db: Database) -> None:
    """Pruning by `_seq` is about batches; newer hot rows are found without any."""
    table = db.create()
    table.insert(kv(1, 1))
    table.flush()
    since = table.select("SELECT _seq FROM t")[0]
    table.write(kv(1, 2))
    assert table.select(f"SELECT v FROM t WHERE _seq > {since}") == [2]


def test_compaction_keeps_what_changed_since(db: Database) -> None:
    """A merged batch spans the ids of its inputs, so nothing newer is lost."""
    table = db.create()
    for key in range(3):
        table.insert(kv(key, key))
        table.flush()
    since = table.select("SELECT _seq FROM t WHERE k = 1")[0]
    table.compact()
    assert table.select(f"SELECT k FROM t WHERE _seq > {since}") == [2]
