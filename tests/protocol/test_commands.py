"""Commands survive the wire, "not given" stays apart from "empty", and what is no command is refused in one line."""

from dataclasses import fields
from typing import get_args

import pytest
from google.protobuf import any_pb2
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import DatabaseError, ErrorKind
from flightserver.protocol import codec, commands, wire
from flightserver.protocol.commands import PlainSql, StatementQuery, decode_command, encode_command, encode_ticket
from flightserver.protocol.generated import flight_sql_pb2 as pb
from tests.protocol.samples import COMMANDS, INGEST

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MAYBE_TEXT = st.none() | TEXT
MAYBE_BYTES = st.none() | st.binary(max_size=20)
INT32 = st.integers(-(2**31), 2**31 - 1)


def any_of(message) -> bytes:
    """Wrap a message with protobuf's own Any, independently of the code under test."""
    envelope = any_pb2.Any()
    envelope.Pack(message)
    return envelope.SerializeToString()


def refusal(data: bytes) -> DatabaseError:
    """Return the error that decoding `data` ends in."""
    with pytest.raises(DatabaseError) as caught:
        decode_command(data)
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_every_command_survives_the_wire(command):
    """What is encoded is decoded as an equal value."""
    assert decode_command(encode_command(command)) == command


def test_samples_cover_every_command():
    """No type of the union is left out of these tests."""
    assert {type(command) for command in COMMANDS} == set(get_args(commands.Command))


@pytest.mark.parametrize("command", COMMANDS[1:], ids=lambda command: type(command).__name__)
def test_other_programs_read_the_same_fields(command):
    """The generated classes find each scalar field of an encoded command under its protocol name."""
    envelope = any_pb2.Any.FromString(encode_command(command))
    message = getattr(pb, envelope.TypeName().rpartition(".")[2])()
    assert envelope.Unpack(message)
    scalars = [f.name for f in fields(command) if isinstance(getattr(command, f.name), str | int | bytes)]
    assert {name: getattr(message, name) for name in scalars} == {name: getattr(command, name) for name in scalars}


@given(TEXT, MAYBE_BYTES)
def test_any_statement_survives(query, transaction_id):
    """Text and transaction ids of any content are kept."""
    for form in (StatementQuery, commands.StatementUpdate):
        command = form(query, transaction_id)
        assert decode_command(encode_command(command)) == command


@given(MAYBE_TEXT, MAYBE_TEXT, MAYBE_TEXT, st.lists(TEXT, max_size=3).map(tuple), st.booleans())
def test_any_table_filter_survives(catalog, schema, table, types, include_schema):
    """Filters of any content are kept."""
    command = commands.GetTables(catalog, schema, table, types, include_schema)
    assert decode_command(encode_command(command)) == command


@given(TEXT, MAYBE_TEXT, MAYBE_TEXT, st.booleans(), MAYBE_BYTES, st.dictionaries(TEXT, TEXT, max_size=3))
def test_any_ingest_survives(table, schema, catalog, temporary, transaction_id, options):
    """Targets and options of any content are kept."""
    command = commands.StatementIngest(table, None, schema, catalog, temporary, transaction_id, options)
    assert decode_command(encode_command(command)) == command


@given(st.none() | INT32, st.lists(st.integers(0, 2**32 - 1), max_size=5).map(tuple))
def test_any_number_survives(data_type, info):
    """Numbers of the whole range are kept."""
    assert decode_command(encode_command(commands.GetXdbcTypeInfo(data_type))).data_type == data_type
    assert decode_command(encode_command(commands.GetSqlInfo(info))).info == info


def test_absent_differs_from_empty():
    """A filter that was not given is None, an empty one is the empty text."""
    assert decode_command(any_of(pb.CommandGetTables())).catalog is None
    assert decode_command(any_of(pb.CommandGetTables(catalog=""))).catalog == ""


def test_absent_transaction_differs_from_empty():
    """A transaction id that was not given is None, an empty one is empty bytes."""
    assert decode_command(any_of(pb.CommandStatementQuery(query="x"))).transaction_id is None
    assert decode_command(any_of(pb.CommandStatementQuery(query="x", transaction_id=b""))).transaction_id == b""


def test_ingest_without_table_definition():
    """An ingest that says nothing about its table's definition carries None."""
    assert decode_command(any_of(pb.CommandStatementIngest(table="t"))).table_definition_options is None


