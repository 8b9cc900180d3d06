"""From what a Delta table shows, and what it should show, to the actions of its log that lie between. Pure.

What it shows is read from its log, so that nothing depends on who wrote last, nor on what was cut off: the next version
is whatever makes the table right.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from catalog.definition import TableDef
from flush.publish.columns import has_local_times, is_mapped, max_column_id, published_columns, schema_text
from flush.publish.statistics import loosened, statistics
from flush.publish.vectors import id_of, own_id, place_of
from manifest.batch_entry import BatchFileEntry
from manifest.dead_rows import DeadRows
from manifest.entries import ManifestFile
from manifest.published import LetGo, Published, PublishedFile, Vector
from providers.snapshot import Snapshot

APP = "flightserver"
"""Who says of its versions which manifest they show."""

DEFINITION = "flightserver.definition"
DEAD = "flightserver.dead"
"""A tag: the digest of the rows that a deletion vector has."""

NOT_NULL = "invariants"
"""What writers must know of a schema in which a column is NOT NULL; Spark reads no table that does not say so."""

NEVER = "interval 5200 weeks"
"""So long nobody else deletes files: in the folder are others than the log's."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What is to be shown: a state of which files hold every row, and at what time, in milliseconds."""

    rows: Snapshot
    at_ms: int

    @property
    def manifest(self) -> ManifestFile:
        """Which files there are."""
        return self.rows.manifest

    @property
    def table(self) -> TableDef:
        """How they are read."""
        return self.rows.table


def new_dead_rows(before: Published, rows: Snapshot) -> Mapping[int, DeadRows]:
    """The dead rows that the log does not tell yet, by batch."""
    listed = rows.manifest.by_number
    found = {batch: dead for batch, dead in rows.dead.items() if dead.count and batch in listed}
    return {batch: dead for batch, dead in found.items() if dead.digest != _digest(before, listed[batch])}


def next_version(
    before: Published, shown: Shown, vectors: Mapping[int, Vector]
) -> tuple[list[dict[str, Any]], Published]:
    """The actions of the next version, none if nothing differs, and what the table shows then.

    `vectors` are the deletion vectors that are new, by batch.
    """
    protocol, metadata = protocol_of(before, shown.table), metadata_of(before, shown)
    files = {entry.path: _published(entry, before, shown, vectors) for entry in shown.manifest.batches}
    gone = [file for path, file in before.files.items() if files.get(path) != file]
    come = [file for path, file in files.items() if before.files.get(path) != file]
    changed = [_protocol(protocol)] if protocol != before.protocol else []
    changed += [_metadata(metadata)] if metadata != before.metadata else []
    changed += [removal(LetGo.of(file, shown.at_ms)) for file in gone]
    changed += [addition(file) for file in come]
    if not changed and before.manifest == shown.manifest.version:
        return [], replace(before, definition=shown.table.version)
    told = [{"commitInfo": {"timestamp": shown.at_ms, "operation": "WRITE", "engineInfo": APP}}]
    told += [transaction(shown.manifest.version, shown.at_ms)]
    after = replace(
        before,
        version=before.version + 1,
        manifest=shown.manifest.version,
        definition=shown.table.version,
        at_ms=shown.at_ms,
        protocol=protocol,
        metadata=metadata,
        files=files,
        let_go=(*before.let_go, *(LetGo.of(file, shown.at_ms) for file in gone)),
    )
    return told + changed, after


