"""The same rows everywhere: every type, wherever its values lie, however they came, whatever is asked of them.

A table with a column of each type lies in each of many states. In all of them it holds the same five rows, and answers
the same questions with the same rows.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from catalog.plain import plain_values
from tests.faults.kinds import KINDS, Kind
from tests.faults.tables import Tables

pytestmark = pytest.mark.proof

LOW, MIDDLE, HIGH = 0, 1, 2
RANKS = {1: MIDDLE, 2: None, 3: LOW, 4: HIGH, 5: MIDDLE}
"""Which of its type's values each column has, by the `id` of the row. Row 5 is what defaults say."""

NUMBERED = [pytest.param(number, id=kind.sql) for number, kind in enumerate(KINDS)]
KEYS = [pytest.param(kind, id=kind.sql) for kind in KINDS if kind.can_be_key]


def rank(kind: Kind, number: int) -> int | None:
    """Which value a row has in the column of a type. No default can be written for lists and structs."""
    found = None if number == 5 and kind.is_nested else RANKS[number]
    return None if found is None else kind.rank(found)


def row(number: int) -> pa.Table:
    """A row with a value of every type."""
    columns = {f"c{place}": kind.array([rank(kind, number)]) for place, kind in enumerate(KINDS)}
    return pa.table({"id": pa.array([number], pa.int32()), **columns})


def bare(number: int) -> pa.Table:
    """A row from before there were columns."""
    return pa.table({"id": pa.array([number], pa.int32())})


def create(tables: Tables, table: str, *, with_columns: bool = True) -> None:
    """Make a table with a column of each type; those that can have a filter have one."""
    numbered = list(enumerate(KINDS)) if with_columns else []
    columns = "".join(f", c{place} {kind.sql}" for place, kind in numbered)
    filters = ",".join(f"c{place}" for place, kind in numbered if not kind.is_nested)
    options = f"WITH (flush_policy = 'none', bloom_columns = '{filters}')"
    tables.run(f"CREATE TABLE {table} (id INT PRIMARY KEY{columns}) {options}")


def add_columns(tables: Tables, table: str, *, with_default: bool) -> None:
    """Add a column of each type, one after another."""
    for place, kind in enumerate(KINDS):
        default = f" DEFAULT {'NULL' if kind.is_nested else kind.written}" if with_default else ""
        tables.run(f"ALTER TABLE {table} ADD COLUMN c{place} {kind.sql}{default}")


Put = Callable[..., None]
HOT, COLD, SEGMENTS = Tables.hot, Tables.cold, Tables.segments


def build(
    tables: Tables,
    table: str,
    puts: Sequence[Put],
    *,
    old: int | None = None,
    with_default: bool = False,
    then: str | None = None,
) -> None:
    """Make a table and put each row somewhere. An `old` row comes first, when the table has no other columns yet."""
    create(tables, table, with_columns=old is None)
    order = sorted(RANKS, key=lambda number: number != old)
    for number, put in zip(order, puts, strict=True):
        put(tables, table, bare(number) if number == old else row(number))
        if number == old:
            add_columns(tables, table, with_default=with_default)
    if then is not None:
        tables.run(f"{then} {table}")


MIXED = (COLD, COLD, SEGMENTS, HOT, HOT)
LATE = (SEGMENTS, SEGMENTS, SEGMENTS, HOT, HOT)
STATES: dict[str, Callable[[Tables, str], None]] = {
    "hot": partial(build, puts=[HOT] * 5),
    "cold": partial(build, puts=[COLD] * 5),
    "segments": partial(build, puts=[SEGMENTS] * 5),
    "everywhere": partial(build, puts=MIXED),
    "settled": partial(build, puts=[SEGMENTS] * 5, then="FLUSH"),
    "compacted": partial(build, puts=[COLD] * 5, then="COMPACT"),
    "older hot row": partial(build, puts=[HOT] * 5, old=2),
    "older cold row": partial(build, puts=MIXED, old=2),
    "older segment": partial(build, puts=LATE, old=2),
    "older rows, compacted": partial(build, puts=[COLD] * 5, old=2, then="COMPACT"),
    "default of a hot row": partial(build, puts=[HOT] * 5, old=5, with_default=True),
    "default of a cold row": partial(build, puts=MIXED, old=5, with_default=True),
    "default of a segment": partial(build, puts=LATE, old=5, with_default=True),
    "default, compacted": partial(build, puts=[COLD] * 5, old=5, with_default=True, then="COMPACT"),
}
"""Where rows may lie, and how they get there."""

PRUNED = ("hot", "cold", "everywhere", "compacted", "older cold row", "default of a cold row")
"""The states in which each question is asked by itself, so that ranges and filters rule out what they can."""

TABLES = {state: f"t{number}" for number, state in enumerate(STATES)}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    """A table in each state."""
    made = Tables(tmp_path_factory.mktemp("kinds"))
    for state, make in STATES.items():
        make(made, TABLES[state])
    yield made
    made.database.close()


def found_by(tables: Tables, condition: str, bound: pa.Table | None = None) -> dict[str, list[int]]:
    """The rows that satisfy a condition in each state of `PRUNED`: one statement for all, each with its own scan."""
    parts = [f"SELECT '{state}' AS state, id FROM {TABLES[state]} WHERE {condition}" for state in PRUNED]
    answer = tables.run(" UNION ALL ".join(parts), bound)
    found: dict[str, list[int]] = {state: [] for state in PRUNED}
    for state, number in zip(answer.column("state").to_pylist(), answer.column("id").to_pylist(), strict=True):
        found[state].append(number)
    return {state: sorted(numbers) for state, numbers in found.items()}


