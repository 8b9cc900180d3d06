"""How large the engine's plan of a query becomes once all that its names stand for stands in their place.

The engine writes out common tables and views wherever they are named, so that a chain of them that names each one
twice doubles its plan at each step, and it writes conditions over computed columns out in the same way when it moves
them down. The plan alone takes the memory and the time then, so it is counted before there is one.

The limits keep plans below some seconds and 150 MB: 250 sources joined in pairs take 1.7 s, 16,000 terms of moved
conditions 2.5 s, and stars of 6,000 columns 14 s.
"""

from dataclasses import dataclass, replace

from catalog.errors import DatabaseError, ErrorKind
from flightserver.sql.meaning.value_sizes import STORED_BYTES, refuse_vast

OPERATORS_MAX = 1_000
TERMS_MAX = 250_000
MOVED_TERMS_MAX = 10_000
COLUMNS_MAX = 250_000
STAR_COLUMNS_MAX = 4_000
GROUPING_SETS_MAX = 512


@dataclass(frozen=True)
class PlanSize:
    """What a plan has.

    `operators` are its sources, SELECTs, joins and set operations, `columns` those of all of them, `terms` the parts of
    its expressions. `moved` are the terms that conditions gain where computed columns are written out in them. `width`
    is how many columns it yields, `weights` how many terms those are made of that are computed, by name, and `weight`
    at most that of all others. `largest` is the largest value of all in bytes, `bytes` those of columns, by name, and
    `value_bytes` at most that of all others.
    """

    operators: int = 0
    columns: int = 0
    terms: int = 0
    moved: int = 0
    width: int = 1
    weights: tuple[tuple[str, int], ...] = ()
    weight: int = 1
    largest: int = STORED_BYTES
    bytes: tuple[tuple[str, int], ...] = ()
    value_bytes: int = STORED_BYTES

    @property
    def heaviest(self) -> int:
        """The most terms that a column of it is made of."""
        return max([self.weight, *(weight for _, weight in self.weights)])

    @property
    def widest(self) -> int:
        """The bytes of its largest column."""
        return max([self.value_bytes, *(size for _, size in self.bytes)])

    def beside(self, other: "PlanSize") -> "PlanSize":
        """Both, and what this one yields."""
        return replace(
            self,
            operators=self.operators + other.operators,
            columns=self.columns + other.columns,
            terms=self.terms + other.terms,
            moved=self.moved + other.moved,
            largest=max(self.largest, other.largest),
        )


def refuse_large(size: PlanSize, length: int = 0) -> None:
    """Raise RESOURCES for what is beyond a limit; what stands in a text of a length is not too long."""
    refuse_vast(size.largest)
    for count, most, what in (
        (size.operators, OPERATORS_MAX, "sources, joins and SELECTs"),
        (size.columns, COLUMNS_MAX, "columns in all its parts"),
        (size.terms, max(TERMS_MAX, length), "terms in its expressions"),
        (size.moved, MOVED_TERMS_MAX, "terms in conditions over computed columns"),
    ):
        if count > most:
            raise DatabaseError(
                ErrorKind.RESOURCES,
                f"with its views and common tables written out where they are named, the statement has {_about(count)}"
                f" {what}, and may have {most:,}; put a step's rows into a table (CREATE TEMPORARY TABLE … AS)",
            )


def refuse_wide(width: int) -> None:
    """Raise RESOURCES for a SELECT that yields too many columns."""
    if width > STAR_COLUMNS_MAX:
        raise DatabaseError(
            ErrorKind.RESOURCES,
            f"a SELECT yields {_about(width)} columns, and may yield {STAR_COLUMNS_MAX:,}; name those that are needed",
        )


def refuse_grouping_sets(count: int) -> None:
    """Raise RESOURCES for a GROUP BY that makes too many grouping sets."""
    if count > GROUPING_SETS_MAX:
        raise DatabaseError(
            ErrorKind.RESOURCES,
            f"GROUP BY makes {_about(count)} grouping sets, and may make {GROUPING_SETS_MAX}; write GROUPING SETS with"
            " those that are needed",
        )


def refuse_multiplying_steps(grown: int, given: int) -> None:
    """Raise RESOURCES for a recursive query whose values are at least twice as large after each step."""
    if grown >= 2 * given:
        raise DatabaseError(
            ErrorKind.RESOURCES,
            "a step of the recursive query may double a text or a list; let each step add to what it has, once",
        )


def _about(count: int) -> str:
    return f"{count:,}" if count < 10**12 else "more than a trillion"
