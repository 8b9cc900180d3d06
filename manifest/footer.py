"""What a batch file says of itself, so that a manifest can be rebuilt from the files alone (docs/formats/batch.md).

It travels as one JSON object in the metadata of the file's schema: Parquet and Arrow files both have such.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

_KEY = b"flightserver"
_FORMAT = 1


@dataclass(frozen=True)
class Lineage:
    """What a batch was made of: the batches it replaces, and the hot rows it holds."""

    inputs: tuple[int, ...] = ()
    flushed_seq: int = 0


@dataclass(frozen=True)
class Footer:
    """Whose rows a file holds, by which definition, and where they come from. `column_ids` are by physical name."""

    table_id: int
    user_id: str | None
    batch: int
    schema_version: int
    min_seq: int
    max_seq: int
    rows: int
    key: tuple[str, ...]
    column_ids: Mapping[str, int]
    lineage: Lineage
    created_at: str


def encode(footer: Footer) -> dict[bytes, bytes]:
    """The metadata that carries a footer."""
    value = {
        "format": _FORMAT,
        "table_id": str(footer.table_id),
        "user_id": footer.user_id,
        "batch": str(footer.batch),
        "schema_version": footer.schema_version,
        "min_seq": str(footer.min_seq),
        "max_seq": str(footer.max_seq),
        "rows": str(footer.rows),
        "key": footer.key,
        "column_ids": dict(footer.column_ids),
        "inputs": [str(number) for number in footer.lineage.inputs],
        "flushed_seq": str(footer.lineage.flushed_seq),
        "created_at": footer.created_at,
    }
    return {_KEY: json.dumps(value, sort_keys=True).encode()}


def _require(known: bool) -> None:
    if not known:
        raise ValueError("the format is not known")


def decode(metadata: Mapping[bytes, bytes] | None) -> Footer:
    """The footer in a schema's metadata; ValueError when there is none that can be read."""
    try:
        value = json.loads((metadata or {})[_KEY])
        _require(value["format"] == _FORMAT)
        return Footer(
            table_id=int(value["table_id"]),
            user_id=value["user_id"],
            batch=int(value["batch"]),
            schema_version=int(value["schema_version"]),
            min_seq=int(value["min_seq"]),
            max_seq=int(value["max_seq"]),
            rows=int(value["rows"]),
            key=tuple(value["key"]),
            column_ids={str(name): int(number) for name, number in value["column_ids"].items()},
            lineage=Lineage(tuple(int(number) for number in value["inputs"]), int(value["flushed_seq"])),
            created_at=str(value["created_at"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"no readable footer: {error}") from error
