"""One call: whose it is, over which connection, and when it must stop."""

from collections.abc import Callable
from dataclasses import dataclass

from flightserver.sessions.session import Session
from providers.stopping import Stop, never


def stay() -> None:
    """For calls without a connection."""


@dataclass(frozen=True)
class Call:
    """A call. `peer` names the connection; `stop` says when the client has gone or the server must end.

    `hang_up` ends the connection. `user_agent` names the client's library, `idempotency_key` a stream that must have
    its effect once.
    """

    session: Session
    peer: str = ""
    stop: Stop = never
    user_agent: str = ""
    idempotency_key: str | None = None
    hang_up: Callable[[], None] = stay

    @property
    def user(self) -> str:
        """Whose handles the call may use."""
        return self.session.user
