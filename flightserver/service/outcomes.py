"""What statements yield, and results between the answer to GetFlightInfo and the end of their fetch.

A result that waits keeps its plan, and with it snapshots and their files. Once it was sent to its end it keeps nothing,
but the bytes of a small one for a while: a client that has lost the connection asks again. A fetch that breaks off
leaves the result as it was, for a shorter while.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from flightserver.activity.entries import Kind
from flightserver.activity.gate import Access, no_access
from flightserver.activity.ledger import Ending, Holdings, Kept
from flightserver.activity.statement import RunningStatement
from flightserver.execution.rows import READY_BYTES, Affected, Rows, client_schema
from flightserver.protocol.commands import Command
from providers.snapshot import Snapshot

AFFECTED_SCHEMA = client_schema(pa.schema([("rows_affected", pa.int64())]))

RETRY_BYTES = READY_BYTES
"""A result up to this size is kept for a retry after it was sent."""

Outlived = Callable[[Iterable[Snapshot]], Holdings]
"""What snapshots keep in memory that nobody else needs."""


@dataclass(frozen=True)
class Result:
    """What a ticket yields, and the statement that it comes from."""

    rows: Rows
    affected: int | None = None
    statement: RunningStatement | None = None
    access: Callable[[], Access] = no_access
    """What its reading may use of the places that are kept at the gate."""

    @classmethod
    def of(
        cls,
        outcome: Rows | Affected,
        statement: RunningStatement | None = None,
        access: Callable[[], Access] = no_access,
    ) -> "Result":
        """A query's rows, what a change has returned, or its count as rows."""
        if isinstance(outcome, Rows):
            return cls(outcome, None, statement, access)
        if outcome.returned is not None:
            return cls(outcome.returned, outcome.rows, statement, access)
        count = pa.table([[outcome.rows]], schema=AFFECTED_SCHEMA)
        return cls(Rows.of_table(count), outcome.rows, statement, access)

    def affected_rows(self) -> int:
        """How many rows a change affected; INVALID when it was none."""
        if self.affected is None:
            raise DatabaseError(ErrorKind.INVALID, "the statement returns rows; run it as a query")
        return self.affected


@dataclass(frozen=True)
class Pending:
    """The answer to GetFlightInfo: the result's schema, its ticket, and for how long that can be redeemed."""

    schema: pa.Schema
    ticket: Command
    lifetime_seconds: float | None = None


class WaitingResult:
    """A result that its client has yet to fetch, or may fetch once more."""

    def __init__(self, result: Result, outlived: Outlived) -> None:
        self.statement = result.statement
        self._result: Result | None = result
        self._outlived = outlived

    @property
    def result(self) -> Result:
        """The result, to be fetched; an error when its rows are gone, which says why."""
        if (result := self._result) is not None:
            return result
        interrupted = None if self.statement is None else self.statement.interruption()
        raise interrupted or DatabaseError(
            ErrorKind.NOT_FOUND, "the result was sent to its end, and is too large to be kept for longer; ask again"
        )

    def holdings(self) -> Holdings:
        """What it keeps in memory beside its own bytes."""
        result = self._result
        return {} if result is None else self._outlived(result.rows.pinned)

    def drop(self, kept: Kept) -> None:
        """Keep nothing but the word that there was something."""
        self._result, kept.measure = None, None
        kept.become(Kind.FETCHED_RESULT, 0)

    def sent(self, kept: Kept, batches: Sequence[pa.RecordBatch] | None) -> None:
        """It was sent to its end; `batches` are all of it, when it is small."""
        result = self._result
        if result is None or batches is None:
            self.drop(kept)
        else:
            table = pa.Table.from_batches(batches, result.rows.schema)
            self._result, kept.measure = replace(result, rows=Rows.of_table(table)), None
            kept.become(Kind.FETCHED_RESULT, int(table.nbytes))

    def handed_over(self, kept: Kept) -> None:
        """It was ready, and goes to its client as it is, once more when the client asks again."""
        kept.become(Kind.FETCHED_RESULT, kept.bytes)

    def broke_off(self, kept: Kept) -> None:
        """A fetch of it broke off."""
        kept.become(Kind.FETCHED_RESULT, kept.bytes)

    def ended(self, ending: Ending) -> None:
        """Nobody will fetch it."""
        if self.statement is not None:
            self.statement.cancel(f"the result was not fetched, and {ending.value}")
        self._result = None


class Sent:
    """Batches that go by, kept as long as they are few."""

    def __init__(self) -> None:
        self.batches: list[pa.RecordBatch] | None = []
        self._bytes = 0

    def noted(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same batches."""
        for batch in batches:
            if self.batches is not None:
                self._note(batch)
            yield batch

    def _note(self, batch: pa.RecordBatch) -> None:
        self._bytes += int(batch.nbytes)
        if self.batches is None or self._bytes > RETRY_BYTES:
            self.batches = None
        elif batch.get_total_buffer_size() > RETRY_BYTES:  # a part of something larger, which must go
            self.batches.append(pa.ipc.read_record_batch(batch.serialize(), batch.schema))
        else:
            self.batches.append(batch)
