"""How often a statement is cut into tokens and planned: work that is counted, because time cannot be tested."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import CodeType, FrameType

import pyarrow as pa
import pytest

from flightserver.execution.rows import Rows
from flightserver.sql.meaning.types import TypeReader
from flightserver.sql.parser import parse_numbered
from flightserver.sql.text.tokens import tokenize
from providers.engine.session import QueryEngine
from tests.execution.planner import Planner, opened

COUNTED = {tokenize.__code__: "cut", QueryEngine.plan.__code__: "planned"}
TYPED = {TypeReader.of.__code__: "typed"}
ROWS = 200


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """A table in files, and a view of it."""
    with opened(tmp_path_factory.mktemp("counted")) as planner:
        numbers = pa.array(range(ROWS), pa.int64())
        planner.load("t", pa.table({"id": numbers, "v": numbers, "w": numbers}))
        planner.load("o", pa.table({"id": numbers, "k": numbers, "x": numbers}))
        planner.run("CREATE VIEW seen AS SELECT id, v + 1 AS next FROM t WHERE v > 3")
        yield planner


def work(act: Callable[[], object], counted: Mapping[CodeType, str] = COUNTED) -> Counter[str]:
    """How often something is done while `act` runs."""
    done: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in counted:
            done[counted[frame.f_code]] += 1

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return done


def running(planner: Planner, text: str, *columns: list[int]) -> Callable[[], object]:
    """Runs a statement with columns of parameters to its end."""
    bound = pa.table({str(number + 1): values for number, values in enumerate(columns)}) if columns else None

    def run() -> object:
        answer = planner.executor.run(parse_numbered(text), planner.context, bound)
        return answer.to_table() if isinstance(answer, Rows) else answer

    return run


def test_a_query_is_cut_once_and_planned_twice(planner: Planner) -> None:
    """Against shapes and against what is chosen; when it comes again, it is known what it says and asks for."""
    run = running(planner, "SELECT w, count(*) FROM t WHERE id BETWEEN 5 AND 90 GROUP BY w ORDER BY w LIMIT 5")
    assert work(run) == {"cut": 1, "planned": 2}
    assert work(run) == {"planned": 1}


def test_a_query_that_tells_the_time_is_planned_twice_each_time(planner: Planner) -> None:
    """What it asks for is another thing each time."""
    run = running(planner, "SELECT sum(w) FROM t WHERE v < extract(epoch FROM now())")
    run()
    assert work(run) == {"planned": 2}


def test_a_view_is_planned_as_often_as_its_query(planner: Planner) -> None:
    """And its text is cut when it is first read."""
    run = running(planner, "SELECT sum(next) FROM seen WHERE id < 50")
    run()
    assert work(run) == {"planned": 2}


def test_a_count_of_a_table_is_not_planned(planner: Planner) -> None:
    """Its snapshot knows."""
    assert work(running(planner, "SELECT count(*) AS counted FROM t")) == {"cut": 1}


def test_a_constant_is_planned_for_its_first_answer_only(planner: Planner) -> None:
    """What connection pools ask all day."""
    run = running(planner, "SELECT 4711 AS alive")
    run()
    assert work(run) == {}


def test_preparing_plans_once(planner: Planner) -> None:
    """Against shapes, where its result's types come from; running it cuts nothing."""
    text = "SELECT sum(v) FROM t WHERE w < ?"
    assert work(lambda: planner.executor.prepare(parse_numbered(text), planner.context)) == {"cut": 1, "planned": 1}
    assert work(running(planner, text, [7])) == {"planned": 2}
    assert work(running(planner, text, [8])) == {"planned": 2}


def test_a_text_is_planned_once_however_often_it_is_prepared(planner: Planner) -> None:
    """Drivers prepare a statement for each run of it."""
    texts = (
        "SELECT w, max(v) FROM t WHERE v > ? AND w < ? GROUP BY w",
        "SELECT a.v FROM t a JOIN t b USING (v) LIMIT 3",
    )
    for text in texts:
        prepare = partial(planner.executor.prepare, parse_numbered(text), planner.context)
        schema = prepare().schema
        assert work(prepare) == {}
        assert prepare().schema == schema


def test_a_prepared_query_is_planned_once_from_its_first_run_on(planner: Planner) -> None:
    """What it does with its table is known since it was prepared."""
    text = "SELECT v, w FROM t WHERE v > ? AND w < ? ORDER BY w LIMIT 5"
    planner.executor.prepare(parse_numbered(text), planner.context)
    for value in (7, 8, 9):
        assert work(running(planner, text, [value], [50])) == {"planned": 1}


def test_a_query_with_parameters_is_planned_once_each_time(planner: Planner) -> None:
    """From its third run on: what it asks for follows from the values."""
    text = "SELECT sum(v) FROM t WHERE id > ? AND w < ?"
    for value in (7, 8):
        running(planner, text, [value], [50])()
    assert work(running(planner, text, [9], [60])) == {"planned": 1}


