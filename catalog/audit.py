"""The audit log's records, and the chain that holds them together. Pure.

Each record carries a hash of itself, its number and the hash before it (BLAKE2b, 32 bytes), so that none can be
altered, left out or moved without the next one telling. Where the chain begins (`base`, after retention) and where it
ends (`head`) is on record apart from it, so that its ends cannot be cut either; and retention leaves a record of where
it cut. Whoever can write all of it anew can forge it: a head that was noted elsewhere finds that, too.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, unique
from hashlib import blake2b

from catalog.errors import DatabaseError, ErrorKind

DIGEST_BYTES = 32
NUMBER_BYTES = 8
LINK_BYTES = NUMBER_BYTES + DIGEST_BYTES


@unique
class Verdict(Enum):
    """How an action ended."""

    ALLOWED = "allowed"
    DENIED = "denied"
    FAILED = "failed"


@dataclass(frozen=True)
class AuditRecord:
    """What somebody did, or tried to. No SQL text, no parameter and no secret is ever in it.

    `at` is in microseconds since 1970. `digest` is a hash of the statement's text, for those who have the text; None
    where the text holds a secret. `seq` is the last `_seq` of the commit that carries the record.
    """

    at: int
    actor: str
    subject: str
    action: str
    object: str | None
    verdict: Verdict
    kind: str | None = None
    digest: str | None = None
    rows: int | None = None
    seq: int | None = None
    peer: str = ""
    session: str = ""
    detail: str | None = None

    def encode(self) -> bytes:
        """The record as JSON, as docs/formats/audit.md has it."""
        return json.dumps(vars(self) | {"verdict": self.verdict.value}, sort_keys=True, separators=(",", ":")).encode()


def decode(body: bytes) -> AuditRecord:
    """Read what `encode` wrote; CORRUPT for anything else."""
    try:
        raw = json.loads(body)
        return AuditRecord(**raw | {"verdict": Verdict(raw["verdict"])})
    except (ValueError, KeyError, TypeError) as error:
        raise DatabaseError(ErrorKind.CORRUPT, "a record of the audit log is damaged") from error


@dataclass(frozen=True)
class Link:
    """A place in the chain: a record's number and hash."""

    number: int
    digest: bytes

    def then(self, body: bytes) -> "Link":
        """The place of the record that follows."""
        number = self.number + 1
        mixed = blake2b(self.digest + number.to_bytes(NUMBER_BYTES, "big") + body, digest_size=DIGEST_BYTES)
        return Link(number, mixed.digest())

    @property
    def key(self) -> bytes:
        """The key of its record."""
        return self.number.to_bytes(NUMBER_BYTES, "big")

    def encode(self) -> bytes:
        """Number, then hash."""
        return self.key + self.digest

    @classmethod
    def decode(cls, data: bytes | None) -> "Link":
        """Read what `encode` wrote; the beginning of a chain where nothing was written."""
        if data is None:
            return START
        if len(data) != LINK_BYTES:
            raise DatabaseError(ErrorKind.CORRUPT, "the audit log's place is damaged")
        return cls(int.from_bytes(data[:NUMBER_BYTES], "big"), data[NUMBER_BYTES:])

    def __str__(self) -> str:
        return f"{self.number}:{self.digest.hex()}"


START = Link(0, bytes(DIGEST_BYTES))


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with the log, at a record."""

    number: int
    problem: str


def split(value: bytes) -> tuple[bytes, bytes]:
    """The hash and the body of a stored record."""
    return value[:DIGEST_BYTES], value[DIGEST_BYTES:]


def findings(base: Link, head: Link, stored: Iterable[tuple[bytes, bytes]], retained: str) -> Iterator[Finding]:
    """All that is wrong with a chain of stored keys and values in key order.

    `retained` is the action of records by which retention says in `detail` where it cut.
    """
    link, cut = base, START
    for key, value in stored:
        digest, body = split(value)
        expected = link.then(body)
        number = int.from_bytes(key, "big")
        if len(key) != NUMBER_BYTES or number != expected.number:
            yield Finding(number, f"record {expected.number} is missing, or stands in another place")
        elif digest != expected.digest:
            yield Finding(number, "the record or one before it was altered, or moved here")
        link = Link(number, digest)
        said = _detail_of(body, retained)
        cut = cut if said is None else said
    if link != head:
        yield Finding(head.number, f"the log ends at record {link.number}, and should end at {head.number} as written")
    if base != cut and base.number:
        yield Finding(base.number, "the log begins where no record says that it was cut")


def _detail_of(body: bytes, action: str) -> Link | None:
    """Where a record of retention says that the log was cut."""
    try:
        record = decode(body)
        if record.action != action or record.detail is None:
            return None
        number, _, digest = record.detail.partition(":")
        return Link(int(number), bytes.fromhex(digest))
    except (DatabaseError, ValueError):
        return None
