"""Bad input by its classes, where drivers and pyarrow would not let it through: what each gets for an answer."""

import struct
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest
from pyarrow import flight

from flightserver.protocol.actions import ClosePreparedStatement, CreatePreparedStatement, encode_action
from flightserver.protocol.commands import (
    Command,
    GetTables,
    IfExists,
    IfNotExist,
    PreparedStatementQuery,
    PreparedStatementUpdate,
    StatementIngest,
    StatementQuery,
    StatementUpdate,
    TableDefinitionOptions,
    TicketStatementQuery,
    encode_command,
)
from tests.e2e.wire import Wire
from tests.fuzz import raw
from tests.fuzz.raw import Answer, RawClient
from tests.server_process import ServerProcess

ROWS = pa.schema([("id", pa.int64()), ("s", pa.string())])
INTO_T = encode_command(StatementIngest("t"))
ENCAPSULATION_BYTES = 8
"""A marker and a length before each message of a file."""

MAKING = TableDefinitionOptions(IfNotExist.CREATE, IfExists.FAIL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with a table t of three rows, which no fact changes."""
    with ServerProcess(tmp_path_factory.mktemp("bad") / "data") as process:
        with Wire(process) as wire:
            wire.query("CREATE TABLE t (id BIGINT PRIMARY KEY, s TEXT)")
            wire.query("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
        yield process


@pytest.fixture
def client(server: ServerProcess) -> Iterator[RawClient]:
    """A raw client; after each fact the server answers and the table is as it was."""
    with RawClient(server.uri) as found, Wire(server) as wire:
        before = wire.query("SELECT * FROM t ORDER BY id")
        yield found
        assert wire.query("SELECT * FROM t ORDER BY id") == before


def batch(*ids: int, text: str = "x") -> pa.RecordBatch:
    """Rows for t."""
    return pa.record_batch([list(ids), [text] * len(ids)], schema=ROWS)


SCHEMA, FIRST, SECOND = raw.ipc_messages(ROWS, [batch(1, 9), batch(10)])

BROKEN = {
    "no message": [],
    "no descriptor": [raw.flight_data(*SCHEMA), raw.flight_data(*FIRST)],
    "a batch before its schema": raw.stream(INTO_T, [FIRST, SCHEMA]),
    "a second schema": raw.stream(INTO_T, [SCHEMA, FIRST, SCHEMA, SECOND]),
    "a header without its body": raw.stream(INTO_T, [SCHEMA, FIRST, (SECOND[0], b"")]),
    "an empty header": [*raw.stream(INTO_T, [SCHEMA, FIRST]), raw.field(2, b"") + raw.field(1000, SECOND[1])],
    "an empty message": [*raw.stream(INTO_T, [SCHEMA, FIRST]), b"", raw.flight_data(*SECOND)],
    "several empty messages": [*raw.stream(INTO_T, [SCHEMA, FIRST]), b"", b"", b"", raw.flight_data(*SECOND)],
    "the header of another body": raw.stream(INTO_T, [SCHEMA, (FIRST[0], SECOND[1][:-8])]),
    "half a header": raw.stream(INTO_T, [SCHEMA, FIRST, (SECOND[0][: len(SECOND[0]) // 2], SECOND[1])]),
    "noise for a header": raw.stream(INTO_T, [SCHEMA, FIRST, (b"\xff" * 64, SECOND[1])]),
    "noise for a schema": raw.stream(INTO_T, [(b"\x80" * 64, b"")]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_stream_is_an_error(client: RawClient, name: str) -> None:
    """Messages that are missing, out of order or halved end the stream, and what came before them is not written."""
    answer = client.call("DoPut", BROKEN[name])
    assert answer.code in {"INVALID_ARGUMENT", "UNKNOWN"}, answer
    assert_says_nothing_of_the_inside(answer)


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
@pytest.mark.parametrize("size", [-(2**63), -2, 0, 1, 2**33, 2**62])
def test_a_compressed_buffer_that_lies_about_its_size_is_an_error(client: RawClient, codec: str, size: int) -> None:
    """The length before a compressed buffer is not believed: neither a small one, nor one beyond all memory."""
    schema, (header, body) = raw.ipc_messages(ROWS, [batch(*range(10, 5_000))], compression=codec)
    answer = client.call("DoPut", raw.stream(INTO_T, [schema, (header, struct.pack("<q", size) + body[8:])]))
    assert answer.code == "INVALID_ARGUMENT", answer
    assert_says_nothing_of_the_inside(answer)


@pytest.mark.parametrize("count", [3, 200_000])
def test_a_stream_that_is_cancelled_writes_nothing(server: ServerProcess, client: RawClient, count: int) -> None:
    """A client that takes its call back leaves nothing, whether its rows were kept in memory or written to files."""
    ids = range(10, 10 + count)
    batches = [batch(*ids[start : start + 20_000]) for start in range(0, count, 20_000)]
    client.put_and_cancel(raw.stream(INTO_T, raw.ipc_messages(ROWS, batches)))
    assert server.is_idle_within(30)


def test_a_descriptor_alone_makes_no_table(server: ServerProcess, client: RawClient) -> None:
    """Without a schema there is nothing to make a table of."""
    answer = client.call("DoPut", [raw.flight_data(command=encode_command(StatementIngest("schemaless", MAKING)))])
    assert answer.code == "INVALID_ARGUMENT"
    assert "schema" in answer.text
    with Wire(server) as wire:
        assert "schemaless" not in wire.fetch(wire.info(GetTables())).column("table_name").to_pylist()


def test_a_descriptor_alone_is_a_stream_of_no_rows(client: RawClient) -> None:
    """Without a schema nothing is appended."""
    assert client.call("DoPut", [raw.flight_data(command=INTO_T)]).code == "OK"


def nested(depth: int, wrap: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """A type inside itself."""
    kind = pa.int8()
    for _ in range(depth):
        kind = wrap(kind)
    return kind


NESTED = {
    "lists": pa.list_,
    "structs": lambda kind: pa.struct([("a", kind)]),
    "maps": lambda kind: pa.map_(pa.int8(), kind),
}


@pytest.mark.parametrize("kind", NESTED)
@pytest.mark.parametrize("depth", [17, 100, 400])
def test_a_type_of_great_depth_makes_no_table(client: RawClient, kind: str, depth: int) -> None:
    """Types inside types, deeper than anybody means, are refused before anything is stored."""
    deep = pa.schema([("c", nested(depth, NESTED[kind]))])
    header = deep.serialize().to_pybytes()[ENCAPSULATION_BYTES:]
    answer = client.call("DoPut", raw.stream(encode_command(StatementIngest("deep", MAKING)), [(header, b"")]))
    assert answer.code in {"UNIMPLEMENTED", "UNKNOWN"}, answer
    assert_says_nothing_of_the_inside(answer)


@pytest.mark.parametrize("kind", NESTED)
@pytest.mark.parametrize("depth", [17, 60])
def test_a_parameter_of_great_depth_does_no_harm(server: ServerProcess, kind: str, depth: int) -> None:
    """Bound values of such types come back, or are refused."""
    bound = pa.RecordBatch.from_arrays([pa.nulls(2, nested(depth, NESTED[kind]))], ["1"])
    with Wire(server) as wire:
        command = PreparedStatementQuery(wire.prepare("SELECT ? AS c").prepared_statement_handle)
        try:
            wire.put(command, bound.schema, [bound])
            assert wire.fetch(wire.info(command)).num_rows == 2
        except (pa.ArrowException, flight.FlightError, NotImplementedError) as error:
            assert_says_nothing_of_the_inside(Answer("", str(error)))
        assert wire.query("SELECT 1 AS one").num_rows == 1


HUGE = "x" * (17 << 20)
LONG = "x" * (1 << 20)
HUGE_CALLS: dict[str, tuple[str, list[bytes]]] = {
    "SQL": ("GetFlightInfo", [raw.descriptor(encode_command(StatementQuery(f"SELECT '{HUGE}'")))]),
    "noise": ("GetFlightInfo", [raw.descriptor(b"\xff" * len(HUGE))]),
    "ticket": ("DoGet", [raw.ticket(encode_command(TicketStatementQuery(HUGE.encode())))]),
    "action body": ("DoAction", [raw.action(*encode_action(CreatePreparedStatement(HUGE)))]),
    "action type": ("DoAction", [raw.action(LONG, b"")]),
    "name of a table": ("DoPut", raw.stream(encode_command(StatementIngest(LONG, MAKING)), [SCHEMA, FIRST])),
    "name of a column": (
        "DoPut",
        raw.stream(encode_command(StatementIngest("huge", MAKING)), raw.ipc_messages(pa.schema([(LONG, pa.int8())]))),
    ),
    "idempotency key": (
        "DoPut",
        raw.stream(encode_command(StatementIngest("nope", options={"idempotency_key": LONG})), [SCHEMA, FIRST]),
    ),
    "pattern": (
        "GetFlightInfo",
        [raw.descriptor(encode_command(StatementQuery("SELECT 'a' LIKE '" + "%a" * 500_000)))],
    ),
}


@pytest.mark.parametrize("name", HUGE_CALLS)
def test_a_huge_string_is_an_error_of_few_words(client: RawClient, name: str) -> None:
    """Whatever is too long is refused, and not repeated in full."""
    answer = client.call(*HUGE_CALLS[name])
    assert answer.code in {"INVALID_ARGUMENT", "UNIMPLEMENTED", "NOT_FOUND", "RESOURCE_EXHAUSTED", "UNKNOWN"}, answer
    assert len(answer.text) < 2_000
    assert_says_nothing_of_the_inside(answer)


MISPLACED: list[tuple[str, Command, str]] = [
    ("GetFlightInfo", StatementUpdate("DELETE FROM t"), "UNIMPLEMENTED"),
    ("GetFlightInfo", StatementIngest("t"), "UNIMPLEMENTED"),
    ("GetFlightInfo", TicketStatementQuery(b"x" * 16), "UNIMPLEMENTED"),
    ("GetFlightInfo", PreparedStatementUpdate(b"x" * 16), "UNIMPLEMENTED"),
    ("GetSchema", StatementUpdate("DELETE FROM t"), "UNIMPLEMENTED"),
    ("GetSchema", StatementIngest("t"), "UNIMPLEMENTED"),
    ("DoGet", StatementUpdate("DELETE FROM t"), "UNIMPLEMENTED"),
    ("DoGet", StatementIngest("t"), "UNIMPLEMENTED"),
    ("DoPut", StatementQuery("DELETE FROM t"), "UNIMPLEMENTED"),
    ("DoPut", TicketStatementQuery(b"x" * 16), "UNIMPLEMENTED"),
    ("DoPut", GetTables(), "UNIMPLEMENTED"),
]


@pytest.mark.parametrize(("method", "command", "code"), MISPLACED, ids=lambda value: str(value)[:40])
def test_a_command_in_the_wrong_call_does_nothing(client: RawClient, method: str, command: Command, code: str) -> None:
    """A change that is asked for as a query is not made, and a query cannot be put."""
    body = encode_command(command)
    made = {"DoGet": [raw.ticket(body)], "DoPut": raw.stream(body, [SCHEMA, FIRST])}
    answer = client.call(method, made.get(method, [raw.descriptor(body)]))
    assert answer.code == code, answer


def test_an_exchange_is_refused_without_a_traceback(client: RawClient) -> None:
    """DoExchange is not served, and that is all there is to say."""
    answer = client.call("DoExchange", raw.stream(INTO_T, [SCHEMA, FIRST]))
    assert answer.code == "UNIMPLEMENTED"
    assert_says_nothing_of_the_inside(answer)


def test_a_limit_is_named_without_a_traceback(client: RawClient) -> None:
    """GetSchema of a statement beyond a limit says which, and no more."""
    text = "SELECT " + "(" * 100 + "1" + ")" * 100
    answer = client.call("GetSchema", [raw.descriptor(encode_command(StatementQuery(text)))])
    assert "64" in answer.text
    assert_says_nothing_of_the_inside(answer)


@pytest.mark.parametrize("method", [*raw.UNARY, "ListFlights", "DoGet", "DoAction"])
def test_a_request_that_is_no_message_is_an_error(client: RawClient, method: str) -> None:
    """What gRPC itself cannot read does not reach the server's code."""
    assert client.call(method, [b"\xff\xff\xff"]) == Answer("INTERNAL")


def test_an_unknown_method_is_unimplemented(client: RawClient) -> None:
    """Calls that Flight does not have are refused by gRPC."""
    assert client.call("DoNothing", [b""]).code == "UNIMPLEMENTED"


def test_a_closed_prepared_statement_is_not_found(server: ServerProcess) -> None:
    """A handle is stale once it was closed; closing it again is no fault."""
    with Wire(server) as wire:
        handle = wire.prepare("SELECT * FROM t").prepared_statement_handle
        assert wire.schema(PreparedStatementQuery(handle)).names == ["id", "s"]
        for _ in range(2):
            wire.act(ClosePreparedStatement(handle))
        with pytest.raises(KeyError, match="prepared statement"):
            wire.info(PreparedStatementQuery(handle))


def test_handles_end_with_the_server_that_gave_them(tmp_path_factory: pytest.TempPathFactory) -> None:
    """After a restart, tickets and prepared statements from before are not found."""
    with ServerProcess(tmp_path_factory.mktemp("stale") / "data") as process:
        with Wire(process) as wire:
            ticket = wire.info(StatementQuery("SELECT 1")).endpoints[0].ticket
            handle = wire.prepare("SELECT 1").prepared_statement_handle
        process.restart()
        with Wire(process) as wire:
            with pytest.raises(KeyError, match="result"):
                wire.reader(ticket).read_all()
            with pytest.raises(KeyError, match="prepared statement"):
                wire.info(PreparedStatementQuery(handle))


def assert_says_nothing_of_the_inside(answer: Answer) -> None:
    """No traceback, no file, no defect."""
    assert not any(word in answer.text for word in ("Traceback", 'File "', "defect")), answer
