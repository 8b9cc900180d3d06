"""Whatever bytes arrive: a value or a `DatabaseError`, nothing else."""

import random

import pytest
from google.protobuf import any_pb2
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import DatabaseError
from flightserver.protocol.actions import ACTION_DESCRIPTIONS, decode_action, encode_action
from flightserver.protocol.commands import decode_command, encode_command
from flightserver.protocol.flight import decode_basic_auth
from flightserver.protocol.generated import flight_sql_pb2
from tests.protocol.samples import ACTIONS, COMMANDS

COMMAND_TYPES = [
    descriptor.full_name
    for descriptor in flight_sql_pb2.DESCRIPTOR.message_types_by_name.values()
    if descriptor.name.startswith(("Command", "Ticket"))
]
MUTATIONS = 8_000


def decode(name: str | None, data: bytes) -> bool:
    """Decode a command, or the action called `name`; return whether it was accepted."""
    try:
        decode_command(data) if name is None else decode_action(name, data)
    except DatabaseError as error:
        return one_line(error)
    return True


def one_line(error: DatabaseError) -> bool:
    """Check that an error speaks in one line; return False for "not accepted"."""
    assert error.message
    assert "\n" not in error.message
    return False


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Return `data` with one to four random injuries."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        to = rng.randrange(at, len(data) + 1)
        junk = rng.randbytes(rng.randint(1, 4))
        data = rng.choice(
            (data[:at], data[:at] + junk + data[at:], data[:at] + junk + data[at + len(junk) :], data[:at] + data[to:])
        )
    return data


def test_mutated_messages_never_escape():
    """Thousands of injured messages end in a value or in the one exception, and some in each."""
    rng = random.Random(20240101)
    samples = [(None, encode_command(command)) for command in COMMANDS]
    samples += [encode_action(action) for action in ACTIONS]
    accepted = sum(decode(name, mutated(rng, data)) for name, data in rng.choices(samples, k=MUTATIONS))
    assert 0 < accepted < MUTATIONS


def test_mutated_bodies_never_escape():
    """Injuries inside an intact envelope reach the inner decoders and stop there."""
    rng = random.Random(7)
    for command in rng.choices(COMMANDS[1:], k=MUTATIONS):
        envelope = any_pb2.Any.FromString(encode_command(command))
        envelope.value = mutated(rng, envelope.value)
        decode(None, envelope.SerializeToString())


@given(st.binary(max_size=200))
def test_random_commands_never_escape(data):
    """Random bytes are no way out."""
    decode(None, data)


@given(st.sampled_from(COMMAND_TYPES), st.binary(max_size=100))
def test_random_bodies_never_escape(type_name, body):
    """Random bytes inside a well-formed envelope are no way out either."""
    decode(None, any_pb2.Any(type_url=f"type.googleapis.com/{type_name}", value=body).SerializeToString())


@given(st.sampled_from(sorted(ACTION_DESCRIPTIONS)), st.binary(max_size=200))
def test_random_actions_never_escape(name, body):
    """Random bytes as the body of any action are no way out."""
    decode(name, body)


@given(st.text(max_size=50), st.binary(max_size=20))
def test_random_action_types_never_escape(name, body):
    """Any text may come as the type of an action."""
    decode(name, body)


@given(st.sampled_from(COMMAND_TYPES), st.sampled_from(COMMANDS[1:]))
def test_wrong_types_never_escape(type_name, command):
    """The body of one message under the type of another is decoded or refused."""
    envelope = any_pb2.Any.FromString(encode_command(command))
    envelope.type_url = f"type.googleapis.com/{type_name}"
    decode(None, envelope.SerializeToString())


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_every_cut_is_handled(command):
    """A command cut at any byte is handled."""
    data = encode_command(command)
    for end in range(len(data)):
        decode(None, data[:end])


def test_deep_nesting_is_refused():
    """Groups nested thousands deep exhaust nothing."""
    assert not decode(None, b"\x0b" * 100_000)
    assert not decode("SetSessionOptions", b"\x0b" * 100_000)


@given(st.binary(max_size=50))
def test_random_handshakes_never_escape(payload):
    """Random bytes as a handshake's payload end in credentials or in the one exception."""
    try:
        decode_basic_auth(payload)
    except DatabaseError as error:
        one_line(error)
