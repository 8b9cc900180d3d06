"""What a manifest knows of one batch: its files, how many rows live and dead, and the ranges of its columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from manifest.canonical import canonical

RangeValue = str | bool | None
"""A range bound in its JSON form: text for everything but booleans; None is unknown."""


@dataclass(frozen=True, slots=True)
class ColumnRange:
    """Smallest and largest value of a column in a batch, over all its rows, dead ones included.

    Bounds are exact or absent: NaN, values too long to keep and types without order leave both None.
    """

    min: RangeValue
    max: RangeValue
    null_count: int


@dataclass(frozen=True, slots=True)
class BloomEntry:
    """A batch's bloom file. `columns` are column ids; 0 stands for the whole key."""

    path: str
    columns: tuple[int, ...]
    fpp: float
    bytes: int
    checksum: str


@dataclass(frozen=True, slots=True)
class DeletionEntry:
    """A batch's newest deletion file."""

    path: str
    checksum: str


@dataclass(frozen=True)
class BatchFileEntry:
    """One batch. `columns` is keyed by column id."""

    batch: int
    path: str
    rows: int
    dead: int
    bytes: int
    checksum: str
    min_seq: int
    max_seq: int
    schema_version: int
    columns: Mapping[int, ColumnRange]
    bloom: BloomEntry | None
    dv: DeletionEntry | None
    created_at: str
    status: str = "committed"

    @property
    def identity(self) -> tuple[int, str]:
        """What tells the batch's files from all others of its scope, whoever wrote those: number and checksum."""
        return self.batch, self.checksum

    @cached_property
    def text(self) -> str:
        """The entry as manifests have it (docs/formats/manifest.md)."""
        bloom, dv = self.bloom, self.dv
        value = {
            "batch": str(self.batch),
            "path": self.path,
            "rows": str(self.rows),
            "dead": str(self.dead),
            "bytes": str(self.bytes),
            "checksum": self.checksum,
            "min_seq": str(self.min_seq),
            "max_seq": str(self.max_seq),
            "schema_version": self.schema_version,
            "columns": {
                str(column_id): {"min": bounds.min, "max": bounds.max, "null_count": str(bounds.null_count)}
                for column_id, bounds in self.columns.items()
            },
            "bloom": None
            if bloom is None
            else {
                "path": bloom.path,
                "columns": list(bloom.columns),
                "fpp": bloom.fpp,
                "bytes": str(bloom.bytes),
                "checksum": bloom.checksum,
            },
            "dv": None if dv is None else {"path": dv.path, "checksum": dv.checksum},
            "created_at": self.created_at,
            "status": self.status,
        }
        return canonical(value)


def entry_from_json(raw: dict[str, Any]) -> BatchFileEntry:
    """Read what `text` wrote, as JSON's types; KeyError, TypeError or ValueError for anything else."""
    bloom, dv = raw["bloom"], raw["dv"]
    return BatchFileEntry(
        batch=int(raw["batch"]),
        path=raw["path"],
        rows=int(raw["rows"]),
        dead=int(raw["dead"]),
        bytes=int(raw["bytes"]),
        checksum=raw["checksum"],
        min_seq=int(raw["min_seq"]),
        max_seq=int(raw["max_seq"]),
        schema_version=raw["schema_version"],
        columns={
            int(column_id): ColumnRange(bounds["min"], bounds["max"], int(bounds["null_count"]))
            for column_id, bounds in raw["columns"].items()
        },
        bloom=None
        if bloom is None
        else BloomEntry(bloom["path"], tuple(bloom["columns"]), bloom["fpp"], int(bloom["bytes"]), bloom["checksum"]),
        dv=None if dv is None else DeletionEntry(dv["path"], dv["checksum"]),
        created_at=raw["created_at"],
        status=raw["status"],
    )
