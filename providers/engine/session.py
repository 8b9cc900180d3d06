"""DataFusion, configured and closed: what a user's SQL may reach is decided here.

One session serves all queries, so that the memory limit, the spill space and the file caches are shared. Names resolve
through a Python catalog to the relations of the statement that is being planned, which the planning thread carries:
a statement can reach nothing that was not prepared for it. DDL, DML, SET and external tables are refused by options,
`information_schema` is off, and functions whose result can be larger than memory are withheld.

Further sessions differ in some settings (`SqlDialect`) and have a small memory share of their own.
"""

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, unique
from pathlib import Path

import pyarrow as pa
from datafusion import DataFrame, RuntimeEnvBuilder, SessionConfig, SessionContext, SQLOptions
from datafusion.catalog import CatalogProvider, SchemaProvider, Table
from datafusion.plan import LogicalPlan
from datafusion.substrait import Consumer, Serde

from catalog.identifiers import CATALOG_NAME, TableName, quote_identifier
from providers.engine.errors import engine_errors
from providers.engine.functions import add_functions
from providers.engine.plans import MadeKey
from providers.engine.sliding import add_sliding_aggregates

Frame = DataFrame
"""A planned query."""

EngineTable = Table
"""A relation as the engine has it."""

DEFAULT_SCHEMA = "$default"
"""Stands for the statement's own namespace, where unqualified names resolve."""

WITHHELD_FUNCTIONS = frozenset(
    {
        "repeat",
        "lpad",
        "rpad",
        "range",
        "generate_series",
        "array_repeat",
        "list_repeat",
        "array_resize",
        "list_resize",
    }
)
_BROKEN_RULES = ("eliminate_join", "extract_leaf_expressions", "push_down_leaf_projections", "propagate_empty_relation")
"""Optimizer rules of DataFusion 55 that are wrong. The first makes a semi-join of one whose other side it takes to have
each key once, because a part of that has; a join in that side may have multiplied it. Two fail on struct fields of a
column below a projection or a UNION. The last leaves a UNION out of which one branch is left, and with it the names of
its columns."""

BATCH_ROWS = 32_768
NARROWER_BATCHES = (2_048, 128, 8)
"""Where values are large, so that a batch of them is not: a function makes a whole batch before anybody counts it."""

PAIRED_ROWS, PAIRS_MAX = 2_048, 64_000_000
"""A join that may look at more pairs of rows has such batches: between two of them it can be stopped."""

BATCH_BYTES_MIN = 64 << 20
BATCHES_OF_LIMIT = 16
"""What a batch may take is this part of the memory limit."""

BUILD_BYTES_MAX = 64 << 20
BUILD_ROWS_MAX = 2_000_000
"""A join's smaller side up to this size is built once for all threads, which beats repartitioning both sides."""

SORT_MERGE_SHARE = 0.45
SORT_MERGE_BYTES_MAX = 48 << 20
"""What a sort sets aside for merging, without which it cannot spill: for narrow rows about as much as they take. It is
taken from the first row on, so it is bounded: at the default limit, every statement that may run at once can sort."""

WORKERS_OF_THREAD = 8
"""A join that multiplies its rows keeps as many workers as a query has threads, and gives them back seldom: others go
on with the rest: three of them were tried, and by their number there is room for seven. More workers take turns on the
cores: 128 of them made TPC-H some 8 % slower. 16 on two cores were not slower than four in two rounds of four queries
on a busy machine, whose own changes were larger than any difference; TPC-H has yet to be measured with them.
"""

WORKER_NICENESS = 10
"""Work of large queries fills the cores; what answers short statements comes first when it has something to do."""

METADATA_CACHE_BYTES = 1 << 30

_READ_ONLY = SQLOptions().with_allow_ddl(False).with_allow_dml(False).with_allow_statements(False)


