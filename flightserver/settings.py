"""Everything that can be set: one frozen value, with what each setting may be and what it is by default.

Where values come from is said in `configuration/sources.py`, how some of them change in `configuration/live.py`. A
module takes the settings, or its part of them, from its maker, and looks for none elsewhere.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from catalog.roles import Identity, Role
from providers.commit.scope_store import Durability

LOOPBACK = "127.0.0.1"
DEV_USER = "root"
"""Who a client without credentials is, where that is allowed."""

DEV_IDENTITY = Identity(DEV_USER, Role.SYSTEM)

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"
]

LIVE = frozenset(
    {
        *("statements_max", "statements_user_max", "queue_max", "queue_wait_s", "query_timeout_s"),
        *("memory_user_mb", "result_rows_max", "result_max_mb", "ingest_user_mb_s", "hot_user_mb"),
        *("sessions_max", "sessions_user_max", "session_lifetime_s", "session_idle_timeout_s"),
        *("transaction_idle_timeout_s", "result_lifetime_s", "stream_idle_timeout_s", "streams_user_max"),
        *("kept_mb", "kept_user_mb", "audit_retention_d", "audit_retention_interval_s"),
        *("idempotency_retention_d", "idempotency_retention_interval_s", "backups_kept", "drain_s"),
        *("manifest_cache_mb", "manifest_cache_ttl_s", "manifest_cache_interval_s"),
        *("stream_eviction_interval_s", "retention_interval_s"),
        *("backup_interval_s", "check_interval_s"),
    }
)
"""Settings that ALTER SYSTEM changes while the server runs. Of others, something was made when it started."""

DECODED_PART = 8
"""Of the memory limit, the most that exports may keep of what they decoded."""


class JwtSettings(BaseModel):
    """Whose tokens count, and what is read from them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(min_length=1)
    audience: str = Field(min_length=1)
    algorithms: tuple[Algorithm, ...] = Field(("RS256",), min_length=1)
    key_file: Path | None = None
    jwks_file: Path | None = None
    user_claim: str = Field("sub", min_length=1)
    role_claim: str | None = None
    role_max: Role = Role.USER
    leeway_s: float = Field(30.0, ge=0, le=300)

    @property
    def is_symmetric(self) -> bool:
        """Tell whether the key is a secret that the issuer shares."""
        return any(algorithm.startswith("HS") for algorithm in self.algorithms)

    @model_validator(mode="after")
    def _check_keys(self) -> "JwtSettings":
        if (self.key_file is None) == (self.jwks_file is None):
            raise ValueError("name either a key_file or a jwks_file")
        if self.is_symmetric and (self.jwks_file or not all(one.startswith("HS") for one in self.algorithms)):
            raise ValueError("algorithms with a shared secret (HS…) take a key_file, and no others beside them")
        return self


