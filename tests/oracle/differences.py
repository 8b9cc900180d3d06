"""What two right databases may answer differently, each with its reason: nothing else is let pass.

An entry names words of the error of one side. Differences of values are no entries: what would lead to them is spelled
for DuckDB (`SETTINGS` of `databases.py`, `duck` of a form), or is not generated.
"""

from dataclasses import dataclass

from tests.oracle.answers import Answer, Failed


@dataclass(frozen=True)
class Known:
    """An error of one side that is no fault of ours, and why."""

    reason: str
    server: str = ""
    duck: str = ""

    def matches(self, server: Answer, duck: Answer) -> bool:
        """Tell whether it explains two answers."""
        ours = not self.server or (isinstance(server, Failed) and self.server in server.message)
        theirs = not self.duck or (isinstance(duck, Failed) and self.duck in duck.message)
        return ours and theirs


KNOWN: tuple[Known, ...] = (
    Known(
        "a scalar sub-query that is tied to the outer query by more than equalities of an aggregate is refused",
        server="a sub-query at this place is not supported; write it as a join",
    ),
    Known("DuckDB types a statement differently, so that it says nothing about it", duck="BinderException"),
    Known("DuckDB cannot plan it", duck="NotImplementedException"),
    Known("DuckDB has no such operator", duck="ParserException"),
)


def explained(server: Answer, duck: Answer) -> Known | None:
    """The entry that explains two answers."""
    return next((known for known in KNOWN if known.matches(server, duck)), None)
