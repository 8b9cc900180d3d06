"""Definitions as the catalog stores them: what goes in comes out, and damage is no definition."""

import json
import zlib
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.codec import (
    decode_grant,
    decode_namespace,
    decode_policy,
    decode_table,
    decode_view,
    encode_grant,
    encode_namespace,
    encode_policy,
    encode_table,
    encode_view,
)
from catalog.definition import (
    ColumnSpec,
    Compression,
    Default,
    DefaultFunction,
    FlushPolicy,
    NamespaceDef,
    TableDef,
    TableKind,
    TableOptions,
    Unique,
    ViewDef,
)
from catalog.errors import ErrorKind
from catalog.evolution import create_table, drop_column
from catalog.grants import Grant, Grantee, GranteeType, ObjectId, ObjectType, Privilege
from catalog.identifiers import TableName
from catalog.policies import Policy
from tests.catalog.samples import refused, table_of
from tests.catalog.test_types import DECLARED

TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=20)
NAMES = st.builds(TableName, TEXT, TEXT)
DEFAULTS = st.none() | st.sampled_from(DefaultFunction).map(Default) | TEXT.map(lambda text: Default(literal=text))
POLICIES = st.builds(
    FlushPolicy, st.none() | st.integers(1, 2**60), st.none() | st.floats(0, 1e9, allow_nan=False, allow_infinity=False)
)
OPTIONS = st.builds(
    TableOptions,
    POLICIES,
    st.lists(st.integers(1, 9), unique=True).map(tuple),
    st.floats(0.0001, 0.5),
    st.sampled_from(Compression),
)


@st.composite
def tables(draw: st.DrawFn) -> TableDef:
    """Any table."""
    names = draw(st.lists(TEXT.filter(lambda name: not name.startswith("_")), min_size=1, max_size=5, unique=True))
    specs = [ColumnSpec(name, draw(DECLARED), draw(st.booleans()), draw(DEFAULTS)) for name in names]
    table = create_table(draw(st.integers(1, 2**62)), draw(NAMES), draw(st.sampled_from(TableKind)), specs, [])
    uniques = tuple(Unique(name, (draw(st.integers(1, 9)),)) for name in draw(st.lists(TEXT, max_size=2)))
    return replace(table, options=draw(OPTIONS), owner=draw(TEXT), uniques=uniques)


@given(tables())
def test_a_table_survives_its_bytes(table: TableDef) -> None:
    """Any table is read as it was written, dropped names included."""
    assert decode_table(encode_table(table)) == table


@given(st.builds(ViewDef, NAMES, st.text(), TEXT, st.integers(0, 2**62), TEXT))
def test_a_view_survives_its_bytes(view: ViewDef) -> None:
    """Any view is read as it was written."""
    assert decode_view(encode_view(view)) == view


@given(st.builds(NamespaceDef, TEXT, st.integers(0, 2**62), TEXT))
def test_a_namespace_survives_its_bytes(namespace: NamespaceDef) -> None:
    """Any namespace is read as it was written."""
    assert decode_namespace(encode_namespace(namespace)) == namespace


@given(
    st.builds(
        Grant,
        st.builds(ObjectId, st.sampled_from(ObjectType), st.integers(0, 2**62)),
        st.sampled_from(Privilege),
        st.builds(Grantee, st.sampled_from(GranteeType), TEXT),
        TEXT,
        st.booleans(),
    )
)
def test_a_grant_survives_its_bytes(grant: Grant) -> None:
    """Any grant is read as it was written."""
    assert decode_grant(encode_grant(grant)) == grant


@given(
    st.builds(
        Policy,
        st.integers(1, 2**62),
        TEXT,
        st.frozensets(st.sampled_from(Privilege)),
        st.lists(st.builds(Grantee, st.sampled_from(GranteeType), TEXT)).map(tuple),
        st.none() | st.text(),
        st.none() | st.text(),
    )
)
def test_a_policy_survives_its_bytes(policy: Policy) -> None:
    """Any policy is read as it was written."""
    assert decode_policy(encode_policy(policy)) == policy


def test_used_physical_names_survive() -> None:
    """A dropped column's physical name stays taken after a restart."""
    table = drop_column(table_of(), "v")
    assert "v" in decode_table(encode_table(table)).used_physical


@given(st.binary(max_size=40) | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode()))
def test_other_bytes_are_no_definition(data: bytes) -> None:
    """Whatever is not a definition is CORRUPT, as a table and as a view."""
    for decode in (decode_table, decode_view, decode_namespace, decode_grant, decode_policy):
        refused(ErrorKind.CORRUPT, lambda decode=decode: decode(data))
        refused(ErrorKind.CORRUPT, lambda decode=decode: decode(_sealed(data)))


def _members(table: TableDef) -> dict[str, Any]:
    """What stands behind the checksum."""
    return json.loads(encode_table(table)[9:])


def _sealed(written: bytes) -> bytes:
    """Bytes behind their checksum."""
    return b"%08x " % zlib.crc32(written) + written


@pytest.mark.parametrize("member", sorted(_members(table_of())))
def test_a_table_without_a_member_is_corrupt(member: str) -> None:
    """No member of a table's record is guessed."""
    raw = _members(table_of())
    del raw[member]
    refused(ErrorKind.CORRUPT, lambda: decode_table(_sealed(json.dumps(raw).encode())))


@pytest.mark.parametrize(
    ("member", "value"),
    [("kind", "OTHER"), ("columns", 7), ("columns", [{}]), ("key", None), ("options", []), ("used_physical", 1)],
)
def test_a_member_of_the_wrong_form_is_corrupt(member: str, value: object) -> None:
    """A record of another form is refused, and not half read."""
    raw = _members(table_of()) | {member: value}
    refused(ErrorKind.CORRUPT, lambda: decode_table(_sealed(json.dumps(raw).encode())))


def test_an_unknown_type_is_corrupt() -> None:
    """A type that this version does not know is not approximated."""
    raw = _members(table_of())
    raw["columns"][0]["type"] = "GEOMETRY"
    refused(ErrorKind.CORRUPT, lambda: decode_table(_sealed(json.dumps(raw).encode())))


def test_damage_raises_nothing_but_corrupt() -> None:
    """Any flipped bit is found."""
    whole = encode_table(table_of("k", "v"))
    for bit in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        refused(ErrorKind.CORRUPT, lambda flipped=flipped: decode_table(bytes(flipped)))


def test_equal_definitions_have_equal_bytes() -> None:
    """The order of a set does not show in the bytes."""
    names = [f"c{number}" for number in range(20)]
    specs = [ColumnSpec(name, pa.string()) for name in names]
    tables_made = [create_table(1, TableName("a", "b"), TableKind.USER, specs, names[:1]) for _ in range(2)]
    assert len({encode_table(table) for table in tables_made}) == 1
