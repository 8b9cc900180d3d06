"""Requests that may be repeated: a client's key for a request, and what the request did the first time.

Everybody has keys of their own, also in the rows that are everybody's: nobody finds out, or uses up, those of others.
The record stands in the IDEMPOTENCY column family under the scope, the user and the key, and is written in the same
RocksDB batch as the versions. That of a bulk commit follows its manifest (`bulk_record.py`).
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from catalog.definition import Scope
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from providers.clock import timestamp
from providers.hot.record import scope_prefix

KEY_BYTES_MAX = 512

_FORGOTTEN_AT_ONCE = 1_000
_END = b"\xff"
"""Above every key, which begins with a positive number."""


@dataclass(frozen=True)
class Idempotency:
    """A user's name for a request, and a hash of the request that must match when the name comes again."""

    key: str
    request_hash: str
    user: str = ""

    def __post_init__(self) -> None:
        if not 0 < len(self.key.encode()) <= KEY_BYTES_MAX:
            raise DatabaseError(ErrorKind.INVALID, f"an idempotency key must have 1 to {KEY_BYTES_MAX} bytes")

    @property
    def recorded(self) -> str:
        """The user and the key as one text. Names of users have no NUL."""
        return f"{self.user}\0{self.key}"

    @classmethod
    def of_record(cls, recorded: str, request_hash: str) -> "Idempotency":
        """What a record says."""
        user, _, key = recorded.partition("\0")
        return cls(key, request_hash, user)


@dataclass(frozen=True)
class Outcome:
    """What a commit did. `replayed` says that an earlier request with the same idempotency key had done it."""

    affected: int
    seq: int
    replayed: bool = False

    @classmethod
    def together(cls, outcomes: Collection["Outcome"]) -> "Outcome":
        """What changes of several scopes did as one."""
        affected, last = sum(one.affected for one in outcomes), max((one.seq for one in outcomes), default=0)
        return cls(affected, last, replayed=any(one.replayed for one in outcomes))


NOTHING = Outcome(0, 0)
"""What a change of definitions does to rows."""


def find_replay(keyvalue: KeyValueStore, scope: Scope, idempotency: Idempotency | None) -> Outcome | None:
    """The outcome of an earlier request with the same key; INVALID when that was a different request."""
    if idempotency is None:
        return None
    stored = keyvalue.get(Family.IDEMPOTENCY, _key(scope, idempotency))
    if stored is None:
        return None
    earlier = json.loads(stored)
    if earlier["request_hash"] != idempotency.request_hash:
        raise _reused(idempotency)
    return Outcome(int(earlier["rows"]), int(earlier["seq"]), replayed=True)


def is_on_record(keyvalue: KeyValueStore, scope: Scope, idempotency: Idempotency) -> bool:
    """Tell whether there was a request under this key, whichever it was."""
    return keyvalue.get(Family.IDEMPOTENCY, _key(scope, idempotency)) is not None


def replayed_in(outcomes: Mapping[Idempotency, Outcome], idempotency: Idempotency | None) -> Outcome | None:
    """The outcome of an earlier request with the same key in the same transaction, as `find_replay` finds others."""
    if idempotency is None:
        return None
    for known, outcome in outcomes.items():
        if known.recorded == idempotency.recorded and known.request_hash != idempotency.request_hash:
            raise _reused(idempotency)
        if known.recorded == idempotency.recorded:
            return outcome
    return None


def put_outcome(batch: AtomicWrite, scope: Scope, idempotency: Idempotency | None, outcome: Outcome) -> None:
    """Put the record of a request into the batch of its commit."""
    if idempotency is not None:
        value = {
            "request_hash": idempotency.request_hash,
            "rows": str(outcome.affected),
            "seq": str(outcome.seq),
            "at": timestamp(),
        }
        encoded = json.dumps(value, sort_keys=True).encode()
        batch.put(Family.IDEMPOTENCY, _key(scope, idempotency), encoded)


def forget_outcomes(keyvalue: KeyValueStore, before: str) -> Iterator[int]:
    """Delete the records from before a moment, as `timestamp` writes it, in some steps; yield how many at each.

    Such a request is carried out again when it comes again.
    """
    lower = b""
    while looked_at := list(islice(keyvalue.scan(Family.IDEMPOTENCY, lower, _END), _FORGOTTEN_AT_ONCE)):
        lower = looked_at[-1][0] + b"\0"
        batch = AtomicWrite()
        old = [key for key, value in looked_at if json.loads(value)["at"] < before]
        for key in old:
            batch.delete(Family.IDEMPOTENCY, key)
        if old:
            keyvalue.append(batch)
        yield len(old)


def _reused(idempotency: Idempotency) -> DatabaseError:
    return DatabaseError(
        ErrorKind.INVALID, f"idempotency key {idempotency.key!r} was used before with a different request"
    )


def _key(scope: Scope, idempotency: Idempotency) -> bytes:
    return scope_prefix(scope) + idempotency.recorded.encode()