class ClusterSettings(BaseModel):
    """Where large queries run, see docs/scale.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(pattern=r"^sc://[^\s;]+$", description="where its Spark Connect server is: sc://host:port")
    min_mb: int = Field(0, ge=0, description="queries that read more than that run on it by themselves; 0: none")
    silence_s: float = Field(600.0, gt=0, description="how long it may say nothing until a query is given up")


class Settings(BaseModel):
    """Everything that can be set, with what moving it costs."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    data_dir: Path = Field(Path("data"), description="where everything is stored")
    host: str = Field(LOOPBACK, min_length=1, description="address to listen on")
    port: int = Field(31337, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    dev: bool = Field(False, description="loopback only; clients without credentials are the user root")
    tls_certificate_file: Path | None = Field(None, description="certificate of the server and its chain, PEM")
    tls_key_file: Path | None = Field(None, description="its private key, PEM")
    tls_client_ca_file: Path | None = Field(
        None, description="who signs clients' certificates, PEM; then clients must show one, and log in besides"
    )
    insecure: bool = Field(False, description="allow addresses that are not loopback without TLS")
    password_length_min: int = Field(8, ge=1, description="the least number of characters of a new password")
    password_memory_kib: int = Field(19_456, ge=8, description="memory that checking a password takes")
    password_passes: int = Field(2, ge=1, description="how often that memory is gone over: the time that it takes")
    root_password_file: Path | None = Field(
        None, description="a file with the password of root, who is made of it when there are no users"
    )
    jwt: JwtSettings | None = Field(None, description="an outside issuer of tokens, see docs/security.md")
    cluster: ClusterSettings | None = Field(None, description="where large queries run, see docs/scale.md")
    logins_at_once: int = Field(2, ge=1, description="passwords checked at once; others wait their turn")
    durability: Durability = Field(
        Durability.SYNC, description="sync: acknowledged means on disk; async: the newest second may be lost"
    )
    node_id: int = Field(0, ge=0, le=1023, description="this server's part of every _seq")
    memory_limit_mb: int = Field(4096, ge=64, description="memory of all running queries; beyond it they spill or fail")
    spill_limit_mb: int = Field(32768, ge=0, description="disk space for spilled data, in the data folder")
    cache_mb: int = Field(512, ge=16, description="memory for keys of batches, and as much again for blooms")
    decoded_mb: int = Field(
        512,
        ge=0,
        description="memory for rows kept decoded, at most an eighth of memory_limit_mb; 0: none",
    )
    scopes_max: int = Field(
        100_000, ge=1, description="partitions kept in memory, as far as manifest_cache_mb has room for them"
    )
    manifest_cache_mb: int = Field(
        256, ge=0, description="memory for partitions and their manifests, and as much again for copies in RocksDB"
    )
    manifest_cache_ttl_s: float = Field(
        604_800.0,
        gt=0,
        description="how long an unused partition stays in memory, and the copy of its manifest in RocksDB",
    )
    manifest_cache_interval_s: float = Field(3_600.0, gt=0, description="how often unused ones are looked for")
    compaction: bool = Field(True, description="merge batches in the background; off: only by COMPACT TABLE")
    threads: int = Field(0, ge=0, description="cores a query may use; 0: all")
    statements_max: int = Field(64, ge=1, description="statements running at once")
    statements_user_max: int = Field(48, ge=1, description="of them, those of one user")
    memory_user_mb: int = Field(0, ge=0, description="memory of what one user runs; 0: no limit")
    result_rows_max: int = Field(0, ge=0, description="rows of one result; 0: no limit")
    result_max_mb: int = Field(0, ge=0, description="size of one result; 0: no limit")
    ingest_user_mb_s: int = Field(0, ge=0, description="what one user may send in a second; more waits; 0: no limit")
    hot_user_mb: int = Field(
        0,
        ge=0,
        description="unflushed rows of one user, and those in STREAM tables; beyond it changes fail; 0: no limit",
    )
    queue_max: int = Field(64, ge=0, description="statements waiting for a place; more are told to retry")
    queue_wait_s: float = Field(10.0, ge=0, description="how long a statement waits for a place")
    query_timeout_s: float = Field(0.0, ge=0, description="how long a statement may run; 0: no limit; SET can lower it")
    sessions_max: int = Field(10_000, ge=1, description="sessions open at once")
    sessions_user_max: int = Field(2_000, ge=1, description="of them, those of one user")
    session_lifetime_s: float = Field(
        86_400.0, gt=0, description="how long a session and its token live at most; then the client logs in again"
    )
    session_idle_timeout_s: float = Field(3_600.0, gt=0, description="how long an unused session and its token live")
    transaction_idle_timeout_s: float = Field(
        600.0, gt=0, description="how long a transaction with a statement in it may be idle; then it is rolled back"
    )
    result_lifetime_s: int = Field(600, ge=10, description="how long an unfetched result and its files are kept")
    stream_idle_timeout_s: float = Field(120.0, gt=0, description="how long an open stream may wait for its client")
    streams_user_max: int = Field(256, ge=1, description="streams that one user may have open in each direction")
    kept_mb: int = Field(
        2048, ge=16, description="memory for what is kept for clients: results, parameters, streams, transactions"
    )
    kept_user_mb: int = Field(1024, ge=16, description="of that, what is kept for one user")
    retention_interval_s: float = Field(
        3_600.0, gt=0, description="how often rows are looked for that are older than their table keeps them"
    )
    audit_retention_d: float = Field(
        365.0, gt=0, description="days for which records of the audit log are kept; the newest stays"
    )
    audit_retention_interval_s: float = Field(3_600.0, gt=0, description="how often older records are looked for")
    idempotency_retention_d: float = Field(
        30.0, gt=0, description="days for which names of requests are kept; what comes again later is new"
    )
    idempotency_retention_interval_s: float = Field(86_400.0, gt=0, description="how often older names are looked for")
    stream_eviction_interval_s: float = Field(
        10.0, gt=0, description="how often rows that have left a STREAM table go from memory and disk"
    )
    maintenance_threads: int = Field(
        2, ge=1, description="jobs in the background at once; if more than one, one of them is for those that end soon"
    )
    job_history_max: int = Field(1_000, ge=1, description="jobs that have ended and are still in system.jobs")
    backup_dir: Path | None = Field(
        None, description="folder with all backups, beside the data folder; none: no backups"
    )
    backups_kept: int = Field(0, ge=0, description="the newest backups that are kept when one is taken; 0: all")
    backup_interval_s: float = Field(0.0, ge=0, description="how often a backup is taken by itself; 0: never")
    check_interval_s: float = Field(
        0.0, ge=0, description="how often everything that is stored is read and checked; 0: never"
    )
    drain_s: float = Field(30.0, ge=0, description="how long a stopping server waits for running statements")

    @property
    def decoded_bytes(self) -> int:
        """What exports may keep of what they decoded."""
        return min(self.decoded_mb << 20, (self.memory_limit_mb << 20) // DECODED_PART)
