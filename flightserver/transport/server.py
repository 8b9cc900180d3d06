"""The Flight methods: decode, dispatch, encode. No meaning lives here."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from itertools import chain

import pyarrow as pa
from pyarrow import flight

from catalog.errors import DatabaseError, ErrorKind
from flightserver.activity.gate import Gate
from flightserver.protocol.actions import ACTION_DESCRIPTIONS, decode_action
from flightserver.protocol.commands import (
    Command,
    append_to,
    decode_command,
    encode_command,
    rows_of,
    table_of_path,
)
from flightserver.protocol.flight import encode_flight_info
from flightserver.service.call import Call
from flightserver.service.outcomes import Pending
from flightserver.service.service import Service
from flightserver.service.table_load import Stream
from flightserver.sessions.directory import Sessions
from flightserver.sessions.session import Session
from flightserver.transport.auth import (
    SESSION_COOKIE,
    Arrival,
    AuthMiddlewareFactory,
    HandshakeMessages,
)
from flightserver.transport.connections import hang_up
from flightserver.transport.status import flight_errors, send_lines_alone
from flightserver.transport.tls import Tls
from providers.stopping import POLL_SECONDS

SMALL_BYTES = 64 << 10
"""A result up to this size is handed to the library as a whole. Without reading, a client can keep no more of it."""
_IPC_OPTIONS = pa.ipc.IpcWriteOptions()
"""Made once: without it the library looks into the environment for each stream."""
EMPTY_MESSAGES_MAX = 8
"""So many empty messages in a row are told from the end of a stream."""
IDEMPOTENCY_HEADER = "x-idempotency-key"


def choose_poller() -> None:
    """Let gRPC read calls on the threads that carry them out. Process-wide; to be called before the first server.

    Its newer way, which is the default, hands each message from thread to thread: a short query takes 6 % longer.
    """
    os.environ["GRPC_EXPERIMENTS"] = "-event_engine_listener"


class FlightSqlServer(flight.FlightServerBase):
    """Serves one database."""

    def __init__(
        self,
        location: str,
        service: Service,
        authentication: AuthMiddlewareFactory,
        sessions: Sessions,
        gate: Gate,
        tls: Tls | None = None,
    ) -> None:
        send_lines_alone()
        super().__init__(
            location,
            auth_handler=HandshakeMessages(authentication),
            tls_certificates=None if tls is None else [(tls.certificate, tls.key)],
            verify_client=tls is not None and tls.client_ca is not None,
            root_certificates=None if tls is None else tls.client_ca,
            middleware={"auth": authentication},
        )
        self._authentication = authentication
        self._service = service
        self._sessions = sessions
        self._gate = gate

    def get_flight_info(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        """Plan a query, or carry out a change; return the ticket of the result."""
        with self._call(context) as call:
            return _flight_info(descriptor, self._service.describe(_reading(descriptor), call))

    def get_schema(self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor) -> flight.SchemaResult:
        """The schema of a command's result. The library writes behind every failure of this method, so code it is."""
        with self._call(context, by_code=True) as call:
            return flight.SchemaResult(self._service.schema(_reading(descriptor), call))

    def do_get(self, context: flight.ServerCallContext, ticket: flight.Ticket) -> flight.FlightDataStream:
        """Stream a result. A small one is sent without another step in Python, which would cost more than its rows."""
        with self._call(context) as call:
            rows = self._service.fetch(decode_command(ticket.ticket), call)
            batches = rows.start(call.stop)
            if rows.is_ready:
                return flight.RecordBatchStream(pa.Table.from_batches(batches, rows.schema), _IPC_OPTIONS)
            if rows.is_short:
                begun, ended = _beginning(batches)
                if ended:
                    return flight.RecordBatchStream(pa.Table.from_batches(begun, rows.schema), _IPC_OPTIONS)
                batches = chain(begun, batches)
            return flight.GeneratorStream(rows.schema, self._stream(batches, context, call), _IPC_OPTIONS)

    def do_put(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """Take a stream, or a change without one, whose answer no client's half-close is waited for."""
        with self._call(context) as call:
            opened = cache(lambda: _schema(reader))
            stream = Stream(opened, _batches(reader, context, opened), call.user, call.idempotency_key)
            answer = self._service.put(_writing(descriptor), call, stream)
            writer.write(pa.py_buffer(answer))

    def do_exchange(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,  # noqa: ARG002
        reader: flight.MetadataRecordBatchReader,  # noqa: ARG002
        writer: flight.FlightMetadataWriter,  # noqa: ARG002
    ) -> None:
        """Nothing of Flight SQL is exchanged both ways."""
        with self._call(context):
            raise DatabaseError(ErrorKind.UNSUPPORTED, "DoExchange is not served; use DoPut and DoGet")

    def do_action(self, context: flight.ServerCallContext, action: flight.Action) -> Iterator[flight.Result]:
        """Carry out an action."""
        with self._call(context) as call:
            decoded = decode_action(action.type, action.body.to_pybytes() if action.body else b"")
            body = self._service.act(decoded, call)
            return iter([] if body is None else [flight.Result(pa.py_buffer(body))])

    def list_actions(self, context: flight.ServerCallContext) -> list[flight.ActionType]:  # noqa: ARG002
        """All actions."""
        return [flight.ActionType(name, description) for name, description in ACTION_DESCRIPTIONS.items()]

    def list_flights(self, context: flight.ServerCallContext, criteria: bytes) -> Iterator[flight.FlightInfo]:
        """Every table that the user may read; `criteria` is a part of the names that are wanted."""
        with self._call(context) as call:
            wanted = criteria.decode(errors="replace")
            return iter(
                [
                    _flight_info(flight.FlightDescriptor.for_path(*path), pending)
                    for path, pending in self._service.list_flights(call)
                    if wanted in ".".join(path)
                ]
            )

    @contextmanager
    def _call(self, context: flight.ServerCallContext, *, by_code: bool = False) -> Iterator[Call]:
        """Find the call's session, which is in use until the call ends, and translate failures."""
        arrival = self._authentication.arrival()
        agent = arrival.header("user-agent") or ""
        with flight_errors(agent, context.add_trailer, by_code=by_code):
            session = self._session(arrival, context)
            session.enter()
            try:
                stopped = _Stopped(context, self._gate)
                peer = context.peer()
                key = arrival.header(IDEMPOTENCY_HEADER)
                yield Call(session, peer, stopped, agent, key, partial(hang_up, self.port, peer))
            finally:
                session.leave()

    def _session(self, arrival: Arrival, context: flight.ServerCallContext) -> Session:
        """The session that a token names, or else the cookie or the connection; a new one sends its cookie."""
        if isinstance(arrival.caller, Session):
            return arrival.caller
        session, cookie = self._sessions.of_connection(arrival.caller, arrival.cookie(), context.peer())
        if cookie is not None:
            context.add_header("set-cookie", f"{SESSION_COOKIE}={cookie}; HttpOnly")
        return session

    def _stream(
        self, batches: Iterator[pa.RecordBatch], context: flight.ServerCallContext, call: Call
    ) -> Iterator[pa.RecordBatch]:
        """A result's batches, for a call that lasts until they end or the client goes away."""
        with flight_errors(call.user_agent, context.add_trailer):
            call.session.enter()
            try:
                yield from batches
            finally:
                call.session.leave()


class _Stopped:
    """Why a call must stop, when it must. The library is asked now and then only: its answer takes 0.1 ms."""

    def __init__(self, context: flight.ServerCallContext, gate: Gate) -> None:
        self._context = context
        self._gate = gate
        self._next_ask = time.monotonic() + POLL_SECONDS

    def __call__(self) -> DatabaseError | None:
        if self._gate.is_abandoned:
            return DatabaseError(ErrorKind.UNAVAILABLE, "the server is stopping; connect again later")
        now = time.monotonic()
        if now < self._next_ask:
            return None
        if self._context.is_cancelled():
            return DatabaseError(ErrorKind.CANCELLED, "the client went away")
        self._next_ask = now + POLL_SECONDS
        return None


def _flight_info(descriptor: flight.FlightDescriptor, pending: Pending) -> flight.FlightInfo:
    """The answer that names where a result is, and until when. The library needs twice as long to make one itself."""
    schema, ticket = pending.schema.serialize(), encode_command(pending.ticket)
    encoded = encode_flight_info(schema.to_pybytes(), descriptor.serialize(), ticket, pending.lifetime_seconds)
    return flight.FlightInfo.deserialize(encoded)


def _reading(descriptor: flight.FlightDescriptor) -> Command:
    """What a descriptor asks for; a path asks for a table's rows."""
    if descriptor.descriptor_type == flight.DescriptorType.PATH:
        return rows_of(table_of_path(descriptor.path))
    return decode_command(descriptor.command)


def _writing(descriptor: flight.FlightDescriptor) -> Command:
    """What a stream is for; a path says into which table it goes."""
    if descriptor.descriptor_type == flight.DescriptorType.PATH:
        return append_to(table_of_path(descriptor.path))
    return decode_command(descriptor.command)


def _beginning(batches: Iterator[pa.RecordBatch]) -> tuple[list[pa.RecordBatch], bool]:
    """A result's first batches, up to `SMALL_BYTES`, and whether they are all of it."""
    begun, size = [], 0
    for batch in batches:
        begun.append(batch)
        size += batch.nbytes
        if size > SMALL_BYTES:
            return begun, False
    return begun, True


def _schema(reader: flight.MetadataRecordBatchReader) -> pa.Schema | None:
    """The stream's schema; a client that sends a descriptor alone has none."""
    try:
        schema = reader.schema
        _check_names(schema)
    except UnicodeDecodeError as error:
        raise DatabaseError(ErrorKind.INVALID, "the stream has a name of a column that is not UTF-8") from error
    except OSError:
        return None
    return schema


def _check_names(fields: Iterable[pa.Field]) -> None:
    """Look at every name, also of fields inside of others: the library reads them when it is asked."""
    for field in fields:
        _ = field.name
        inner = field.type
        _check_names(inner.field(number) for number in range(inner.num_fields))


def _batches(
    reader: flight.MetadataRecordBatchReader,
    context: flight.ServerCallContext,
    opened: Callable[[], pa.Schema | None],
) -> Iterator[pa.RecordBatch]:
    """The stream's batches, each checked from end to end: a forged batch could crash or read this process.

    A client that goes away looks like the end of its stream, so the end counts only while the call is alive. So does a
    message without any part; what follows it can still be read. A stream that `opened` without a schema has no batch.
    """
    if opened() is None:
        return
    while True:
        try:
            batch = reader.read_chunk().data
        except StopIteration:
            if context.is_cancelled():
                raise DatabaseError(ErrorKind.CANCELLED, "the stream was cut off; nothing of it was written") from None
            if _goes_on(reader):
                raise DatabaseError(ErrorKind.INVALID, "the stream has an empty message before its end") from None
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


def _goes_on(reader: flight.MetadataRecordBatchReader) -> bool:
    """Tell whether something follows what looked like a stream's end."""
    for _ in range(EMPTY_MESSAGES_MAX):
        try:
            reader.read_chunk()
        except StopIteration:
            continue
        except (OSError, pa.ArrowException):
            return True
        return True
    return False


def _line(error: Exception) -> str:
    return str(error).splitlines()[0]
