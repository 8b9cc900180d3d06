"""Joins rule out files by the keys of their other side, which are known when the query runs."""

import re
from collections.abc import Iterator

import pyarrow as pa
import pytest

from catalog.roles import Role
from tests.rights.house import House, Person

FILES, ROWS = 10, 1_000


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """With a table of ten files by ranges of its key, none of which is kept decoded, and keys of one of them."""
    house = House(tmp_path_factory.mktemp("house") / "data", {"root": Role.SYSTEM}, settings={"decoded_mb": 0})
    root = house.person("root")
    root.ok("CREATE TABLE many (k BIGINT PRIMARY KEY, day DATE NOT NULL) WITH (flush_policy = 'none')")
    for file in range(FILES):
        keys = range(file * ROWS, (file + 1) * ROWS)
        root.ingest("many", pa.table({"k": keys, "day": pa.array([file] * ROWS, pa.int32()).cast(pa.date32())}))
        root.ok("FLUSH TABLE many")
    root.ok("CREATE TABLE few (k BIGINT PRIMARY KEY, day DATE NOT NULL)")
    root.ok("INSERT INTO few VALUES (5001, DATE '1970-01-06'), (5700, DATE '1970-01-06')")
    yield root
    house.close()


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("SELECT count(*) AS n FROM few JOIN many ON few.k = many.k", 2),
        ("SELECT count(*) AS n FROM many JOIN few USING (k)", 2),
        ("SELECT count(*) AS n FROM many WHERE k IN (SELECT k FROM few)", 2),
        ("SELECT count(*) AS n FROM few JOIN many ON few.day = many.day", 2 * ROWS),
    ],
)
def test_files_without_a_key_of_the_other_side_are_not_read(reader: Person, query: str, count: int) -> None:
    """Of ten files one is."""
    assert reader.ok(query) == [{"n": count}]
    plan = " ".join(str(row["plan"]) for row in reader.ok(f"EXPLAIN ANALYZE {query}"))
    assert re.search(rf"files_ranges_pruned_statistics={FILES} total → 1 matched", plan), plan
