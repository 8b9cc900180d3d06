"""The bytes of a manifest: what goes in comes out, and no damage passes for a manifest."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from manifest_samples import EMPTY, MADE_AT, entry_of, manifests, no_files, refused

from catalog.errors import DatabaseError, ErrorKind
from manifest import codec
from manifest.batch_entry import BloomEntry, ColumnRange, DeletionEntry
from manifest.codec import FORMAT_VERSION, encode
from manifest.entries import BulkCommit, ManifestFile
from manifest.files import checksum

SMALL = EMPTY.with_changes(
    updated_at=MADE_AT,
    added=[
        entry_of(
            3,
            columns={1: ColumnRange("-5", "7", 0), 2: ColumnRange(False, True, 1)},
            bloom=BloomEntry("batch-3.bloom", (0, 2), 0.01, 128, "crc32:01234567"),
            dead=2,
            dv=DeletionEntry("batch-3.1.dv", "crc32:89abcdef"),
        )
    ],
    flushed_seq=2**62,
    last_bulk_commit=BulkCommit(10, 9, 2, "key", "hash", "{}"),
)


def decode(data: bytes) -> ManifestFile:
    """Read a manifest that says everything itself."""
    return codec.decode(data, no_files)


def sealed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """A manifest with a changed member and the checksum that it needs to pass for whole."""
    raw = json.loads(encode(SMALL))
    del raw["checksum"]
    change(raw)
    body = json.dumps(raw, sort_keys=True, separators=(",", ":")).encode()
    return json.dumps({**raw, "checksum": checksum(body)}).encode()


@given(manifests())
def test_what_is_written_is_read(manifest: ManifestFile) -> None:
    """Any manifest comes back equal."""
    assert decode(encode(manifest)) == manifest


@given(manifests())
def test_equal_manifests_have_equal_bytes(manifest: ManifestFile) -> None:
    """There is one encoding: a manifest that was read is written as it was."""
    assert encode(decode(encode(manifest))) == encode(manifest)


def test_every_flipped_bit_is_found() -> None:
    """Plain JSON hides half of all flips; the checksum finds each."""
    whole = encode(SMALL)
    for bit in range(len(whole) * 8):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DatabaseError):
            decode(bytes(damaged))


def test_a_flip_inside_an_escape_changes_nothing() -> None:
    """Where JSON has two ways to write one letter, a flip may pass, but the value is the same."""
    manifest = replace(EMPTY, table="é")
    flipped = encode(manifest).replace(b"\\u00e9", b"\\u00E9")
    assert flipped != encode(manifest)
    assert decode(flipped) == manifest


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_a_cut_manifest_is_corrupt(length: int) -> None:
    """A manifest that ends early is refused."""
    refused(ErrorKind.CORRUPT, lambda: decode(encode(SMALL)[:length]))


@pytest.mark.parametrize("data", [b"", b"7", b"[]", b"{}", b"null", b'{"checksum":1}', b"\xff\xfe\0"])
def test_other_bytes_are_no_manifest(data: bytes) -> None:
    """Whatever is not a manifest is CORRUPT."""
    refused(ErrorKind.CORRUPT, lambda: decode(data))


def test_a_newer_format_is_refused() -> None:
    """A manifest of a newer server is not half read, and the message names its format."""
    newer = sealed(lambda raw: raw.update(format=FORMAT_VERSION + 1))
    assert str(FORMAT_VERSION + 1) in refused(ErrorKind.UNSUPPORTED, lambda: decode(newer))


@pytest.mark.parametrize("member", ["rows", "dead", "bytes"])
def test_totals_are_checked(member: str) -> None:
    """A manifest that lost an entry disagrees with its totals."""
    wrong = sealed(lambda raw: raw["totals"].update({member: "1"}))
    assert "totals" in refused(ErrorKind.CORRUPT, lambda: decode(wrong))


@pytest.mark.parametrize("member", sorted(set(json.loads(encode(SMALL))) - {"checksum"}))
def test_no_member_is_optional(member: str) -> None:
    """A manifest without one of its members is refused although its checksum is right."""
    refused(ErrorKind.CORRUPT, lambda: decode(sealed(lambda raw: raw.pop(member))))


def test_64_bit_integers_are_text() -> None:
    """Readers that hold numbers as doubles lose nothing."""
    assert json.loads(encode(SMALL))["flushed_seq"] == str(2**62)


def test_invariants_hold_for_what_is_read() -> None:
    """A well-formed manifest that breaks an invariant is refused."""
    wrong = sealed(lambda raw: raw.update(max_batch="2"))
    assert "max_batch" in refused(ErrorKind.CORRUPT, lambda: decode(wrong))
