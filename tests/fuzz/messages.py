"""Seeded bad messages: Flight SQL that is damaged, mistyped, forged or hostile, and streams that are broken."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from google.protobuf import any_pb2

from flightserver.protocol.actions import (
    ACTION_DESCRIPTIONS,
    Action,
    ClosePreparedStatement,
    CreatePreparedStatement,
    encode_action,
)
from flightserver.protocol.commands import (
    Command,
    GetTables,
    PlainSql,
    PreparedStatementQuery,
    PreparedStatementUpdate,
    StatementIngest,
    StatementQuery,
    StatementUpdate,
    TicketStatementQuery,
    encode_command,
)
from tests.fuzz import hostile_sql, raw
from tests.protocol.samples import ACTIONS, COMMANDS
from tests.protocol.test_damage import COMMAND_TYPES, mutated

GUARDED = pa.schema([("id", pa.int64()), ("v", pa.int64()), ("s", pa.string()), ("day", pa.date32())])
STRANGE_TYPES = (
    pa.int8(), pa.uint64(), pa.float16(), pa.large_string(), pa.binary(5), pa.decimal256(76, 3), pa.duration("ns"),
    pa.time64("ns"), pa.timestamp("ns", "Mars/Base"), pa.month_day_nano_interval(), pa.null(), pa.string_view(),
    pa.list_(pa.null()), pa.list_(pa.int8(), 3), pa.large_list(pa.struct([("a", pa.int8())])),
    pa.map_(pa.string(), pa.int8()), pa.dictionary(pa.int8(), pa.string()), pa.run_end_encoded(pa.int16(), pa.int8()),
    pa.dense_union([pa.field("a", pa.int8())]), pa.struct([]),
)  # fmt: skip


@dataclass(frozen=True)
class Message:
    """One call: the command or the action that it carries, or whole requests."""

    method: str
    body: bytes = b""
    name: str = ""
    rows: pa.RecordBatch | None = None

    def requests(self) -> Sequence[bytes]:
        """What goes out on a raw channel."""
        match self.method:
            case "GetFlightInfo" | "GetSchema" | "PollFlightInfo":
                return [raw.descriptor(self.body)]
            case "DoGet":
                return [raw.ticket(self.body)]
            case "DoAction":
                return [raw.action(self.name, self.body)]
            case "Handshake":
                return [raw.field(2, self.body)]
            case "ListFlights":
                return [raw.field(1, self.body)]
            case "DoPut" if self.rows is not None:
                return raw.stream(self.body, raw.ipc_messages(self.rows.schema, [self.rows]))
        return [raw.flight_data(command=self.body)]


class Messages:
    """An endless source of bad messages. `live` are handles that the server has given out, to be forged."""

    def __init__(self, seed: int, live: Sequence[bytes]) -> None:
        self._rng = random.Random(seed)
        self._live = tuple(live)

    def message(self) -> Message:
        """A call that a Flight library can make."""
        rng = self._rng
        match rng.randrange(20):
            case 0 | 1 | 2 | 3:
                return self._action()
            case 4 | 5 | 6:
                return Message("DoPut", self._command(), rows=self._batch())
            case 7:
                return Message("Handshake", rng.randbytes(rng.randrange(50)))
            case 8:
                return Message("ListFlights", self._command())
        return Message(rng.choice(("GetFlightInfo", "GetFlightInfo", "GetSchema", "DoGet")), self._command())

    def raw_call(self) -> tuple[str, Sequence[bytes]]:
        """A call that no Flight library would make: the method and its requests."""
        rng = self._rng
        message = self.message()
        method = "PollFlightInfo" if message.method == "GetSchema" and rng.random() < 0.3 else message.method
        match rng.randrange(6):
            case 0:
                return method, [mutated(rng, request) for request in message.requests()]
            case 1:
                return method, [rng.randbytes(rng.randrange(60))]
            case 2 | 3:
                return rng.choice(("DoPut", "DoPut", "DoExchange")), self._broken_stream()
        return method, message.requests()

    def cut_stream(self) -> Sequence[bytes]:
        """A good beginning of a stream into a table that must stay as it is."""
        batches = [self._guarded_batch(rows) for rows in (3, 1, 5)]
        sent = raw.ipc_messages(GUARDED, batches)[: self._rng.randint(1, 4)]
        return raw.stream(encode_command(StatementIngest("guarded")), sent)

    def _command(self) -> bytes:
        rng = self._rng
        match rng.randrange(10):
            case 0:
                return rng.randbytes(rng.randrange(40))
            case 1 | 2:
                return mutated(rng, encode_command(rng.choice(COMMANDS)))
            case 3:
                envelope = any_pb2.Any.FromString(encode_command(rng.choice(COMMANDS[1:])))
                envelope.type_url = f"type.googleapis.com/{rng.choice([*COMMAND_TYPES, 'a.B', ''])}"
                return envelope.SerializeToString()
            case 4:
                envelope = any_pb2.Any.FromString(encode_command(rng.choice(COMMANDS[1:])))
                envelope.value = mutated(rng, envelope.value)
                return envelope.SerializeToString()
            case 5:
                handle = rng.choice((TicketStatementQuery, PreparedStatementQuery, PreparedStatementUpdate))
                return encode_command(handle(self._handle()))
            case 6:
                return encode_command(self._metadata())
        made = rng.choice((StatementQuery, StatementQuery, StatementUpdate, PlainSql))
        return encode_command(made(hostile_sql.statement(rng)))

    def _metadata(self) -> Command:
        rng = self._rng
        pattern = "".join(rng.choice("%_\\a\0") for _ in range(rng.randrange(30)))
        return rng.choice((GetTables("main", pattern, pattern, (pattern,), True), StatementIngest(pattern)))

    def _handle(self) -> bytes:
        rng = self._rng
        live = rng.choice(self._live)
        return rng.choice((rng.randbytes(16), live, live[:-1], live + b"\0", mutated(rng, live), b""))

    def _action(self) -> Message:
        rng = self._rng
        name = rng.choice([*ACTION_DESCRIPTIONS, "Nope", "", "\u00e9" * 50])
        match rng.randrange(5):
            case 0:
                return Message("DoAction", rng.randbytes(rng.randrange(40)), name)
            case 1:
                return _as_message(CreatePreparedStatement(hostile_sql.statement(rng)))
            case 2:
                return _as_message(ClosePreparedStatement(rng.randbytes(16)))
            case 3:
                own, body = encode_action(rng.choice(ACTIONS))
                return Message("DoAction", mutated(rng, body), rng.choice((own, name)))
        return _as_message(rng.choice(ACTIONS))

    def _batch(self) -> pa.RecordBatch | None:
        """Rows that fit no table; none at all is no stream."""
        rng = self._rng
        if rng.random() < 0.1:
            return None
        count = rng.randrange(4)
        kinds = [rng.choice(STRANGE_TYPES) for _ in range(rng.randrange(4))]
        arrays = [pa.nulls(count, kind) for kind in kinds]
        names = [rng.choice(("id", "v", "s", "_deleted", "", "\0", "a" * 1000, "1")) for _ in kinds]
        return pa.RecordBatch.from_arrays(arrays, names)

    def _guarded_batch(self, count: int) -> pa.RecordBatch:
        ids = [self._rng.randrange(200) for _ in range(count)]
        return pa.record_batch([ids, ids, [str(number) for number in ids], list(ids)], schema=GUARDED)

    def _broken_stream(self) -> list[bytes]:
        """A stream into a table that must stay as it is: damaged anywhere, and with a NULL key in its last batch."""
        rng = self._rng
        fault = pa.record_batch([[None], [0], ["x"], [0]], schema=GUARDED)
        compression = rng.choice((None, "lz4", "zstd"))
        schema, good, bad = raw.ipc_messages(GUARDED, [self._guarded_batch(4), fault], compression=compression)
        messages = [schema, good, bad]
        match rng.randrange(7):
            case 0:
                messages = [good, schema, bad]
            case 1:
                messages = [schema, (mutated(rng, good[0]), good[1]), bad]
            case 2:
                messages = [schema, (good[0], mutated(rng, good[1])), bad]
            case 3:
                messages = [(mutated(rng, schema[0]), schema[1]), good, bad]
            case 4:
                messages = [schema, (good[0], b""), (b"", good[1]), bad]
            case 5:
                messages = [schema, schema, good, bad]
            case _:
                messages = [schema, (bad[0], good[1]), (good[0], bad[1]), bad]
        return raw.stream(encode_command(StatementIngest("guarded")), messages)


def _as_message(action: Action) -> Message:
    name, body = encode_action(action)
    return Message("DoAction", body, name)
