"""Results as clients get them: plain Arrow types, one schema for all batches, messages of bounded size."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest

import pyarrow as pa

from catalog.identifiers import CATALOG_NAME
from catalog.plain import is_list, plain_bytes
from catalog.types import type_name
from flightserver.protocol.schemas import column_metadata
from flightserver.sql.meaning.output_names import plain_name
from providers.engine.errors import engine_errors
from providers.engine.export import in_schema
from providers.engine.origins import Origin, Origins
from providers.snapshot import Snapshot
from providers.stopping import Stop, check, never

MESSAGE_BYTES_MAX = 4 << 20
READY_BYTES = 16 << 10
"""A result up to this size that is in memory already costs more to look after than to keep."""

_TARGET_BYTES = 2 << 20
"""Slices aim lower than the limit, because rows differ in size."""


@dataclass(frozen=True)
class Rows:
    """A result: its schema, and a function that starts to produce its batches, each in exactly that schema.

    The function takes a question that it asks now and then: must the statement stop? It may be called more than once;
    each call runs the query again on the same snapshots. A result that `is_short` takes milliseconds to produce.
    As long as somebody refers to it, it keeps the `pinned` snapshots and `nbytes` of memory of its own. One that
    `is_ready` is in memory as a whole, in at most `READY_BYTES`: nobody works or waits for it.
    """

    schema: pa.Schema
    start: Callable[[Stop], Iterator[pa.RecordBatch]]
    is_short: bool = False
    pinned: Sequence[Snapshot] = ()
    nbytes: int = 0
    is_ready: bool = False

    @classmethod
    def of_table(cls, table: pa.Table) -> "Rows":
        """A result that is in memory already."""
        return cls.of_batches(table.to_batches(), table.schema)

    @classmethod
    def of_batches(cls, batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> "Rows":
        """A result whose batches, in exactly this schema, are in memory already."""
        size = sum(int(batch.nbytes) for batch in batches)
        held = sum(int(batch.get_total_buffer_size()) for batch in batches)
        is_ready = max(size, held) <= READY_BYTES

        def start(_: Stop) -> Iterator[pa.RecordBatch]:
            return iter(batches) if is_ready else sliced(iter(batches))

        return cls(schema, start, is_short=True, nbytes=max(size, held), is_ready=is_ready)

    def to_table(self, stop: Stop = never) -> pa.Table:
        """All rows at once."""
        return pa.Table.from_batches(until(stop, self.start(stop)), self.schema)


@dataclass(frozen=True)
class Affected:
    """The result of a change: how many rows were inserted, updated or deleted, and what it `returned` of them."""

    rows: int
    returned: Rows | None = None


def client_schema(schema: pa.Schema, origins: Origins = ()) -> pa.Schema:
    """The schema that clients are promised: views and dictionaries as plain types, every column nullable.

    Engines disagree with themselves on nullability between planning and running, so none is promised. `origins` are
    those of plain columns.
    """
    return pa.schema(
        [
            described_column(plain_name(field.name), client_type(field.type), origin)
            for field, origin in zip_longest(schema, origins)
        ]
    )


def described_column(name: str, data_type: pa.DataType, origin: Origin | None = None) -> pa.Field:
    """A result's column with what drivers read of its type and its table from metadata."""
    return pa.field(name, data_type, metadata=_metadata(data_type, origin))


@lru_cache(maxsize=4096)
def _metadata(data_type: pa.DataType, origin: Origin | None) -> dict[str, str]:
    is_decimal = pa.types.is_decimal(data_type)
    return column_metadata(
        catalog=CATALOG_NAME if origin else None,
        db_schema=origin.table.namespace if origin else None,
        table=origin.table.table if origin else None,
        type_name=type_name(data_type),
        precision=data_type.precision if is_decimal else None,
        scale=data_type.scale if is_decimal else None,
        is_case_sensitive=pa.types.is_string(data_type),
        is_read_only=origin is None or not origin.is_writable,
        is_searchable=not pa.types.is_nested(data_type),
    )


def client_type(data_type: pa.DataType) -> pa.DataType:
    """The plain counterpart of a type that many clients cannot read."""
    if pa.types.is_string_view(data_type) or pa.types.is_large_string(data_type):
        return pa.string()
    if pa.types.is_binary_view(data_type) or pa.types.is_large_binary(data_type):
        return pa.binary()
    if pa.types.is_dictionary(data_type) or pa.types.is_run_end_encoded(data_type):
        return client_type(data_type.value_type)
    if is_list(data_type):
        item = data_type.value_field
        return pa.list_(pa.field("item", client_type(item.type)))
    if pa.types.is_struct(data_type):
        return pa.struct([pa.field(field.name, client_type(field.type)) for field in data_type])
    return data_type


def until(stop: Stop, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Batches until there are no more, or something says to stop."""
    for batch in batches:
        yield batch
        check(stop)


def to_client(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Bring engine batches into the promised schema and into messages of bounded size.

    They are cut before they are made plain: thousands of rows may share one text, as the rows of a join do.
    """
    with engine_errors():
        for batch in batches:
            if batch.schema.equals(schema, check_metadata=True):
                yield from sliced(iter([batch]))
            else:
                yield from sliced(in_schema(part.columns, schema) for part in _cut(batch))


def _cut(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Parts of a batch that take about a message each when they are plain."""
    size = sum(map(plain_bytes, batch.columns))
    if size <= MESSAGE_BYTES_MAX or batch.num_rows <= 1:
        yield batch
        return
    rows = max(batch.num_rows * _TARGET_BYTES // size, 1)
    for start in range(0, batch.num_rows, rows):
        piece = batch.slice(start, rows)
        yield from _cut(piece) if piece.num_rows < batch.num_rows else iter([piece])


def sliced(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Cut batches so that none exceeds `MESSAGE_BYTES_MAX`, unless a single row does."""
    for batch in batches:
        if batch.nbytes <= MESSAGE_BYTES_MAX or batch.num_rows <= 1:
            yield batch
            continue
        rows = max(batch.num_rows * _TARGET_BYTES // batch.nbytes, 1)
        for start in range(0, batch.num_rows, rows):
            piece = batch.slice(start, rows)
            yield from sliced(iter([piece])) if piece.num_rows < batch.num_rows else iter([piece])