@unique
class SqlDialect(Enum):
    """How a text is planned: by name, the settings in which a session differs from DataFusion's defaults."""

    PLAIN = "as DataFusion does"
    WITHOUT_JOIN_FILTERS = (
        "joins do not filter what they scan: their filters take 0 and a -0 that was made for different"
    )
    STABLE_JOIN_ORDER = "joins stay in order: reordering makes some RIGHT and FULL joins wrong in DataFusion 55"
    MERGED_JOINS = (
        "joins merge what is sorted: conditions above hash joins are pushed into the side that they do not mean"
    )
    FENCED_JOINS = (
        "joins of sides that no condition is pushed into: where joins that merge have conditions beside their keys,"
        " DataFusion 55 reads other columns than those mean, or fails; it fails, too, where they merge by constants"
    )
    KEPT_ORDERS = (
        "the same, of a text that does not tell which columns have one value: above outer joins they may be NULL"
    )
    WITHOUT_ESTIMATES = "no statistics are read, and joins stay in order: where casts lose digits, estimates fail"
    APART = "what occurs twice is worked out twice: windows that turn out to be equal are made one that cannot be run"


_SETTINGS = {
    SqlDialect.PLAIN: {},
    SqlDialect.WITHOUT_JOIN_FILTERS: {},
    SqlDialect.STABLE_JOIN_ORDER: {"datafusion.optimizer.join_reordering": "false"},
    SqlDialect.MERGED_JOINS: {
        "datafusion.optimizer.prefer_hash_join": "false",
        "datafusion.optimizer.join_reordering": "false",
        "datafusion.execution.collect_statistics": "false",
    },
    SqlDialect.FENCED_JOINS: {
        "datafusion.optimizer.join_reordering": "false",
        "datafusion.execution.collect_statistics": "false",
    },
    SqlDialect.KEPT_ORDERS: {
        "datafusion.optimizer.join_reordering": "false",
        "datafusion.execution.collect_statistics": "false",
    },
    SqlDialect.WITHOUT_ESTIMATES: {
        "datafusion.optimizer.join_reordering": "false",
        "datafusion.execution.collect_statistics": "false",
    },
    SqlDialect.APART: {
        "datafusion.optimizer.join_reordering": "false",
        "datafusion.execution.collect_statistics": "false",
    },
}
_SHARING = "common_sub_expression_eliminate"
_RULES_WITHOUT = {
    SqlDialect.MERGED_JOINS: (_SHARING,),
    SqlDialect.FENCED_JOINS: (_SHARING, "eliminate_cross_join"),
    SqlDialect.KEPT_ORDERS: (_SHARING, "eliminate_cross_join"),
    SqlDialect.APART: (_SHARING,),
}
"""Optimizer rules that a dialect is without: sharing makes one of equal windows, the other takes fences away. A query
has one dialect, so those that come before APART are without what it is without."""


@dataclass(frozen=True)
class EngineLimits:
    """What all running queries together may use. `memory_bytes` is shared fairly; beyond it queries spill or fail."""

    memory_bytes: int = 4 << 30
    spill_bytes: int = 32 << 30
    threads: int = os.cpu_count() or 2


def provide_workers(limits: EngineLimits) -> None:
    """Let the engine have more workers than one query can keep, all of which give way to the server's own threads.

    Process-wide; to be called before the first query.
    """
    os.environ["TOKIO_WORKER_THREADS"] = str(limits.threads * WORKERS_OF_THREAD)
    starting = threading.Thread(target=_start_workers)
    starting.start()
    starting.join()


def _start_workers() -> None:
    """The first query makes the workers. Under Linux a priority is a thread's, and those that it starts have it too."""
    if sys.platform == "linux":
        os.nice(WORKER_NICENESS)
    SessionContext().sql("SELECT 1").collect()


