"""What a session rests on: who has logged in, by what, and what must still be so for the session to go on."""

from dataclasses import dataclass

from catalog.roles import Identity
from flightserver.access.principal import Principal


@dataclass(frozen=True)
class Login:
    """Somebody who has proved to be who they say.

    `version` is that of the user's record, and None for whoever has no record. `token` is the hash of the token that
    was shown. What comes after `expires_at` (seconds since 1970) does not rest on it.
    """

    identity: Identity
    version: int | None = None
    token: str | None = None
    read_only: bool = False
    expires_at: float | None = None

    @property
    def user(self) -> str:
        """The name of who has logged in."""
        return self.identity.name

    @property
    def principal(self) -> Principal:
        """Who the statements of its sessions are of."""
        return Principal.of(self.identity.name, self.identity.role, read_only=self.read_only)

    @property
    def grounds(self) -> tuple[Identity, int | None, str | None, bool]:
        """What must be the same for two calls to be of one session."""
        return self.identity, self.version, self.token, self.read_only
