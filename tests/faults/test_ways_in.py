"""One set of conversions: what a statement, a parameter, a default or a stream says of a value, is stored alike."""

from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from catalog.plain import plain_values
from tests.faults.kinds import KINDS
from tests.faults.tables import Tables

COLUMNS = ", ".join(f"c{place} {kind.sql}" for place, kind in enumerate(KINDS))
NAMES = ", ".join(f"c{place}" for place, _ in enumerate(KINDS))
WRITTEN = ", ".join(kind.written for kind in KINDS)
NAMED = ", ".join(f"{kind.written} AS c{place}" for place, kind in enumerate(KINDS))
ASSIGNED = ", ".join(f"c{place} = {kind.written}" for place, kind in enumerate(KINDS))
MARKS = ", ".join(f"${place + 2}" for place, _ in enumerate(KINDS))

ROW = pa.table({"id": pa.array([1], pa.int32()), **{f"c{place}": kind.array([1]) for place, kind in enumerate(KINDS)}})
"""A row with the second value of every type."""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    """Opened once."""
    made = Tables(tmp_path_factory.mktemp("ways"))
    yield made
    made.database.close()


def _made(tables: Tables, name: str) -> str:
    tables.run(f"CREATE TABLE {name} (id INT PRIMARY KEY, {COLUMNS})")
    return name


def ingested(tables: Tables, t: str) -> None:
    """A stream."""
    tables.hot(_made(tables, t), ROW)


def loaded(tables: Tables, t: str) -> None:
    """A large stream."""
    tables.segments(_made(tables, t), ROW)


def inserted(tables: Tables, t: str) -> None:
    """INSERT … VALUES."""
    tables.run(f"INSERT INTO {_made(tables, t)} VALUES (1, {WRITTEN})")


def selected(tables: Tables, t: str) -> None:
    """INSERT … SELECT."""
    tables.run(f"INSERT INTO {_made(tables, t)} SELECT 1, {NAMED}")


def bound(tables: Tables, t: str) -> None:
    """A prepared INSERT, whose parameters are taken as they come."""
    tables.run(f"INSERT INTO {_made(tables, t)} VALUES ($1, {MARKS})", ROW)


def bound_in_a_query(tables: Tables, t: str) -> None:
    """Parameters that pass through a query."""
    tables.run(f"INSERT INTO {_made(tables, t)} SELECT $1, {MARKS}", ROW)


def updated(tables: Tables, t: str) -> None:
    """UPDATE."""
    tables.run(f"INSERT INTO {_made(tables, t)} (id) VALUES (1)")
    tables.run(f"UPDATE {t} SET {ASSIGNED}")


def updated_on_conflict(tables: Tables, t: str) -> None:
    """INSERT … ON CONFLICT DO UPDATE."""
    tables.run(f"INSERT INTO {_made(tables, t)} (id) VALUES (1)")
    tables.run(f"INSERT INTO {t} (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET {ASSIGNED}")


def excluded(tables: Tables, t: str) -> None:
    """What INSERT offered, by the name of `excluded`."""
    tables.run(f"INSERT INTO {_made(tables, t)} (id) VALUES (1)")
    taken = ", ".join(f"c{place} = excluded.c{place}" for place, _ in enumerate(KINDS))
    tables.run(f"INSERT INTO {t} VALUES (1, {WRITTEN}) ON CONFLICT (id) DO UPDATE SET {taken}")


def copied(tables: Tables, t: str) -> None:
    """CREATE TABLE AS."""
    tables.hot(_made(tables, f"{t}_source"), ROW)
    tables.run(f"CREATE TABLE {t} PRIMARY KEY (id) AS SELECT * FROM {t}_source")


def defaulted(tables: Tables, t: str) -> None:
    """DEFAULT, and what has none, by INSERT."""
    columns = [
        f"c{n} {kind.sql}" + ("" if kind.is_nested else f" DEFAULT {kind.written}") for n, kind in enumerate(KINDS)
    ]
    tables.run(f"CREATE TABLE {t} (id INT PRIMARY KEY, {', '.join(columns)})")
    others = [(f"c{place}", kind.written) for place, kind in enumerate(KINDS) if kind.is_nested]
    names, values = (", ".join(part) for part in zip(*others, strict=True))
    tables.run(f"INSERT INTO {t} (id, {names}) VALUES (1, {values})")


WAYS: list[Callable[[Tables, str], None]] = [
    *(ingested, loaded, inserted, selected, bound, bound_in_a_query),
    *(updated, updated_on_conflict, excluded, copied, defaulted),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_way_stores_the_same(tables: Tables, way: Callable[[Tables, str], None]) -> None:
    """A value of every type, in values and in types; flushed, too."""
    t = f"w_{way.__name__}"
    way(tables, t)
    for _ in range(2):
        found = tables.run(f"SELECT * FROM {t}")
        assert [field.type for field in found.schema] == [field.type for field in ROW.schema]
        pairs = zip(KINDS, found.columns[1:], ROW.columns[1:], strict=True)
        wrong = [(kind.sql, str(one)) for kind, one, other in pairs if str(one) != str(plain_values(other))]
        assert not wrong
        tables.run(f"FLUSH {t}")


@pytest.mark.parametrize("tier", ["hot", "cold"])
def test_what_is_written_finds_what_it_stored(tables: Tables, tier: str) -> None:
    """A constant in a condition is the value that the same constant stores."""
    t = f"found_{tier}"
    inserted(tables, t)
    if tier == "cold":
        tables.run(f"FLUSH {t}")
    lost = [
        kind.sql
        for place, kind in enumerate(KINDS)
        if tables.ids(f"SELECT id FROM {t} WHERE c{place} = {kind.written}") != [1]
    ]
    assert not lost
