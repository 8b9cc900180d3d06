"""A plain Arrow Flight client of the tests, for what drivers do not let one do."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pyarrow as pa
from pyarrow import flight

from flightserver.protocol.actions import (
    Action,
    BeginSavepoint,
    BeginTransaction,
    CreatePreparedStatement,
    encode_action,
)
from flightserver.protocol.commands import Command, StatementQuery, StatementUpdate, encode_command
from flightserver.protocol.generated import flight_sql_pb2 as pb
from flightserver.protocol.wire import unwrap
from tests.server_process import ServerProcess


class Wire:
    """One Flight connection of one user."""

    def __init__(self, server: ServerProcess, user: str | None = None, **headers: str) -> None:
        self.client, options = server.flight(user)
        own = [(name.encode(), value.encode()) for name, value in headers.items()]
        self.options = flight.FlightCallOptions(headers=[*(options.headers or []), *own])

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def info(self, command: Command) -> flight.FlightInfo:
        """GetFlightInfo."""
        return self.client.get_flight_info(descriptor(command), self.options)

    def schema(self, command: Command) -> pa.Schema:
        """GetSchema."""
        return self.client.get_schema(descriptor(command), self.options).schema

    def reader(self, ticket: flight.Ticket) -> flight.FlightStreamReader:
        """DoGet, unread."""
        return self.client.do_get(ticket, self.options)

    def fetch(self, info: flight.FlightInfo) -> pa.Table:
        """DoGet of the only endpoint."""
        (endpoint,) = info.endpoints
        return self.reader(endpoint.ticket).read_all()

    def query(self, sql: str) -> pa.Table:
        """Run a statement on the query path."""
        return self.fetch(self.info(StatementQuery(sql)))

    def update(self, sql: str) -> int:
        """Run a statement on the update path."""
        return self.put(StatementUpdate(sql), pa.schema([]), [])

    def put(self, command: Command, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
        """DoPut of a stream; return how many rows were affected."""
        return self.put_into(descriptor(command), schema, batches)

    def put_into(self, place: flight.FlightDescriptor, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
        """DoPut with any descriptor."""
        writer, answers = self.client.do_put(place, schema, self.options)
        try:
            for batch in batches:
                writer.write_batch(batch)
            writer.done_writing()
            answer = answers.read()
        except (flight.FlightError, pa.ArrowException):
            with suppress(flight.FlightError, pa.ArrowException):
                writer.close()
            raise
        writer.close()
        return pb.DoPutUpdateResult.FromString(answer.to_pybytes()).record_count

    def act(self, action: Action) -> list[bytes]:
        """DoAction."""
        kind, body = encode_action(action)
        return [result.body.to_pybytes() for result in self.client.do_action((kind, body), self.options)]

    def prepare(self, sql: str) -> Any:
        """The answer to CreatePreparedStatement."""
        (body,) = self.act(CreatePreparedStatement(sql))
        opened = unwrap(body)
        assert opened is not None
        return pb.ActionCreatePreparedStatementResult.FromString(opened[1])


def descriptor(command: Command) -> flight.FlightDescriptor:
    """A command as a descriptor."""
    return flight.FlightDescriptor.for_command(encode_command(command))


def begin(wire: Wire) -> bytes:
    """Begin a transaction by the protocol."""
    (body,) = wire.act(BeginTransaction())
    opened = unwrap(body)
    assert opened is not None
    return pb.ActionBeginTransactionResult.FromString(opened[1]).transaction_id


def savepoint(wire: Wire, transaction: bytes, name: str) -> bytes:
    """Set a savepoint by the protocol."""
    (body,) = wire.act(BeginSavepoint(transaction, name))
    opened = unwrap(body)
    assert opened is not None
    return pb.ActionBeginSavepointResult.FromString(opened[1]).savepoint_id
