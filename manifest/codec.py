"""The manifest's bytes: JSON with a checksum of its own, and files for parts of it (docs/formats/manifest.md).

The member `checksum` covers the canonical form (sorted members, no spaces) of everything else, so that any changed bit
is found; the files of parts are covered by checksums in the manifest. An entry is written once and remembered, for most
of them are in the next manifest too. 64-bit integers are text, because JSON readers may hold numbers as doubles.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from catalog.errors import DatabaseError, ErrorKind
from manifest.batch_entry import BatchFileEntry, entry_from_json
from manifest.canonical import canonical
from manifest.entries import BulkCommit, ManifestFile, check
from manifest.files import checksum
from manifest.parts import Part, PartFile, part_number, parts_after

FORMAT_VERSION = 3

ReadFile = Callable[[str, str], bytes]
"""The bytes of a file of some name and checksum; CORRUPT when it is missing or another."""


def encode(manifest: ManifestFile) -> bytes:
    """Write a manifest."""
    members = {
        "format": FORMAT_VERSION,
        "table_id": str(manifest.table_id),
        "namespace": manifest.namespace,
        "table": manifest.table,
        "user_id": manifest.user_id,
        "version": str(manifest.version),
        "created_at": manifest.created_at,
        "updated_at": manifest.updated_at,
        "max_batch": str(manifest.max_batch),
        "flushed_seq": str(manifest.flushed_seq),
        "schema_version": manifest.schema_version,
        "last_bulk_commit": _bulk_commit_to_json(manifest.last_bulk_commit),
        "totals": {"rows": str(manifest.rows), "dead": str(manifest.dead), "bytes": str(manifest.bytes)},
    }
    texts = {name: canonical(value) for name, value in members.items()}
    texts["batches"] = _array(text for part in manifest.parts if (text := part.derived("pending", _pending_text)))
    texts["parts"] = _array(part.derived("reference", _reference) for part in manifest.parts if part.file is not None)
    return _object({**texts, "checksum": canonical(checksum(_object(texts)))})


def encode_part(part: Part) -> bytes:
    """Write what the file of a part says: all its batches."""
    return _array(entry.text for entry in part.entries).encode()


def encode_part_file(file: PartFile) -> bytes:
    """Write what a file of a part says."""
    return _array(entry.text for entry in file.entries).encode()


def _pending_text(part: Part) -> str:
    return ",".join(entry.text for entry in part.pending)


def _reference(part: Part) -> str:
    """What a manifest says of a part that stands in a file."""
    if part.file is None:
        raise ValueError("the part stands in no file")
    left_out = [str(batch) for batch in part.left_out]
    return canonical({"path": part.file.path, "checksum": part.file.checksum, "left_out": left_out})


def _array(texts: Iterable[str]) -> str:
    """The canonical form of an array whose items are in theirs."""
    return f"[{','.join(texts)}]"


def _object(texts: Mapping[str, str]) -> bytes:
    """The canonical form of an object whose members are in theirs."""
    return f"{{{','.join(f'{canonical(name)}:{texts[name]}' for name in sorted(texts))}}}".encode()


def decode(data: bytes, read_file: ReadFile) -> ManifestFile:
    """Read a manifest and the files of its parts; raise CORRUPT for damage and UNSUPPORTED for a newer format."""
    try:
        raw = json.loads(data)
        stated = raw.pop("checksum")
        if raw["format"] > FORMAT_VERSION:
            raise DatabaseError(ErrorKind.UNSUPPORTED, f"a manifest has format {raw['format']}, newer than this server")
        if checksum(canonical(raw).encode()) != stated:
            raise DatabaseError(ErrorKind.CORRUPT, "it fails its checksum")
        manifest = _manifest_from_json(raw, read_file)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatabaseError(ErrorKind.CORRUPT, "it is not readable") from error
    check(manifest)
    totals = {"rows": str(manifest.rows), "dead": str(manifest.dead), "bytes": str(manifest.bytes)}
    if raw.get("totals") != totals:
        raise DatabaseError(ErrorKind.CORRUPT, "its totals differ from its entries")
    return manifest


def _bulk_commit_to_json(commit: BulkCommit | None) -> dict[str, Any] | None:
    if commit is None:
        return None
    return {
        "idempotency_key": commit.idempotency_key,
        "request_hash": commit.request_hash,
        "audit": commit.audit,
        "rows": str(commit.rows),
        "seq": str(commit.seq),
        "version": str(commit.version),
    }


def _bulk_commit_from_json(raw: dict[str, Any] | None) -> BulkCommit | None:
    if raw is None:
        return None
    return BulkCommit(
        int(raw["rows"]),
        int(raw["seq"]),
        int(raw["version"]),
        idempotency_key=raw["idempotency_key"],
        request_hash=raw["request_hash"],
        audit=raw["audit"],
    )


def _manifest_from_json(raw: dict[str, Any], read_file: ReadFile) -> ManifestFile:
    return ManifestFile(
        table_id=int(raw["table_id"]),
        namespace=raw["namespace"],
        table=raw["table"],
        user_id=raw["user_id"],
        version=int(raw["version"]),
        created_at=raw["created_at"],
        updated_at=raw["updated_at"],
        max_batch=int(raw["max_batch"]),
        flushed_seq=int(raw["flushed_seq"]),
        schema_version=raw["schema_version"],
        parts=_parts_from_json(raw["parts"], [entry_from_json(entry) for entry in raw["batches"]], read_file),
        last_bulk_commit=_bulk_commit_from_json(raw["last_bulk_commit"]),
    )


def _parts_from_json(
    references: list[dict[str, Any]], pending: list[BatchFileEntry], read_file: ReadFile
) -> tuple[Part, ...]:
    """The parts as their files have them, with what the manifest says itself in the place of that."""
    if [entry.batch for entry in pending] != sorted({entry.batch for entry in pending}):
        raise DatabaseError(ErrorKind.CORRUPT, "its batch numbers are not ascending")
    parts: dict[int, Part] = {}
    for reference in references:
        path, expected = reference["path"], reference["checksum"]
        file = PartFile.of(path, expected, read_file(path, expected))
        (number,) = {part_number(batch) for batch in file.entries.numbers}
        parts[number] = file.part
    gone = [int(batch) for reference in references for batch in reference["left_out"]]
    return parts_after([part for _, part in sorted(parts.items())], gone, pending)
