"""Small batches that are scanned again and again are read from memory, and say the same."""

import sys
from collections.abc import Callable, Iterator
from types import FrameType

import pyarrow as pa
import pytest

from flightserver.execution.rows import Rows
from flightserver.sql.parser import parse_numbered
from providers.cold.decoded import DecodedFiles
from providers.engine.relations import AT_HAND_ROWS_MAX, Relations
from tests.execution.planner import Planner, opened

ROWS = 300
QUERIES = {
    "everything": "SELECT * FROM t ORDER BY id",
    "groups": "SELECT s, sum(x) AS x, count(*) AS n FROM t GROUP BY s ORDER BY s",
    "a range": "SELECT id, added FROM t WHERE id BETWEEN 90 AND 210 ORDER BY id",
    "system columns": "SELECT t._seq, id FROM t WHERE x > 5 ORDER BY id",
    "a join": "SELECT a.id FROM t AS a JOIN t AS b ON a.id = b.id + 1 WHERE b.x < 7 ORDER BY a.id",
}


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """A table in two batches of two definitions, with dead rows in the older one, and hot rows."""
    with opened(tmp_path_factory.mktemp("kept")) as planner:
        planner.load("t", rows(0))
        planner.run("ALTER TABLE t ADD COLUMN added TEXT DEFAULT 'none'")
        planner.run(f"INSERT INTO t SELECT id + {ROWS}, x, s, list, 'new' FROM t")
        planner.run("FLUSH t")
        planner.run("DELETE FROM t WHERE id % 7 = 0 AND id < 200")
        planner.run("UPDATE t SET x = -1.5 WHERE id = 100")
        yield planner


def rows(first: int) -> pa.Table:
    """Some numbers, texts and lists, and NULLs among them."""
    ids = range(first, first + ROWS)
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "x": pa.array([None if n % 11 == 0 else n / 4 for n in ids], pa.float64()),
            "s": pa.array([None if n % 13 == 0 else f"text {n % 5}" for n in ids]),
            "list": pa.array([[f"{n}", None] for n in ids], pa.list_(pa.string())),
        }
    )


def answer(
    planner: Planner, text: str, counted: Callable[..., object] = Relations._scan
) -> tuple[list[dict[str, int]], int]:
    """The rows of a query, and how many scans of files it makes, or calls of something else."""
    calls = 0

    def note(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call" and frame.f_code is counted.__code__

    sys.setprofile(note)
    try:
        found = planner.executor.run(parse_numbered(text), planner.context, None)
        assert isinstance(found, Rows)
        return found.to_table().to_pylist(), calls
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize("name", QUERIES)
def test_the_same_rows_come_from_memory(planner: Planner, name: str) -> None:
    """With what died since, defaults of columns that came later, and hot rows."""
    first, _ = answer(planner, QUERIES[name])
    answer(planner, QUERIES[name])
    again, scans = answer(planner, QUERIES[name])
    assert again == first
    assert scans == 0


def test_what_dies_later_is_gone(planner: Planner) -> None:
    """What is kept are the rows of files, not which of them live."""
    query = "SELECT count(*) AS n FROM t WHERE x IS NULL OR x > -100"
    before = [answer(planner, query)[0] for _ in range(3)][-1]
    planner.run("DELETE FROM t WHERE id = 299")
    assert answer(planner, query)[0] == [{"n": before[0]["n"] - 1}]


def test_scans_of_what_is_kept_are_kept(planner: Planner) -> None:
    """Nobody looks for the batches one by one."""
    query = "SELECT max(x) AS x FROM t WHERE id >= 0"
    assert [answer(planner, query, DecodedFiles.whole)[1] for _ in range(4)][-1] == 0


def test_a_kept_scan_follows_the_definition(planner: Planner) -> None:
    """A column has another name, and another table's rows are none of its own."""
    planner.load("one", rows(0))
    for _ in range(3):
        answer(planner, "SELECT count(x) AS n FROM one WHERE id > 0")
    planner.run("ALTER TABLE one RENAME COLUMN s TO x2")
    planner.run("ALTER TABLE one DROP COLUMN x")
    planner.run("ALTER TABLE one RENAME COLUMN x2 TO x")
    assert answer(planner, "SELECT x FROM one WHERE id IN (1, 3) ORDER BY id + 0")[0] == [
        {"x": "text 1"},
        {"x": "text 3"},
    ]


def test_a_large_table_is_read_from_its_files(planner: Planner) -> None:
    """It would push out all others."""
    numbers = pa.array(range(AT_HAND_ROWS_MAX + 1), pa.int64())
    planner.load("large", pa.table({"id": numbers, "v": numbers}))
    planner.run("COMPACT large")
    query = "SELECT sum(v) AS v FROM large WHERE v >= 0"
    assert [answer(planner, query, DecodedFiles.whole)[1] for _ in range(3)] == [0, 0, 0]