def everywhere(expected: list[int]) -> dict[str, list[int]]:
    """The same in each state of `PRUNED`."""
    return dict.fromkeys(PRUNED, expected)


def holding(kind: Kind, wanted: Callable[[int], bool]) -> list[int]:
    """The rows whose value's rank is wanted."""
    ranks = {number: rank(kind, number) for number in RANKS}
    return [number for number, found in ranks.items() if found is not None and wanted(found)]


def bound(kind: Kind, *ranks: int) -> pa.Table:
    """Values of a type as parameters."""
    return pa.table({str(place): kind.array([kind.rank(found)]) for place, found in enumerate(ranks)})


@pytest.mark.parametrize("state", STATES)
def test_all_rows_are_the_same(tables: Tables, state: str) -> None:
    """In values and in types; what stands under a NULL is NULL."""
    found = tables.run(f"SELECT * FROM {TABLES[state]} ORDER BY id")
    expected = pa.concat_tables(map(row, RANKS)).combine_chunks()
    assert [field.type for field in found.schema] == [field.type for field in expected.schema]
    assert list(map(str, found.columns)) == [str(plain_values(column)) for column in expected.columns]


@pytest.mark.parametrize("state", STATES)
def test_rows_are_in_the_order_of_their_values(tables: Tables, state: str) -> None:
    """From low to high, NULL last."""
    for place, kind in enumerate(KINDS):
        ranks = {number: rank(kind, number) for number in RANKS}
        expected = sorted(RANKS, key=lambda number, ranks=ranks: (ranks[number] is None, ranks[number] or 0, number))
        found = tables.ids(f"SELECT id FROM {TABLES[state]} ORDER BY c{place}, id")
        assert (kind.sql, found) == (kind.sql, expected)


@pytest.mark.parametrize("state", STATES)
def test_equal_values_are_one_group(tables: Tables, state: str) -> None:
    """NULL is one, too."""
    for place, kind in enumerate(KINDS):
        found = tables.ids(f"SELECT count(*) FROM {TABLES[state]} GROUP BY c{place} ORDER BY 1")
        expected = sorted(Counter(rank(kind, number) for number in RANKS).values())
        assert (kind.sql, found) == (kind.sql, expected)


@pytest.mark.parametrize("number", NUMBERED)
def test_a_value_finds_its_rows(tables: Tables, number: int) -> None:
    """By `=` and IN, whatever ranges and filters rule out."""
    kind = KINDS[number]
    for wanted in (MIDDLE, HIGH):
        found = found_by(tables, f"c{number} = $1", bound(kind, wanted))
        assert found == everywhere(holding(kind, kind.rank(wanted).__eq__))
    found = found_by(tables, f"c{number} IN ($1, $2, $1, $2, $1)", bound(kind, LOW, HIGH))
    assert found == everywhere(holding(kind, {kind.rank(LOW), kind.rank(HIGH)}.__contains__))


@pytest.mark.parametrize("number", NUMBERED)
def test_a_range_finds_its_rows(tables: Tables, number: int) -> None:
    """By `<` and BETWEEN."""
    kind = KINDS[number]
    below = found_by(tables, f"c{number} < $1", bound(kind, MIDDLE))
    assert below == everywhere(holding(kind, lambda found: found < MIDDLE))
    between = found_by(tables, f"c{number} BETWEEN $1 AND $2", bound(kind, LOW, MIDDLE))
    assert between == everywhere(holding(kind, lambda found: found <= MIDDLE))


@pytest.mark.parametrize("number", NUMBERED)
def test_null_is_where_it_was_put(tables: Tables, number: int) -> None:
    """By IS NULL."""
    values = holding(KINDS[number], lambda _: True)
    assert found_by(tables, f"c{number} IS NULL") == everywhere([found for found in RANKS if found not in values])


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_is_one_key_in_every_tier(tables: Tables, kind: Kind) -> None:
    """What is hot replaces what is cold and what is in segments; a look-up and a deletion find one row."""
    name = f"k{KINDS.index(kind)}"
    keys = kind.array([LOW, MIDDLE, HIGH][: len(kind.values)])
    keys = keys.filter(pc.invert(pc.is_nan(keys))) if pa.types.is_floating(keys.type) else keys
    tables.run(f"CREATE TABLE {name} (n INT, k {kind.sql} PRIMARY KEY) WITH (flush_policy = 'none')")
    for number, put in enumerate((COLD, SEGMENTS, HOT)):
        put(tables, name, pa.table({"n": pa.array([number] * len(keys), pa.int32()), "k": keys}))
        assert tables.ids(f"SELECT n FROM {name}") == [number] * len(keys)
    tables.run(f"FLUSH {name}")
    for key in keys:
        one = pa.table({"1": pa.repeat(key, 1)})
        assert tables.ids(f"SELECT n FROM {name} WHERE k = $1", one) == [2]
        assert tables.run(f"DELETE FROM {name} WHERE k = $1", one).rows == 1
    assert tables.ids(f"SELECT n FROM {name}") == []
