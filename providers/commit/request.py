"""What a client's request brings along for the commit that carries it out."""

from collections.abc import Callable
from dataclasses import dataclass

from catalog.keyvalue import AtomicWrite
from providers.commit.idempotency import NOTHING, Idempotency, Outcome

Note = Callable[[Outcome, str | None], bytes]
"""Makes the record for the audit log of what a commit did, and whose rows those were (None: everybody's)."""


@dataclass(frozen=True)
class Request:
    """A name under which it has its effect once, and what the audit log says of it. Most bring neither."""

    idempotency: Idempotency | None = None
    note: Note | None = None

    @property
    def is_plain(self) -> bool:
        """Tell whether there is nothing to write but the change itself."""
        return self.idempotency is None and self.note is None

    def audit(self, batch: AtomicWrite, outcome: Outcome, user: str | None = None) -> None:
        """Put the record of a commit into its batch."""
        if self.note is not None:
            batch.audit(self.note(outcome, user))

    def complete(self, batch: AtomicWrite) -> None:
        """Put the record of a change of definitions, of users or tokens into its batch: it does nothing to rows."""
        self.audit(batch, NOTHING)


PLAIN = Request()