def test_ingest_options_are_read_only():
    """A decoded command cannot be changed, its options neither."""
    with pytest.raises(TypeError):
        decode_command(encode_command(INGEST)).options["mode"] = "append"


def test_ingest_must_say_what_it_does():
    """The protocol forbids UNSPECIFIED as an answer to an existing or missing table."""
    message = pb.CommandStatementIngest(table="t", table_definition_options={"if_exists": 2})
    error = refusal(any_of(message))
    assert error.kind is ErrorKind.INVALID
    assert "if_not_exist" in error.message
    assert "CREATE" in error.message


def test_unknown_enum_number_is_refused():
    """A number that the enum does not have is not passed on."""
    options = {"if_not_exist": 1, "if_exists": 77}
    assert "77" in refusal(any_of(pb.CommandStatementIngest(table_definition_options=options))).message


def test_substrait_needs_its_plan():
    """A plan command without a plan is damaged."""
    assert "plan" in refusal(any_of(pb.CommandStatementSubstraitPlan())).message


def test_unknown_fields_are_ignored():
    """A newer client may send fields that this server does not know."""
    body = pb.CommandStatementQuery(query="SELECT 1").SerializeToString() + bytes.fromhex("aa060178")
    url = "type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
    assert decode_command(any_pb2.Any(type_url=url, value=body).SerializeToString()) == StatementQuery("SELECT 1")


def test_prefix_of_the_type_url_is_free():
    """Only what follows the last slash of the URL names the type."""
    data = any_pb2.Any(type_url="/arrow.flight.protocol.sql.CommandGetCatalogs").SerializeToString()
    assert decode_command(data) == commands.GetCatalogs()


@pytest.mark.parametrize(
    "type_name", ["google.protobuf.Any", "arrow.flight.protocol.sql.CommandNovel", "google.protobuf.Timestamp"]
)
def test_unknown_type_is_unsupported(type_name):
    """A well-formed message of an unknown type is refused by name."""
    error = refusal(any_pb2.Any(type_url=f"type.googleapis.com/{type_name}").SerializeToString())
    assert error.kind is ErrorKind.UNSUPPORTED
    assert type_name in error.message


def test_action_is_no_command():
    """The body of an action in a descriptor is refused by name."""
    error = refusal(any_of(pb.ActionBeginTransactionRequest()))
    assert error.kind is ErrorKind.UNSUPPORTED
    assert "ActionBeginTransactionRequest" in error.message


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "select * from t where a = 'é'",
        "\n\tSELECT 1;",
        "-- why\nSELECT 1",
        "/* why */ SELECT 1",
        "((SELECT 1))",
        "WITH a AS (SELECT 1) TABLE a",
        "VALUES(1)",
        "COMMIT",
        "SELECT'a'",
        "SELECT*FROM t",
        "\nSELECT a, b, c FROM some_schema.some_table WHERE a/b > 1 AND c = 'type.googleapis.com/a.b' ORDER BY a",
    ],
)
def test_sql_text_is_plain_sql(text):
    """Text that starts like a statement needs no envelope."""
    assert decode_command(text.encode()) == PlainSql(text)


@pytest.mark.parametrize(
    "data", [b"", b" ", b"\x00", b"\xff\xfeSELECT 1", b"SELECT \x00", b"123", b"{}", b"'a'", b"/* no end", b"a.b"]
)
def test_what_is_neither_is_invalid(data):
    """Bytes that are neither a message nor SQL text are refused without a guess."""
    assert refusal(data).kind is ErrorKind.INVALID


@pytest.mark.parametrize("command", COMMANDS[1:], ids=lambda command: type(command).__name__)
def test_cut_envelope_is_not_taken_for_sql(command):
    """A message that lost its end is damaged, not a statement."""
    data = encode_command(command)
    assert refusal(data[:50]).kind is ErrorKind.INVALID


def test_damaged_body_names_its_message():
    """The error says which message could not be read."""
    url = "type.googleapis.com/arrow.flight.protocol.sql.CommandGetTables"
    error = refusal(any_pb2.Any(type_url=url, value=b"\x0a\xff").SerializeToString())
    assert error.kind is ErrorKind.INVALID
    assert "CommandGetTables" in error.message


