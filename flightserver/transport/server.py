"""The Flight methods: decode, dispatch, encode. No meaning lives here."""

from collections.abc import Callable, Iterator

import pyarrow as pa
from pyarrow import flight

from catalog.errors import DatabaseError, ErrorKind
from flightserver.execution.rows import Rows
from flightserver.protocol.actions import ACTION_DESCRIPTIONS, decode_action
from flightserver.protocol.commands import Command, decode_command, encode_command
from flightserver.session import Session
from flightserver.transport.auth import MIDDLEWARE, AuthMiddlewareFactory, CallMiddleware, NoHandshakePayload
from flightserver.transport.gate import Gate
from flightserver.transport.service import Service, Stream
from flightserver.transport.status import DETAILS_TRAILER, flight_errors, hide_tracebacks

CPP_CLIENT = "grpc-c++"
IDEMPOTENCY_HEADER = "x-idempotency-key"


class FlightSqlServer(flight.FlightServerBase):
    """Serves one database."""

    def __init__(self, location: str, service: Service, authentication: AuthMiddlewareFactory, gate: Gate) -> None:
        hide_tracebacks()
        super().__init__(location, auth_handler=NoHandshakePayload(), middleware={MIDDLEWARE: authentication})
        self._service = service
        self._gate = gate

    def get_flight_info(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        """Plan a query, or carry out a change; return the ticket of the result."""
        with flight_errors(_details_sender(context)), self._gate.statement():
            schema, ticket = self._service.describe(_command(descriptor), _session(context))
            endpoint = flight.FlightEndpoint(encode_command(ticket), [])
            return flight.FlightInfo(schema, descriptor, [endpoint], -1, -1)

    def get_schema(self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor) -> flight.SchemaResult:
        """The schema of a command's result."""
        with flight_errors(_details_sender(context)), self._gate.statement():
            return flight.SchemaResult(self._service.schema(_command(descriptor), _session(context)))

    def do_get(self, context: flight.ServerCallContext, ticket: flight.Ticket) -> flight.GeneratorStream:
        """Stream a result."""
        with flight_errors(_details_sender(context)), self._gate.statement():
            rows = self._service.fetch(decode_command(ticket.ticket), _session(context))
            return flight.GeneratorStream(rows.schema, self._stream(rows, context))

    def do_put(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """Take a stream, or a change without one."""
        with flight_errors(_details_sender(context)), self._gate.statement():
            idempotency_key = context.get_middleware(MIDDLEWARE).header(IDEMPOTENCY_HEADER)
            schema = _schema(reader)
            stream = Stream(schema, _batches(reader, context, expected=schema is not None), idempotency_key)
            answer = self._service.put(_command(descriptor), _session(context), stream)
            writer.write(pa.py_buffer(answer))

    def do_action(self, context: flight.ServerCallContext, action: flight.Action) -> Iterator[flight.Result]:
        """Carry out an action."""
        with flight_errors(_details_sender(context)), self._gate.statement():
            decoded = decode_action(action.type, action.body.to_pybytes() if action.body else b"")
            body = self._service.act(decoded, _session(context))
            return iter([] if body is None else [flight.Result(pa.py_buffer(body))])

    def list_actions(self, context: flight.ServerCallContext) -> list[flight.ActionType]:  # noqa: ARG002
        """All actions that can be decoded."""
        return [flight.ActionType(name, description) for name, description in ACTION_DESCRIPTIONS.items()]

    def list_flights(self, context: flight.ServerCallContext, criteria: bytes) -> Iterator[flight.FlightInfo]:  # noqa: ARG002
        """Nothing is listed: tables are found through GetTables."""
        return iter(())

    def _stream(self, rows: Rows, context: flight.ServerCallContext) -> Iterator[pa.RecordBatch]:
        """A result's batches, until they end or the client goes away."""
        with flight_errors(_details_sender(context)), self._gate.statement():
            yield from rows.start(lambda: self._gate.is_abandoned or context.is_cancelled())


def _details_sender(context: flight.ServerCallContext) -> Callable[[bytes], None]:
    """How an error's details reach this client: in a trailer, or not at all."""

    def send(details: bytes) -> None:
        middleware: CallMiddleware = context.get_middleware(MIDDLEWARE)
        if CPP_CLIENT not in (middleware.header("user-agent") or ""):
            context.add_trailer(DETAILS_TRAILER, details)

    return send


def _session(context: flight.ServerCallContext) -> Session:
    middleware: CallMiddleware = context.get_middleware(MIDDLEWARE)
    return Session(middleware.user)


def _command(descriptor: flight.FlightDescriptor) -> Command:
    if descriptor.descriptor_type != flight.DescriptorType.CMD:
        raise DatabaseError(ErrorKind.UNSUPPORTED, "descriptors must carry a command, not a path")
    return decode_command(descriptor.command)


def _schema(reader: flight.MetadataRecordBatchReader) -> pa.Schema | None:
    """The stream's schema; a client that sends a descriptor alone has none."""
    try:
        return reader.schema
    except OSError:
        return None


def _batches(
    reader: flight.MetadataRecordBatchReader, context: flight.ServerCallContext, *, expected: bool
) -> Iterator[pa.RecordBatch]:
    """The stream's batches, each checked from end to end: a forged batch could crash or read this process.

    A client that goes away looks like the end of its stream, so the end counts only while the call is alive. Without
    a schema no batch is `expected`.
    """
    while expected:
        try:
            batch = reader.read_chunk().data
        except StopIteration:
            if context.is_cancelled():
                raise DatabaseError(ErrorKind.CANCELLED, "the stream was cut off; nothing of it was written") from None
            return
        except (OSError, pa.ArrowException) as error:
            raise DatabaseError(ErrorKind.INVALID, f"the stream cannot be read: {_line(error)}") from error
        if batch is None:
            continue
        try:
            batch.validate(full=True)
        except pa.ArrowException as error:
            raise DatabaseError(ErrorKind.INVALID, f"a received batch is damaged: {_line(error)}") from error
        yield batch


def _line(error: Exception) -> str:
    return str(error).splitlines()[0]
