"""Things that clients hold on to by an opaque handle: results to fetch, statements to run.

A handle is 16 random bytes and belongs to the user who got it: any session of the user may use it. It ends with the
session that it was made in, or when the ledger ends what it stands for. Forged, foreign and stale handles are the same
NOT_FOUND.
"""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from catalog.errors import DatabaseError, ErrorKind
from flightserver.activity.entries import Kind
from flightserver.activity.ledger import Account, Ending, Holdings, Kept

HANDLE_BYTES = 16

Item = TypeVar("Item")


@dataclass(frozen=True)
class Held(Generic[Item]):
    """An item with its entry in the ledger."""

    item: Item
    user: str
    kept: Kept


class Handles(Generic[Item]):
    """Items of one kind by handle."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._lock = threading.Lock()
        self._held: dict[bytes, Held[Item]] = {}

    def put(
        self,
        account: Account,
        item: Item,
        size: int = 0,
        *,
        measure: Callable[[], Holdings] | None = None,
        ended: Callable[[Ending], None] | None = None,
    ) -> tuple[bytes, Held[Item]]:
        """Keep an item of `size` bytes for an account's user; return its handle, and the item as it is held.

        `measure` is the ledger's; `ended` is called when the ledger ends the item.
        """
        handle = secrets.token_bytes(HANDLE_BYTES)

        def end(ending: Ending) -> None:
            with self._lock:
                self._held.pop(handle, None)
            if ended is not None:
                ended(ending)

        kept = account.keep(self._kind, end, size, measure=measure)
        held = Held(item, account.user, kept)
        with self._lock:
            self._held[handle] = held
        if not kept.is_listed:  # it ended before it could be found
            end(Ending.SESSION)
        return handle, held

    def get(self, user: str, handle: bytes) -> Held[Item]:
        """Return what a user holds, or raise NOT_FOUND."""
        with self._lock:
            held = self._held.get(handle)
        if held is None or held.user != user:
            raise DatabaseError(ErrorKind.NOT_FOUND, f"the {self._kind.value} does not exist or has expired")
        held.kept.touch()
        return held

    def remove(self, user: str, handle: bytes) -> None:
        """Forget a user's item; nothing happens when there is none."""
        with self._lock:
            held = self._held.get(handle)
            if held is None or held.user != user:
                return
            del self._held[handle]
        held.kept.let_go()
