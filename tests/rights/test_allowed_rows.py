"""What policies leave of a table is read once while it does not change, and never by anybody whom it is not for."""

import gc
from collections.abc import Iterator

import pyarrow as pa
import pytest

from flightserver.execution.allowed_rows import AllowedRows
from tests.rights.house import House, Person


@pytest.fixture
def root(house: House) -> Iterator[Person]:
    """Who made the table."""
    person = house.person("root")
    person.ok("CREATE TABLE seen (id BIGINT PRIMARY KEY, who TEXT)")
    person.ok("INSERT INTO seen VALUES (1, 'ann'), (2, 'bob'), (3, 'ann')")
    person.ok("GRANT ALL ON seen TO PUBLIC")
    person.ok("CREATE POLICY own ON seen USING (who = CURRENT_USER)")
    yield person
    person.ok("DROP TABLE seen")


def ids(person: Person) -> list[object]:
    """The keys that somebody sees."""
    return [row["id"] for row in person.ok("SELECT id FROM seen ORDER BY id")]


def test_everybody_sees_their_own_again_and_again(house: House, root: Person) -> None:
    """What one has read is not what the next one gets."""
    ann, bob, eve = (house.person(name) for name in ("ann", "bob", "eve"))
    for _ in range(3):
        assert [ids(person) for person in (ann, bob, eve)] == [[1, 3], [2], []]


def test_a_change_and_another_policy_are_seen_at_once(house: House, root: Person) -> None:
    """By others' changes, one's own, a flush, and what an owner decides."""
    ann = house.person("ann")
    assert ids(ann) == [1, 3]
    root.ok("INSERT INTO seen VALUES (4, 'ann')")
    assert ids(ann) == [1, 3, 4]
    ann.ok("DELETE FROM seen WHERE id = 1")
    assert ids(ann) == [3, 4]
    root.ok("FLUSH TABLE seen")
    assert ids(ann) == [3, 4]
    root.ok("CREATE POLICY more ON seen FOR SELECT USING (id = 2)")
    assert ids(ann) == [2, 3, 4]
    root.ok("DROP POLICY own ON seen")
    assert ids(ann) == [2]
    root.ok("ALTER TABLE seen ADD COLUMN v BIGINT DEFAULT 7")
    assert ann.ok("SELECT * FROM seen") == [{"id": 2, "who": "bob", "v": 7}]


def test_a_transaction_sees_its_own_rows_and_nobody_else_does(house: House, root: Person) -> None:
    """Before it ends, and after it was rolled back."""
    ann, other = house.person("ann"), house.person("ann")
    ann.ok("BEGIN")
    ann.ok("INSERT INTO seen VALUES (9, 'ann')")
    assert ids(ann) == [1, 3, 9]
    assert ids(other) == [1, 3]
    ann.ok("ROLLBACK")
    assert ids(ann) == [1, 3]


def test_a_condition_that_is_never_the_same_is_asked_each_time(house: House, root: Person) -> None:
    """One by chance leaves now these and now those."""
    ann = house.person("ann")
    root.ok("DROP POLICY own ON seen")
    root.ok("CREATE POLICY chance ON seen USING (random() < 0.5)")
    assert len({str(ids(ann)) for _ in range(40)}) > 1


def test_what_is_kept_is_bounded_and_goes_with_its_snapshot() -> None:
    """Too much is not kept; what is kept keeps no snapshot."""
    rows, read = pa.table({"a": [1, 2, 3]}), []

    class State:
        pass

    def give() -> pa.Table:
        read.append(1)
        return rows

    kept, state = AllowedRows(int(rows.nbytes) * 2), State()
    for text in ("x", "x", "y", "y", "z", "z"):
        assert kept.get(state, text, give) == rows  # type: ignore[arg-type]
    assert len(read) == 3
    assert kept.nbytes <= int(rows.nbytes) * 2
    del state
    gc.collect()
    assert kept.nbytes == 0
    small, other = AllowedRows(1), State()
    for _ in range(2):
        small.get(other, "x", give)  # type: ignore[arg-type]
    assert len(read) == 5
