"""What there is to do: a model for each kind of job, checked when it is made.

A task is its kind and its parameters, and nothing else, so two equal tasks are the same work: `key` says so in
one line. Of tasks in one `lane` one runs at a time.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from catalog.definition import Scope

TableId = Annotated[int, Field(ge=1)]
Days = Annotated[float, Field(gt=0)]


class Task(BaseModel):
    """Work of some kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: str = ""

    @property
    def key(self) -> str:
        """The same for the same work, and for no other."""
        return self.model_dump_json()

    @property
    def lane(self) -> object:
        """Of tasks with one lane, one runs at a time."""
        return self.kind

    @property
    def parameters(self) -> dict[str, object]:
        """What it was made with."""
        return self.model_dump(exclude={"kind"})


class ScopeTask(Task):
    """Work on a SHARED table, or on one user's partition of a USER table."""

    table_id: TableId
    user: str | None = None

    @property
    def scope(self) -> Scope:
        """What it works on."""
        return Scope(self.table_id, self.user)

    @property
    def lane(self) -> object:
        """One job works on a scope at a time."""
        return self.scope


class Flush(ScopeTask):
    """Hot rows to batches."""

    kind: Literal["flush"] = "flush"


class Settle(ScopeTask):
    """Segments to batches."""

    kind: Literal["settle"] = "settle"


class Compact(ScopeTask):
    """Batches to fewer batches."""

    kind: Literal["compact"] = "compact"


class Clean(ScopeTask):
    """Batches with dead rows to such without, in a scope that nobody changes."""

    kind: Literal["clean"] = "clean"


class Reclaim(ScopeTask):
    """Files that nobody can reach go."""

    kind: Literal["reclaim"] = "reclaim"


class Publish(ScopeTask):
    """What other engines read of a scope becomes what its manifest says."""

    kind: Literal["publish"] = "publish"


class StreamEviction(ScopeTask):
    """Rows of a STREAM table that have left by age or size go from memory and disk."""

    kind: Literal["stream_eviction"] = "stream_eviction"


class ReclaimDropped(Task):
    """Folders of dropped tables go, when nobody reads them."""

    kind: Literal["reclaim_dropped"] = "reclaim_dropped"


class ManifestRebuild(ScopeTask):
    """A lost or damaged manifest is written anew from the other files."""

    kind: Literal["manifest_rebuild"] = "manifest_rebuild"


class ManifestEviction(Task):
    """Scopes leave memory, and copies of manifests RocksDB, that nobody has used for so long, or that are too many."""

    kind: Literal["manifest_eviction"] = "manifest_eviction"
    cache_mb: int = Field(ge=0)
    ttl_s: float = Field(gt=0)


class Retention(Task):
    """Rows of all tables that are older than their table keeps them are deleted."""

    kind: Literal["retention"] = "retention"


class Repair(ScopeTask):
    """What is lost of a scope's files and can be derived is put back."""

    kind: Literal["repair"] = "repair"


class Check(Task):
    """What is stored is held against what was written: of one table, of a backup, of the audit log, or everything."""

    kind: Literal["check"] = "check"
    table_id: TableId | None = None
    backup: str | None = None
    audit_log: bool = False


class AuditRetention(Task):
    """Records of the audit log that are older than so many days go."""

    kind: Literal["audit_retention"] = "audit_retention"
    days: Days


class IdempotencyRetention(Task):
    """Outcomes of requests that are older than so many days go: the same request would be carried out again."""

    kind: Literal["idempotency_retention"] = "idempotency_retention"
    days: Days


class Backup(Task):
    """A copy of everything is put among the backups; None: under a name that tells the moment."""

    kind: Literal["backup"] = "backup"
    name: Annotated[str, Field(min_length=1)] | None = None


class FlushTables(Task):
    """What FLUSH does for a client who waits for it: of one table, or of all."""

    kind: Literal["flush_tables"] = "flush_tables"
    table_id: TableId | None = None


class PublishTables(Task):
    """What PUBLISH TABLE does for a client who waits for it."""

    kind: Literal["publish_tables"] = "publish_tables"
    table_id: TableId | None = None


class CompactTables(Task):
    """What COMPACT does for a client who waits for it: of one table, or of all."""

    kind: Literal["compact_tables"] = "compact_tables"
    table_id: TableId | None = None
