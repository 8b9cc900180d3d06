"""Results on their way: between the statement that made them and the client that fetches them.

A result waits under a handle, within its user's bounds and for a time. What is read of it is counted, takes a place at
the gate and can be stopped; once it was sent it keeps nothing.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pyarrow as pa

from flightserver.activity.entries import Kind
from flightserver.activity.gate import Gate
from flightserver.activity.statement import RunningStatement, StatementState
from flightserver.database import Database
from flightserver.execution.rows import Rows, until
from flightserver.protocol import commands
from flightserver.protocol.flight import CancelStatus, FlightEndpoint, FlightInfo, expires_after
from flightserver.service.bounds import Bounds
from flightserver.service.call import Call
from flightserver.service.handles import Handles
from flightserver.service.outcomes import Pending, Result, Sent, WaitingResult
from flightserver.service.streams import ClientStream, StreamMemory
from flightserver.settings import Settings
from providers.stopping import Stop, check, first_of

STREAM_BYTES = 16 << 20
"""What a long result is taken to need before its first batch is seen."""

BATCHES_AHEAD_OF_THREAD = 3
"""How many batches each thread of a query has ready or in the making before anybody takes one."""


class Delivery:
    """Keeps results, and hands them over."""

    def __init__(self, database: Database, gate: Gate, bounds: Bounds) -> None:
        self._database = database
        self._gate = gate
        self._bounds = bounds
        self._outlived = database.store.outlived
        self._batches_ahead = BATCHES_AHEAD_OF_THREAD * database.threads
        self._results: Handles[WaitingResult] = Handles(Kind.RESULT)

    @property
    def _settings(self) -> Settings:
        return self._database.settings

    def pending(self, result: Result, call: Call) -> Pending:
        """Keep a result until it is fetched."""
        waiting = WaitingResult(result, self._outlived)
        handle, held = self._results.put(
            call.session.account, waiting, result.rows.nbytes, measure=waiting.holdings, ended=waiting.ended
        )
        if result.statement is not None:
            result.statement.let_go = partial(waiting.drop, held.kept)
        return Pending(
            result.rows.schema, commands.TicketStatementQuery(handle), float(self._settings.result_lifetime_s)
        )

    def fetched(self, handle: bytes, call: Call) -> Rows:
        """The rows of a result that waits, which keeps nothing once they were sent."""
        held = self._results.get(call.user, handle)
        waiting, kept = held.item, held.kept
        watched = self.watched(waiting.result, call)
        if watched.is_ready:
            waiting.handed_over(kept)
            return watched

        def start(stop: Stop) -> Iterator[pa.RecordBatch]:
            sent = Sent()
            with kept.in_use():
                try:
                    yield from sent.noted(watched.start(stop))
                except BaseException:
                    waiting.broke_off(kept)
                    raise
                waiting.sent(kept, sent.batches)

        return replace(watched, start=start)

    def watched(self, result: Result, call: Call) -> Rows:
        """A result whose reading is counted, takes a place at the gate, and can be stopped; a ready one is not read."""
        rows, running = result.rows, result.statement
        if rows.is_ready:
            if running is not None and result.affected is None:
                self._hand_over(rows, running, call)
            return rows

        def start(stop: Stop) -> Iterator[pa.RecordBatch]:
            memory = StreamMemory(
                0 if rows.is_short else STREAM_BYTES,
                self._batches_ahead,
                partial(self._outlived, rows.pinned),
                self._settings.queue_wait_s,
            )
            with ClientStream(call, Kind.OUTGOING_STREAM, memory) as outgoing:
                if running is None or result.affected is not None:
                    yield from outgoing.sent(rows.start(stop))
                else:
                    yield from self._read(result, running, outgoing, stop)

        return replace(rows, start=start)

    def _hand_over(self, rows: Rows, running: RunningStatement, call: Call) -> None:
        """Count a result that is ready: it needs no place, and no stream that is open while its client takes it."""
        with running.outcome():
            running.enter(StatementState.STREAMING)
            check(first_of(running.interruption, call.stop))
            for batch in rows.start(call.stop):
                running.rows += batch.num_rows
                running.bytes += batch.nbytes
            self._bounds.check_result(running)
        running.enter(StatementState.FINISHED)

    def _read(
        self, result: Result, running: RunningStatement, outgoing: ClientStream, stop: Stop
    ) -> Iterator[pa.RecordBatch]:
        both = first_of(running.interruption, stop)
        with running.outcome(), self._gate.statement(running.user, result.access, both) as place:
            outgoing.attend(running, place)
            running.enter(StatementState.STREAMING)
            for batch in outgoing.sent(until(both, result.rows.start(both))):
                running.rows += batch.num_rows
                running.bytes += batch.nbytes
                self._bounds.check_result(running)
                yield batch
        running.enter(StatementState.FINISHED)

    def cancel(self, info: FlightInfo, call: Call) -> CancelStatus:
        """Stop the query of a FlightInfo, and forget its result."""
        cancelled = False
        for endpoint in info.endpoint:
            command = commands.decode_command(endpoint.ticket.ticket)
            if isinstance(command, commands.TicketStatementQuery):
                statement = self._results.get(call.user, command.statement_handle).item.statement
                self._results.remove(call.user, command.statement_handle)
                if statement is not None:
                    cancelled |= statement.cancel("the query was cancelled by its client")
        return CancelStatus.CANCELLED if cancelled else CancelStatus.NOT_CANCELLABLE

    def renew(self, endpoint: FlightEndpoint, call: Call) -> FlightEndpoint:
        """Give an endpoint its whole lifetime again."""
        command = commands.decode_command(endpoint.ticket.ticket)
        if not isinstance(command, commands.TicketStatementQuery):
            return replace(endpoint, expiration_time=None)
        self._results.get(call.user, command.statement_handle)
        return replace(endpoint, expiration_time=expires_after(float(self._settings.result_lifetime_s)))