def test_text_must_be_utf8():
    """A query that is not UTF-8 is damaged."""
    url = "type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
    error = refusal(any_pb2.Any(type_url=url, value=b"\x0a\x01\xff").SerializeToString())
    assert error.kind is ErrorKind.INVALID


def test_huge_command_is_refused_unread():
    """Nothing above the size limit is parsed."""
    error = refusal(b"SELECT " + b" " * wire.MESSAGE_SIZE_MAX)
    assert error.kind is ErrorKind.INVALID
    assert str(wire.MESSAGE_SIZE_MAX) in error.message


def test_large_statement_is_read():
    """SQL text may use nearly the whole limit."""
    query = "SELECT '" + "x" * (wire.MESSAGE_SIZE_MAX - 1000) + "'"
    assert decode_command(encode_command(StatementQuery(query))) == StatementQuery(query)


def test_large_list_message_is_refused_unread():
    """Messages with lists have a smaller limit, because a list grows when it is decoded."""
    error = refusal(any_of(pb.CommandGetSqlInfo(info=[1] * (wire.LIST_MESSAGE_SIZE_MAX + 1))))
    assert str(wire.LIST_MESSAGE_SIZE_MAX) in error.message


def test_long_list_is_refused():
    """A list has a longest length."""
    error = refusal(any_of(pb.CommandGetTables(table_types=[""] * (codec.LIST_LENGTH_MAX + 1))))
    assert "table_types" in error.message


def test_ticket_carries_the_handle():
    """A ticket is the command that fetches its statement."""
    assert decode_command(encode_ticket(b"\x00handle")) == commands.TicketStatementQuery(b"\x00handle")


@pytest.mark.parametrize(
    "command",
    [
        StatementQuery("\ud800"),
        PlainSql("\ud800"),
        commands.GetXdbcTypeInfo(2**31),
        commands.GetSqlInfo((-1,)),
        commands.GetTables(table_types=(1,)),
        commands.StatementIngest("t", options={"a": 1}),
    ],
)
def test_impossible_values_are_refused(command):
    """A value that its field cannot hold is an error of this project's own class."""
    with pytest.raises(DatabaseError):
        encode_command(command)


def test_dataclass_must_match_its_message():
    """A forgotten field is noticed when the codec is built."""
    with pytest.raises(TypeError, match="different fields"):
        codec.Record(commands.GetCatalogs, pb.CommandGetTables)


GOLDEN = (
    (  # what a driver asks when it connects: 0a 3f <url>, 12 03 <packed list with the one id 8>
        commands.GetSqlInfo((8,)),
        "0a3f747970652e676f6f676c65617069732e636f6d2f6172726f772e666c696768742e70726f746f636f6c2e73716c2e"
        "436f6d6d616e6447657453716c496e666f" + "1203" + "0a0108",
    ),
    (  # 12 0a <query of eight bytes>
        StatementQuery("SELECT 1"),
        "0a43747970652e676f6f676c65617069732e636f6d2f6172726f772e666c696768742e70726f746f636f6c2e73716c2e"
        "436f6d6d616e6453746174656d656e745175657279" + "120a" + "0a0853454c4543542031",
    ),
    (  # adbc_ingest in mode "create": options {CREATE, FAIL}, then the table's name
        commands.StatementIngest(
            "t", commands.TableDefinitionOptions(commands.IfNotExist.CREATE, commands.IfExists.FAIL)
        ),
        "0a44747970652e676f6f676c65617069732e636f6d2f6172726f772e666c696768742e70726f746f636f6c2e73716c2e"
        "436f6d6d616e6453746174656d656e74496e67657374" + "1209" + "0a0408011001" + "120174",
    ),
    (  # get_table_schema: pattern in field 3, include_schema in field 5
        commands.GetTables(table_name_filter_pattern="t", include_schema=True),
        "0a3e747970652e676f6f676c65617069732e636f6d2f6172726f772e666c696768742e70726f746f636f6c2e73716c2e"
        "436f6d6d616e644765745461626c6573" + "1205" + "1a0174" + "2801",
    ),
)


@pytest.mark.parametrize(("command", "expected"), GOLDEN, ids=["sql_info", "query", "ingest", "tables"])
def test_golden_bytes(command, expected):
    """The bytes are those that drivers send, computed by hand from the wire format."""
    assert encode_command(command).hex() == expected
    assert decode_command(bytes.fromhex(expected)) == command
