"""Rows that are too large to be joined all at once: every job takes them in parts, and they are the same afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from providers.hot import view
from tests.storage_fixtures import Database, TableAccess, kv

LIMIT = 10_000
"""Bytes that are joined at most, in the place of a gigabyte."""

LETTERS = 300


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TableAccess]:
    """A table of texts in a store that joins little."""
    monkeypatch.setattr(view, "CHUNK_BYTES_MAX", LIMIT // 4)
    database = Database(tmp_path, joined_bytes_max=LIMIT)
    yield database.create([("v", pa.string()), ("k", pa.int64())])
    database.close()


def texts(*keys: int, letter: str = "a") -> list[dict[str, object]]:
    """Rows with long texts."""
    return [kv(key, letter * LETTERS + str(key)) for key in keys]


def expected(*rows: dict[str, object]) -> dict[object, object]:
    """What a table of these rows shows."""
    return {row["k"]: row["v"] for row in sorted(rows, key=lambda row: int(str(row["k"])))}


def sizes(table: TableAccess) -> list[int]:
    """What the rows of each batch take in memory."""
    files, snapshot = table.db.store.files, table.snapshot
    return [files.rows(snapshot.cold, entry, ["v", "k"]).nbytes for entry in snapshot.manifest.batches]


def test_a_flush_writes_no_batch_that_is_larger(table: TableAccess) -> None:
    """The hot rows go to several batches, each of which can be read, sorted and searched by itself."""
    rows = texts(*range(300, 0, -1))
    table.write(*rows)
    table.flush()
    assert max(sizes(table)) <= LIMIT
    assert table.values() == expected(*rows)
    table.write(*texts(7, 250, letter="b"))
    assert table.values() == expected(*rows) | expected(*texts(7, 250, letter="b"))


def test_hot_rows_are_kept_in_small_chunks(table: TableAccess) -> None:
    """No chunk is larger than what may be merged, and neither is a record of the log."""
    table.write(*texts(*range(100)))
    for key in range(100, 110):
        table.write(*texts(key))
    assert max(chunk.rows.nbytes for chunk in table.snapshot.hot.chunks) <= LIMIT // 4


def test_hot_rows_are_recovered_in_parts(table: TableAccess) -> None:
    """Of keys that were written more than once, in the same part or in others, the last version counts."""
    table.write(*texts(*range(200)))
    table.write(*texts(*range(50, 150), letter="b"))
    table.delete(*texts(*range(0, 200, 3)))
    table.write(*texts(0, 3, letter="c"))
    before = table.values()
    assert len(before) == 200 - 67 + 2
    table.db.reopen()
    assert table.values() == before
    table.flush()
    assert table.values() == before


def test_compaction_merges_what_may_be_joined(table: TableAccess) -> None:
    """Small batches are merged, large ones are left alone, dirty ones are cleaned, and the work comes to an end."""
    for start in range(0, 60, 10):
        table.write(*texts(*range(start, start + 10)))
        table.flush()
    table.write(*texts(*range(100, 190)))
    table.flush()
    table.delete(*texts(*range(100, 190, 2)))
    before = table.values()
    for _ in range(20):
        if not table.compact().inputs:
            break
    else:
        pytest.fail("compaction does not end")
    assert max(sizes(table)) <= LIMIT
    assert sum(snapshot_dead.dead for snapshot_dead in table.snapshot.manifest.batches) == 0
    assert len(table.snapshot.manifest.batches) < 7
    assert table.values() == before


def test_a_batch_that_is_larger_is_cleaned_in_parts(table: TableAccess) -> None:
    """As one that was written when there was no limit."""
    table.db.store.joined_bytes_max = 1 << 30
    table.write(*texts(*range(100)))
    table.flush()
    assert len(sizes(table)) == 1
    table.db.store.joined_bytes_max = LIMIT
    table.delete(*texts(*range(0, 100, 2)))
    before = table.values()
    assert table.compact().outputs > 1
    assert table.values() == before
    assert max(sizes(table)) <= LIMIT
