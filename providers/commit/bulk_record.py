"""What a commit leaves in RocksDB whose commit point is a manifest: its idempotency record, and one for the audit log.

The manifest carries both until RocksDB has them. With them the version of the manifest is put on record; so whether a
record for the audit log is there is told by the version that was recorded last.
"""

from catalog.definition import Scope
from catalog.keyvalue import AtomicWrite, KeyValueStore
from manifest.entries import BulkCommit, ManifestFile
from providers.commit.idempotency import Idempotency, Outcome, is_on_record, put_outcome
from providers.commit.request import Request
from providers.manifests.mark import put_mark, recorded_version


def bulk_commit(request: Request, outcome: Outcome, user: str | None, version: int) -> BulkCommit | None:
    """What the manifest of this version says of the commit that it makes."""
    if request.is_plain:
        return None
    name, note = request.idempotency, request.note
    return BulkCommit(
        outcome.affected,
        outcome.seq,
        version,
        idempotency_key=None if name is None else name.recorded,
        request_hash=None if name is None else name.request_hash,
        audit=None if note is None else note(outcome, user).decode(),
    )


def put_bulk_commit(keyvalue: KeyValueStore, scope: Scope, manifest: ManifestFile, batch: AtomicWrite) -> None:
    """Put what RocksDB lacks of a manifest's newest bulk commit into a batch that records the manifest's version."""
    commit = manifest.last_bulk_commit
    if commit is None:
        return
    if commit.idempotency_key is not None and commit.request_hash is not None:
        name = Idempotency.of_record(commit.idempotency_key, commit.request_hash)
        if not is_on_record(keyvalue, scope, name):
            put_outcome(batch, scope, name, Outcome(commit.rows, commit.seq))
    if commit.audit is not None and recorded_version(keyvalue, scope) < commit.version:
        batch.audit(commit.audit.encode())


def restore_bulk_commit(keyvalue: KeyValueStore, scope: Scope, manifest: ManifestFile) -> int | None:
    """Repeat what a crash may have kept from RocksDB.

    Return the ticket that must be durable before the manifest forgets it.
    """
    batch = AtomicWrite()
    put_bulk_commit(keyvalue, scope, manifest, batch)
    if batch.is_empty:
        return None
    put_mark(batch, scope, manifest.version)
    return keyvalue.append(batch)
