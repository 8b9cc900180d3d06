"""The composition root of storage: opens a data folder and wires everything that lives on it.

Order matters twice: the folder's lock is taken before anything is read and released last, and jobs stop before the
key-value store closes.
"""

import os
from collections.abc import Iterator, Sequence

from catalog.audit_log import AuditLog
from catalog.data_folder import DataFolder
from catalog.definition import Scope, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName
from catalog.roles import Identity
from catalog.setting_store import SettingStore
from catalog.store import CatalogStore
from catalog.user_store import UserStore
from flightserver.access.principal import FindIdentity
from flightserver.access.user_limits import UserLimits
from flightserver.backup.listing import Listing, check_backup_name, described
from flightserver.backup.moment import Source
from flightserver.backup.shelf import Shelf, clear_staging
from flightserver.configuration.live import LiveSettings
from flightserver.configuration.sources import Configured
from flightserver.settings import DEV_IDENTITY, Settings
from flush.backlog import Backlog
from flush.checking.checks import check_table
from flush.checking.findings import Finding
from flush.checking.records import check_records
from flush.jobs.jobs import JobLimits, Jobs
from flush.jobs.kinds import Tools
from flush.jobs.schedule import Schedule
from flush.jobs.scheduler import Plan
from flush.jobs.tasks import AuditRetention, Backup, Check, IdempotencyRetention, ManifestEviction, Retention
from flush.leftovers import clear_leftovers, reclaim_dropped
from flush.work import Work
from providers.cold.files import ColdFiles
from providers.cold.scope_folder import TableFolders
from providers.commit.scope_store import ScopeStore
from providers.commit.transaction import Transaction
from providers.commit.work import Autocommit
from providers.damage import DamagedError
from providers.engine.relations import Relations
from providers.engine.session import EngineLimits, QueryEngine, provide_workers
from providers.engine.streaming import StreamLoop
from providers.stopping import Stop, never

STILL_SECONDS = 60.0
"""How long a backup waits for manifests that are being published."""


