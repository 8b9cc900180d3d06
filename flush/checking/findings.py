"""What a check tells: what is damaged, of whom, how, and what can be done. A finding names no file's place."""

from dataclasses import dataclass

from catalog.identifiers import TableName
from providers.damage import Damage

FROM_A_COPY = "put the data folder back from a copy"


@dataclass(frozen=True)
class Finding:
    """Something that is not what was written. `table` is None for what belongs to the server as a whole."""

    table: TableName | None
    user: str | None
    what: str
    problem: str
    remedy: str

    @classmethod
    def of(cls, damage: Damage) -> "Finding":
        """Damage of a scope, as a finding."""
        return cls(damage.table, damage.scope.user, damage.what, damage.how, damage.advice)

    def __str__(self) -> str:
        whose = "the server" if self.table is None else f"table {self.table}"
        user = "" if self.user is None else f"user {self.user} in "
        return f"{self.what} of {user}{whose}: {self.problem}; {self.remedy}"
