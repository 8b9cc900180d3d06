"""Manifests to try things on, and the one way to expect a refusal."""

from collections.abc import Callable

import pytest
from hypothesis import strategies as st

from catalog.errors import DatabaseError, ErrorKind
from manifest.batch_entry import BatchFileEntry, BloomEntry, ColumnRange, DeletionEntry
from manifest.entries import BulkCommit, ManifestFile
from manifest.parts import parts_of

MADE_AT = "2024-05-06T07:08:09.000000+00:00"
EMPTY = ManifestFile(7, "public", "t", None, 0, MADE_AT, MADE_AT)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
INT64 = st.integers(0, 2**63 - 1)
BOUNDS = st.one_of(st.none(), TEXT, st.booleans())
RANGES = st.builds(ColumnRange, BOUNDS, BOUNDS, INT64)
BLOOMS = st.builds(
    BloomEntry, TEXT, st.lists(st.integers(0, 9)).map(tuple), st.floats(0.0001, 0.5), st.integers(0, 2**40), TEXT
)


def no_files(path: str, checksum: str) -> bytes:
    """For manifests none of whose parts stands in a file."""
    raise AssertionError(path, checksum)


def refused(kind: ErrorKind, attempt: Callable[[], object]) -> str:
    """Try what must be refused, and return the line that says why."""
    with pytest.raises(DatabaseError) as caught:
        attempt()
    assert caught.value.kind is kind, caught.value
    return caught.value.message


def entry_of(batch: int, rows: int = 10, **changes: object) -> BatchFileEntry:
    """A plausible batch with no known ranges."""
    values: dict[str, object] = {
        "path": f"batch-{batch}.parquet",
        "dead": 0,
        "bytes": 1000,
        "checksum": "crc32:00000000",
        "min_seq": 1,
        "max_seq": 9,
        "schema_version": 1,
        "columns": {},
        "bloom": None,
        "dv": None,
        "created_at": MADE_AT,
    }
    return BatchFileEntry(batch=batch, rows=rows, **{**values, **changes})  # type: ignore[arg-type]


@st.composite
def entries(draw: st.DrawFn, batch: int) -> BatchFileEntry:
    """Any valid entry of a batch number."""
    rows = draw(st.integers(1, 2**40))
    dead = draw(st.sampled_from([0, 1, rows]))
    return entry_of(
        batch,
        rows,
        path=draw(TEXT),
        dead=dead,
        bytes=draw(st.integers(0, 2**50)),
        checksum=draw(TEXT),
        min_seq=draw(INT64),
        max_seq=draw(INT64),
        schema_version=draw(st.integers(1, 99)),
        columns=draw(st.dictionaries(st.integers(1, 2**31), RANGES, max_size=3)),
        bloom=draw(st.none() | BLOOMS),
        dv=DeletionEntry(draw(TEXT), draw(TEXT)) if dead else None,
    )


@st.composite
def manifests(draw: st.DrawFn) -> ManifestFile:
    """Any valid manifest."""
    numbers = draw(st.lists(st.integers(1, 2**40), unique=True, max_size=4))
    return ManifestFile(
        table_id=draw(INT64),
        namespace=draw(TEXT),
        table=draw(TEXT),
        user_id=draw(st.none() | TEXT),
        version=draw(INT64),
        created_at=draw(TEXT),
        updated_at=draw(TEXT),
        max_batch=draw(st.integers(max(numbers, default=0), 2**41)),
        flushed_seq=draw(INT64),
        schema_version=draw(st.integers(1, 99)),
        parts=parts_of(draw(entries(number)) for number in sorted(numbers)),
        last_bulk_commit=draw(st.none() | st.builds(BulkCommit, INT64, INT64, INT64, TEXT, TEXT, TEXT)),
    )