def protocol_of(before: Published, table: TableDef) -> str:
    """What a reader must know of. What was asked for once is asked for ever: older versions need it."""
    had = json.loads(before.protocol).get("readerFeatures", []) if before.protocol else []
    wanted = {"deletionVectors": True, "timestampNtz": has_local_times(table), "columnMapping": is_mapped(table)}
    features = sorted({*had, *(name for name, needed in wanted.items() if needed)})
    writing = sorted([*features, NOT_NULL])
    return json.dumps(
        {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": writing},
        sort_keys=True,
    )


def metadata_of(before: Published, shown: Shown) -> str:
    """The columns, and what else holds for all files."""
    table, scope = shown.table, shown.rows.scope
    mapped = "columnMapping" in protocol_of(before, table)
    configuration = {
        "delta.enableDeletionVectors": "true",
        "delta.deletedFileRetentionDuration": NEVER,
        DEFINITION: str(table.version),
    }
    if mapped:
        configuration["delta.columnMapping.mode"] = "name"
        configuration["delta.columnMapping.maxColumnId"] = str(max_column_id(table))
    return json.dumps(
        {
            "id": own_id(f"{scope.table_id} {scope.user}"),
            "name": str(table.name),
            "format": {"provider": "parquet", "options": {}},
            "schemaString": schema_text(table, mapped=mapped),
            "partitionColumns": [],
            "configuration": configuration,
            "createdTime": _milliseconds_of(shown.manifest.created_at),
        },
        sort_keys=True,
    )


def addition(file: PublishedFile) -> dict[str, Any]:
    """A file comes."""
    action = {
        "path": file.path,
        "partitionValues": {},
        "size": file.bytes,
        "modificationTime": file.written_ms,
        "dataChange": True,
        "stats": file.stats,
    }
    if file.vector is not None:
        action["tags"] = {DEAD: file.vector.digest}
    return {"add": _with_vector(action, file)}


def removal(gone: LetGo) -> dict[str, Any]:
    """A file goes."""
    action = {
        "path": gone.file.path,
        "deletionTimestamp": gone.at_ms,
        "dataChange": True,
        "extendedFileMetadata": True,
        "partitionValues": {},
        "size": gone.file.bytes,
    }
    return {"remove": _with_vector(action, gone.file)}


def transaction(manifest: int, at_ms: int) -> dict[str, Any]:
    """Which manifest is shown."""
    return {"txn": {"appId": APP, "version": manifest, "lastUpdated": at_ms}}


def whole(published: Published) -> Iterable[dict[str, Any]]:
    """All that a reader has to know of a version, as a checkpoint says it.

    What went is first: the same file may have come again with other dead rows.
    """
    yield _protocol(published.protocol)
    yield _metadata(published.metadata)
    yield transaction(published.manifest, published.at_ms)
    yield from map(removal, published.let_go)
    yield from map(addition, published.files.values())


def _protocol(text: str) -> dict[str, Any]:
    return {"protocol": json.loads(text)}


def _metadata(text: str) -> dict[str, Any]:
    return {"metaData": json.loads(text)}


def _published(entry: BatchFileEntry, before: Published, shown: Shown, vectors: Mapping[int, Vector]) -> PublishedFile:
    """A batch as the log is to have it; one that it has so already, as it has it."""
    known, vector = before.files.get(entry.path), vectors.get(entry.batch)
    if known is not None and vector is None and (known.vector is None or shown.rows.dead_in(entry).count):
        return known
    if known is not None and vector is not None and (stats := loosened(known.stats)) is not None:
        return replace(known, stats=stats, vector=vector)
    return PublishedFile(
        entry.path,
        entry.bytes,
        _milliseconds_of(entry.created_at),
        statistics(entry, published_columns(shown.table), is_dirty=vector is not None),
        vector,
    )


def _digest(before: Published, entry: BatchFileEntry) -> str | None:
    known = before.files.get(entry.path)
    return None if known is None or known.vector is None else known.vector.digest


def _with_vector(action: dict[str, Any], file: PublishedFile) -> dict[str, Any]:
    if file.vector is not None:
        action["deletionVector"] = {
            "storageType": "u",
            "pathOrInlineDv": place_of(file.vector.id),
            "offset": file.vector.offset,
            "sizeInBytes": file.vector.bytes,
            "cardinality": file.vector.cardinality,
        }
    return action


def _milliseconds_of(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000)


def replayed(before: Published, version: int, actions: Iterable[Mapping[str, Any]]) -> Published:
    """What a table shows after the actions of a version, as the log has them."""
    files, let_go = dict(before.files), list(before.let_go)
    after = replace(before, version=version)
    for action in actions:
        match action:
            case {"add": added}:
                files[added["path"]] = _file_of(added)
            case {"remove": removed}:
                at_ms = removed.get("deletionTimestamp", 0)
                if removed["path"] in files:
                    let_go.append(LetGo.of(files.pop(removed["path"]), at_ms))
                else:
                    let_go.append(LetGo.of(_file_of(removed), at_ms))
            case {"txn": {"appId": app, "version": manifest, "lastUpdated": at_ms}} if app == APP:
                after = replace(after, manifest=manifest, at_ms=at_ms)
            case {"protocol": protocol}:
                after = replace(after, protocol=json.dumps(protocol, sort_keys=True))
            case {"metaData": metadata}:
                definition = int(metadata["configuration"].get(DEFINITION, -1))
                after = replace(after, metadata=json.dumps(metadata, sort_keys=True), definition=definition)
            case _:
                pass
    return replace(after, files=files, let_go=tuple(let_go))


def _file_of(action: Mapping[str, Any]) -> PublishedFile:
    found = action.get("deletionVector")
    vector = None
    if found is not None:
        digest = (action.get("tags") or {}).get(DEAD, "")
        vector = Vector(
            id_of(found["pathOrInlineDv"]), found["offset"], found["sizeInBytes"], found["cardinality"], digest
        )
    return PublishedFile(
        action["path"], action.get("size") or 0, action.get("modificationTime") or 0, action.get("stats") or "", vector
    )
