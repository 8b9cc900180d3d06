"""The examples in docs/formats are what the code writes."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from manifest_samples import EMPTY, MADE_AT, entry_of

from catalog.audit import START, AuditRecord, Verdict
from catalog.codec import (
    encode_grant,
    encode_namespace,
    encode_policy,
    encode_setting,
    encode_table,
    encode_token,
    encode_user,
    encode_view,
)
from catalog.data_folder import FORMAT_VERSION
from catalog.definition import ColumnSpec, Default, NamespaceDef, Scope, TableKind, ViewDef
from catalog.evolution import create_table
from catalog.grants import EVERYBODY, Grant, Grantee, GranteeType, ObjectId, ObjectType, Privilege
from catalog.identifiers import TableName, path_component
from catalog.keyvalue import Family
from catalog.policies import Policy
from catalog.roles import Role
from catalog.users import TokenDef, UserDef
from flightserver.backup.listing import BackupFile, Listing
from flightserver.backup.listing import encode as encode_listing
from flush.jobs.job import Job, Origin
from flush.jobs.records import encode_job
from flush.jobs.tasks import AuditRetention
from manifest import codec as manifest_codec
from manifest import dead_rows
from manifest.batch_entry import BloomEntry, ColumnRange, DeletionEntry
from manifest.dead_rows import DeadRows
from providers.commit.idempotency import Idempotency
from providers.hot import record
from providers.hot.record import HotRecord
from providers.manifests.records import Head, encode_head, head_key
from providers.manifests.sync_state import SyncState

FORMATS = Path(__file__).parents[2] / "docs" / "formats"
POSITIONS = np.array([2, 5], dtype=np.int64)
ANN = Scope(7, "ann")
HASH = "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0$dGhlIGhhc2ggb2YgYSBwYXNzd29yZCBoZXJl"
CREATED_AT = datetime(2026, 11, 1, tzinfo=UTC)
USER = UserDef("ann", Role.SERVICE, HASH, limits={"sessions": 5}, version=3)
BACKUP = Listing(
    1_767_225_600_000_000,
    (
        BackupFile("FORMAT", 13, "crc32:8c2d4a5f"),
        BackupFile("tables/public/t.7/manifest.json", 1204, "crc32:1bd4d603"),
    ),
    1204,
)
TOKEN = TokenDef("ann", "nightly", "5f" * 32, True, datetime(2026, 11, 1, tzinfo=UTC), None)

HEAD = Head(
    version=1,
    batches=1,
    rows=3,
    dead=1,
    bytes=2239,
    etag="crc32:5e4d1c0a",
    stamp=(264_113, 1_104, 1_767_225_600_000_000_000),
    cached_bytes=1_104,
    last_refreshed="2026-11-01T00:00:00.000000+00:00",
    last_accessed="2026-11-02T00:00:00.000000+00:00",
    sync_state=SyncState.IN_SYNC,
)


def hex_lines(data: bytes) -> str:
    """Bytes as a hex dump: offset, then sixteen a line."""
    return "\n".join(f"{start:04x}  {data[start : start + 16].hex(' ')}" for start in range(0, len(data), 16))


def manifest_example() -> str:
    """A manifest of one batch."""
    entry = entry_of(
        3,
        rows=3,
        dead=1,
        bytes=2239,
        columns={1: ColumnRange("1", "9", 0), 2: ColumnRange(None, None, 3)},
        bloom=BloomEntry("batch-3.bloom", (0,), 0.01, 256, "crc32:1bd4d603"),
        dv=DeletionEntry("batch-3.4.dv", "crc32:fb24a282"),
    )
    return manifest_codec.encode(EMPTY.with_changes(updated_at=MADE_AT, added=[entry], flushed_seq=9)).decode()


def table_example() -> str:
    """A table with a key and a default."""
    specs = [ColumnSpec("k", pa.int64()), ColumnSpec("v", pa.string(), default=Default(literal="'x'"))]
    return encode_table(create_table(7, TableName("public", "t"), TableKind.SHARED, specs, ["k"])).decode()


AUDITED = AuditRecord(1_000, "ann", "ann", "DROP TABLE", "public.t", Verdict.ALLOWED, rows=1).encode()


EXAMPLES = {
    "audit.md record": AUDITED.decode(),
    "audit.md hash": START.then(AUDITED).digest.hex(),
    "manifest.md manifest": manifest_example(),
    "deletion-vector.md deletion": hex_lines(dead_rows.encode(DeadRows.none(10).with_positions(POSITIONS), 7, 3, 4)),
    "hot-record.md hot-shared": record.record_key(Scope(7, None), 2**40).hex(),
    "hot-record.md hot-user": record.record_key(ANN, 2**40).hex(),
    "hot-record.md hot-value": hex_lines(
        record.encode(HotRecord(pa.record_batch({"k": pa.array([1])}), {3: POSITIONS}))[:52]
    ),
    "catalog.md table": table_example(),
    "catalog.md user": encode_user(USER).decode(),
    "catalog.md token": encode_token(TOKEN).decode(),
    "backup.md": encode_listing(BACKUP).decode(),
    "catalog.md setting": encode_setting("statements_max", "100").decode(),
    "catalog.md view": encode_view(ViewDef(TableName("public", "recent"), "SELECT 1", "public", 1, "ann")).decode(),
    "catalog.md namespace": encode_namespace(NamespaceDef("sales", 8, "ann")).decode(),
    "catalog.md grant": encode_grant(
        Grant(ObjectId(ObjectType.TABLE, 7), Privilege.SELECT, Grantee(GranteeType.USER, "bob"), "ann", True)
    ).decode(),
    "catalog.md policy": encode_policy(
        Policy(7, "own", frozenset({Privilege.SELECT}), (EVERYBODY,), "who = CURRENT_USER", None)
    ).decode(),
    "job.md job": encode_job(
        Job(3, AuditRetention(days=365.0), Origin.SCHEDULED, CREATED_AT).queued().started(CREATED_AT)
    ).decode(),
    "manifest-cache.md key": head_key(ANN).hex(),
    "manifest-cache.md head": encode_head(HEAD).decode(),
    "catalog.md request": (record.scope_prefix(ANN) + Idempotency("load-1", "", "ann").recorded.encode()).hex(),
    **{
        f"data-folder.md {name}": f"| `{name}` | `{path_component(name)}` |"
        for name in ("flights_2013", "Ann", "../x", "é")
    },
    "data-folder.md format": f'{{"format": {FORMAT_VERSION}}}',
    **{f"catalog.md {family.value}": f"| `{family.value}` |" for family in Family},
}


@pytest.mark.parametrize("example", sorted(EXAMPLES))
def test_an_example_is_what_the_code_writes(example: str) -> None:
    """The page holds the bytes that the code makes today."""
    page = (FORMATS / example.split(maxsplit=1)[0]).read_text()
    assert EXAMPLES[example] in page


@pytest.mark.parametrize(
    "page",
    [
        "manifest.md",
        "batch.md",
        "deletion-vector.md",
        "hot-record.md",
        "catalog.md",
        "audit.md",
        "job.md",
        "manifest-cache.md",
    ],
)
def test_every_page_says_which_package_it_describes(page: str) -> None:
    """A reader finds the code."""
    assert "Package" in (FORMATS / page).read_text()