class QueryEngine:
    """Plans read-only SQL over relations that the caller names."""

    def __init__(self, limits: EngineLimits, spill: Path) -> None:
        self._names = _StatementNames()
        self.turns = threading.BoundedSemaphore(limits.threads)
        """Held while a query is planned, and while a short one runs: more at once would only take turns on the cores.

        Who holds one waits for no other lock.
        """
        self._limits = limits
        self._runtime = RuntimeEnvBuilder().with_disk_manager_specified(spill).with_fair_spill_pool(limits.memory_bytes)
        """What all sessions share: their memory, and the space to spill to."""
        self._sessions = {(dialect, BATCH_ROWS): self._made(dialect, BATCH_ROWS) for dialect in SqlDialect}
        self._making = threading.Lock()

    @property
    def context(self) -> SessionContext:
        """The session in which relations are built."""
        return self._sessions[SqlDialect.PLAIN, BATCH_ROWS]

    def batch_rows(self, row_bytes: int) -> int:
        """How many rows of so many bytes a batch has at most."""
        most = max(BATCH_BYTES_MIN, self._limits.memory_bytes // BATCHES_OF_LIMIT)
        return next(
            (rows for rows in (BATCH_ROWS, *NARROWER_BATCHES) if rows * row_bytes <= most), NARROWER_BATCHES[-1]
        )

    def _session(self, dialect: SqlDialect, batch_rows: int) -> SessionContext:
        """A session. Those with narrower batches are seldom used."""
        with self._making:
            if (dialect, batch_rows) not in self._sessions:
                self._sessions[dialect, batch_rows] = self._made(dialect, batch_rows)
            return self._sessions[dialect, batch_rows]

    def _made(self, dialect: SqlDialect, batch_rows: int) -> SessionContext:
        return _session(self._limits, self._runtime, self._names, dialect, batch_rows)

    def plan(
        self,
        text: str,
        relations: Mapping[TableName, Table],
        namespace: str,
        parameters: Mapping[str, pa.Scalar] | None = None,
        dialect: SqlDialect = SqlDialect.PLAIN,
        batch_rows: int = BATCH_ROWS,
    ) -> DataFrame:
        """Plan `text`, which may name `relations` and nothing else; unqualified names are in `namespace`.

        `parameters` are values by number ("1" for `$1`); without them the plan keeps its placeholders.
        """
        session = self._session(dialect, batch_rows)
        values = {number: _carried(value) for number, value in (parameters or {}).items()}
        with self._names.of_statement(relations, namespace), engine_errors():
            # The method of the same name around this one takes Python's and pyarrow's values only.
            return DataFrame(session.ctx.sql_with_options(text, _READ_ONLY.options_internal, values, {}))

    def plan_substrait(
        self, plan: bytes, relations: Mapping[TableName, Table], namespace: str, dialect: SqlDialect, batch_rows: int
    ) -> DataFrame:
        """Plan a serialized Substrait plan, which may name `relations` and nothing else."""
        session = self._session(dialect, batch_rows)
        with self._names.of_statement(relations, namespace), engine_errors():
            decoded = Consumer.from_substrait_plan(session, Serde.deserialize_bytes(plan))
            return session.create_dataframe_from_logical_plan(decoded)

    def showing(self, table: Table, columns: Sequence[str]) -> Table:
        """A relation with these columns of it, in this order."""
        if tuple(table.schema.names) == tuple(columns):
            return table
        with engine_errors():
            return self.context.read_table(table).select(*map(quote_identifier, columns)).into_view()

    def schema_of(self, plan: LogicalPlan) -> pa.Schema:
        """The schema of what an optimized plan yields: before it is optimized, types have not been brought together."""
        with engine_errors():
            return self.context.create_dataframe_from_logical_plan(plan).schema()

    def is_floating(self, made: MadeKey) -> bool:
        """Tell whether a key of a join of an optimized plan may be -0; what cannot be told may."""
        try:
            keys = self.context.create_dataframe_from_logical_plan(made.side).select(made.key).schema()
        except Exception:  # noqa: BLE001 - bindings raise what they like
            return True
        return bool(pa.types.is_floating(keys.field(0).type))


class _NestedScalar:
    """A value as an Arrow array of one, which the library takes for a scalar by the name of its class.

    Of a `pyarrow.Scalar` it makes an array itself, in a way that fails where a list is NULL. Only nested values come
    like this: before it takes one, the library looks for two others that may not be installed, which takes a while.
    """

    def __init__(self, value: pa.Scalar) -> None:
        self._array = pa.repeat(value, 1)

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return self._array.__arrow_c_array__(requested_schema)  # type: ignore[no-any-return]


def _carried(value: pa.Scalar) -> object:
    """A parameter in the form in which the library takes it whole."""
    return _NestedScalar(value) if pa.types.is_nested(value.type) else value


class _StatementNames(threading.local):
    """The relations that the statement planned by this thread may name."""

    def __init__(self) -> None:
        self.relations: Mapping[TableName, Table] = {}
        self.namespace = ""

    def of_statement(self, relations: Mapping[TableName, Table], namespace: str) -> "_Bound":
        return _Bound(self, relations, namespace)

    def find(self, schema: str, table: str) -> Table | None:
        namespace = self.namespace if schema == DEFAULT_SCHEMA else schema
        return self.relations.get(TableName(namespace, table))


class _Bound:
    """Binds names for the length of a `with` block."""

    def __init__(self, names: _StatementNames, relations: Mapping[TableName, Table], namespace: str) -> None:
        self._names = names
        self._inner = (relations, namespace)

    def __enter__(self) -> None:
        self._outer = (self._names.relations, self._names.namespace)
        self._names.relations, self._names.namespace = self._inner

    def __exit__(self, *_: object) -> None:
        self._names.relations, self._names.namespace = self._outer


class _Schema(SchemaProvider):
    def __init__(self, name: str, names: _StatementNames) -> None:
        self._name = name
        self._names = names

    def table_names(self) -> set[str]:
        return set()

    def table(self, name: str) -> Table | None:
        return self._names.find(self._name, name)

    def table_exist(self, name: str) -> bool:
        return self._names.find(self._name, name) is not None


class _Catalog(CatalogProvider):
    def __init__(self, names: _StatementNames) -> None:
        self._names = names

    def schema_names(self) -> set[str]:
        return {DEFAULT_SCHEMA} | {name.namespace for name in self._names.relations}

    def schema(self, name: str) -> SchemaProvider | None:
        return _Schema(name, self._names)


def _session(
    limits: EngineLimits, runtime: RuntimeEnvBuilder, names: _StatementNames, dialect: SqlDialect, batch_rows: int
) -> SessionContext:
    sort_merge_bytes = min(int(limits.memory_bytes * SORT_MERGE_SHARE), SORT_MERGE_BYTES_MAX)
    config = (
        SessionConfig()
        .with_information_schema(False)
        .with_default_catalog_and_schema(CATALOG_NAME, DEFAULT_SCHEMA)
        .with_create_default_catalog_and_schema(False)
        .with_batch_size(batch_rows)
        .with_target_partitions(limits.threads)
        .set("datafusion.optimizer.hash_join_single_partition_threshold", str(BUILD_BYTES_MAX))
        .set("datafusion.optimizer.hash_join_single_partition_threshold_rows", str(BUILD_ROWS_MAX))
        .set("datafusion.execution.sort_spill_reservation_bytes", str(sort_merge_bytes))
        .set("datafusion.execution.time_zone", "UTC")
        # Sorts of several partitions take the whole pool and leave nothing to the merge of their results.
        .set("datafusion.optimizer.repartition_sorts", "false")
        # Groups under a limit take memory for as many as the limit says, before there is any.
        .set("datafusion.optimizer.enable_topk_aggregation", "false")
    )
    if dialect is not SqlDialect.PLAIN:
        config = config.set("datafusion.optimizer.enable_join_dynamic_filter_pushdown", "false")
    for name, value in _SETTINGS[dialect].items():
        config = config.set(name, value)
    session = SessionContext(config, runtime)
    session.sql(f"SET datafusion.runtime.metadata_cache_limit = '{METADATA_CACHE_BYTES >> 20}M'")
    session.sql(f"SET datafusion.runtime.max_temp_directory_size = '{limits.spill_bytes >> 20}M'")
    session.register_catalog_provider(CATALOG_NAME, _Catalog(names))
    for rule in (*_BROKEN_RULES, *_RULES_WITHOUT.get(dialect, ())):
        session.remove_optimizer_rule(rule)
    for function in WITHHELD_FUNCTIONS:
        session.deregister_udf(function)
    add_functions(session)
    add_sliding_aggregates(session)
    return session