class Database:
    """An open data folder. With `accept_loss`, one that has lost acknowledged commits is opened without them."""

    def __init__(self, started: Settings | Configured, *, accept_loss: bool = False) -> None:
        configured = started if isinstance(started, Configured) else Configured.by_program(started)
        settings = configured.settings
        self.find_identity: FindIdentity = self._find_identity
        self._accepts_loss = accept_loss
        self._folder = DataFolder(settings.data_dir.resolve())
        self._keyvalue = self._folder.open_store(accept_loss=accept_loss)
        self.catalog = CatalogStore(self._keyvalue)
        self.audit_log = AuditLog(self._keyvalue)
        self.users = UserStore(self._keyvalue)
        self.live = LiveSettings(configured, SettingStore(self._keyvalue))
        self.limits = UserLimits(self.users, lambda: self.settings)
        self._tables = TableFolders(self._folder.tables)
        files = ColdFiles(settings.cache_mb << 20, settings.decoded_bytes)
        self.store = ScopeStore(
            self._keyvalue,
            self._tables,
            files,
            node=settings.node_id,
            durability=settings.durability,
            manifest_bytes_max=settings.manifest_cache_mb << 20,
            scopes_max=settings.scopes_max,
        )
        self.live.tell(lambda now: self.store.residents.set_limit(now.manifest_cache_mb << 20))
        self.backlog = Backlog(merges=settings.compaction)
        self.store.after_writing = self.backlog.wait
        self.threads = settings.threads or os.cpu_count() or 1
        limits = EngineLimits(settings.memory_limit_mb << 20, settings.spill_limit_mb << 20, self.threads)
        provide_workers(limits)
        scratch = self._folder.fresh_scratch()
        self.engine = QueryEngine(limits, scratch)
        self.relations = Relations(self.engine.context, files, scratch)
        self.streams = StreamLoop()
        self.autocommit = Autocommit(self.catalog, self.store)
        self.jobs = Jobs(
            Tools(
                self._keyvalue,
                self.store,
                self.audit_log,
                find_table=self._find_table,
                reclaim_dropped=lambda: reclaim_dropped(self.catalog, self.store, self._tables),
                registry=lambda: self.catalog.registry,
                take_backup=self._take_backup,
            ),
            Plan(
                lambda: schedules_of(self.settings),
                compacts=settings.compaction,
                evict_every_seconds=lambda: self.settings.stream_eviction_interval_s,
            ),
            unloaded=self._scopes_with_hot_rows(),
            limits=JobLimits(settings.maintenance_threads, settings.job_history_max),
        )

    def start(self) -> None:
        """Begin background work. What is damaged is noted and keeps nothing else from being served."""
        clear_staging(self._folder.root)
        clear_leftovers(self.catalog, self.store, self._tables, after_loss=self._accepts_loss)
        self.jobs.start()

    @property
    def settings(self) -> Settings:
        """The settings as of now."""
        return self.live.settings

    def _find_table(self, table_id: int) -> TableDef | None:
        return self.catalog.registry.table_of(table_id)

    def name_of_table(self, table_id: int) -> TableName | None:
        """What a table is called that has an id; None when there is none."""
        table = self._find_table(table_id)
        return None if table is None else table.name

    def _scopes_with_hot_rows(self) -> Iterator[Scope]:
        for table in self.catalog.registry.tables.values():
            try:
                for user in self.store.hot_records.users(table):
                    yield Scope(table.id, user)
            except DamagedError as error:
                self.store.files.damages.note(error.damage)

    def _find_identity(self, name: str) -> Identity | None:
        """A user who can log in, by name; with --dev that is root, too."""
        user = self.users.find(name)
        if user is not None:
            return user.identity if user.enabled else None
        return DEV_IDENTITY if self.settings.dev and name == DEV_IDENTITY.name else None

    def begin(self, *, read_only: bool = False) -> Transaction:
        """A new transaction."""
        return Transaction(self.catalog, self.store, read_only=read_only)

    @property
    def shelf(self) -> Shelf:
        """The backups; INVALID where no place is set for them."""
        if self.settings.backup_dir is None:
            raise DatabaseError(ErrorKind.INVALID, "there is no place for backups: set backup_dir, and restart")
        return Shelf(self.settings.backup_dir)

    def backup(self, name: str, asked_by: str, stop: Stop = never) -> Listing:
        """Take a backup while everything goes on, as a job; return what it says of itself."""
        shelf, task = self.shelf, Backup(name=check_backup_name(name))
        with self.jobs.at_work(task, asked_by, stop) as work:
            listing = shelf.take(name, self._source, kept_max=self.settings.backups_kept, work=work)
            work.message = described(listing)
            return listing

    def _take_backup(self, name: str, work: Work) -> str:
        return described(self.shelf.take(name, self._source, kept_max=self.settings.backups_kept, work=work))

    @property
    def _source(self) -> Source:
        return Source(self._folder, self._keyvalue, lambda: self.store.stillness.alone(STILL_SECONDS))

    def check_table(self, table: TableDef, users: Sequence[str | None] | None, work: Work) -> list[Finding]:
        """What is damaged of the rows of some users in a table, or (None) of all; it is known from then on."""
        return check_table(self.store, self._keyvalue, table, users, work)

    def check_records(self, work: Work) -> Iterator[Finding]:
        """What is damaged of the records that belong to no table."""
        return check_records(self._keyvalue, work)

    def close(self) -> None:
        """Stop background work and release the folder."""
        self.jobs.stop()
        self.streams.close()
        self._keyvalue.close()
        self._folder.close()


def schedules_of(settings: Settings) -> tuple[Schedule, ...]:
    """What recurs."""
    backups = settings.backup_dir is not None and settings.backup_interval_s > 0
    return (
        Schedule(
            ManifestEviction(cache_mb=settings.manifest_cache_mb, ttl_s=settings.manifest_cache_ttl_s),
            settings.manifest_cache_interval_s,
        ),
        Schedule(Retention(), settings.retention_interval_s),
        *([Schedule(Backup(), settings.backup_interval_s)] if backups else ()),
        *([Schedule(Check(), settings.check_interval_s)] if settings.check_interval_s > 0 else ()),
        Schedule(AuditRetention(days=settings.audit_retention_d), settings.audit_retention_interval_s),
        Schedule(
            IdempotencyRetention(days=settings.idempotency_retention_d), settings.idempotency_retention_interval_s
        ),
    )