def test_the_types_of_a_long_chain_are_read_once(planner: Planner) -> None:
    """Twice as many operators are twice the work."""
    chains = ["SELECT " + "+".join(["w"] * length) + " FROM t" for length in (50, 100)]
    short, long = (work(partial(planner.describe, chain), TYPED)["typed"] for chain in chains)
    assert 0 < long < 2.5 * short


CHANGES = {
    "UPDATE": "UPDATE t SET v = v + 1 WHERE w BETWEEN 5 AND 10",
    "UPDATE FROM": "UPDATE t SET v = o.v FROM t AS o WHERE o.id = t.id + 1 AND t.id < 9",
    "DELETE": "DELETE FROM t WHERE w = 6 AND id > 190",
    "ON CONFLICT": "INSERT INTO t VALUES (1, 1, 1) ON CONFLICT (id) DO UPDATE SET v = t.v + excluded.v",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_planned_twice(planner: Planner, change: str) -> None:
    """The query that finds its rows is put together of parts that are cut already; when it comes again, once."""
    run = running(planner, CHANGES[change])
    run()
    assert work(run) == {"planned": 2 if change == "ON CONFLICT" else 1}


BY_KEY = {
    "SELECT": "SELECT v, w FROM t WHERE id = 17 AND w > 1",
    "UPDATE": "UPDATE t SET v = 5, w = NULL WHERE id IN (11, 12)",
    "DELETE": "DELETE FROM t WHERE id = 198 AND w IS NOT NULL",
}


@pytest.mark.parametrize("statement", BY_KEY)
def test_what_is_asked_by_key_is_not_planned(planner: Planner, statement: str) -> None:
    """The storage knows where its rows are."""
    run = running(planner, BY_KEY[statement])
    run()
    assert work(run) == {}


MANY = {
    "SET a parameter": ("UPDATE t SET v = $1 WHERE id = $2", 2),
    "SET an expression": ("UPDATE t SET v = v + $1 WHERE id = $2", 2),
    "SET what is asked for": (
        "UPDATE t SET v = v + $1, w = w - 1 WHERE v < $2 + 1000 AND (w > -9 OR v > 0) AND id = $3",
        3,
    ),
    "SET what is asked for, not by key": ("UPDATE t SET v = -$1 WHERE v = $2", 2),
    "SET from another table": ("UPDATE t SET v = o.x + $1 FROM o WHERE o.id = t.id AND o.k = $2", 2),
    "SET a sub-query": ("UPDATE t SET v = (SELECT max(x) FROM o WHERE k = $1) WHERE id = $2", 2),
    "of members of another table": ("UPDATE t SET v = $1 WHERE id IN (SELECT id FROM o WHERE k = $2)", 2),
    "DELETE": ("DELETE FROM t WHERE id = $1", 1),
    "DELETE not by key": ("DELETE FROM t WHERE v > $1 AND w <= $1", 1),
    "DELETE USING": ("DELETE FROM t USING o WHERE o.id = t.id AND o.k = $1", 1),
    "DELETE members of another table": ("DELETE FROM t WHERE id IN (SELECT id FROM o WHERE k = $1)", 1),
    "ON CONFLICT": ("INSERT INTO t VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET v = t.v + excluded.v", 3),
    "ON CONFLICT with parameters": (
        "INSERT INTO t VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET v = t.v + $4 WHERE t.w < $5",
        5,
    ),
    "ON CONFLICT with a sub-query": (
        "INSERT INTO t VALUES ($1, $2, 3) ON CONFLICT (id) DO UPDATE SET v = (SELECT max(x) FROM o) + $1",
        2,
    ),
    "INSERT": ("INSERT INTO t VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", 3),
    "INSERT beside constants": ("INSERT INTO t VALUES ($1, 7, -1.0) ON CONFLICT DO NOTHING", 1),
    "INSERT rows": ("INSERT INTO t VALUES ($1, $2, 3), ($3, NULL, 4) ON CONFLICT DO NOTHING", 3),
    "INSERT expressions": ("INSERT INTO t VALUES ($1, $2 + 1, abs($3)) ON CONFLICT DO NOTHING", 3),
}


@pytest.mark.parametrize("change", MANY)
def test_many_rows_of_parameters_are_no_more_work_than_two(planner: Planner, change: str) -> None:
    """They are joined with the table at once. One row by itself may be less, where it is looked up by its key."""
    text, width = MANY[change]
    two = running(planner, text, *([[150, 151]] * width))
    fifty = running(planner, text, *([list(range(100, 150))] * width))
    for run in (two, fifty):
        run()
    assert work(fifty) == work(two)
