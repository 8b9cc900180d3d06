"""What tools send is answered as they expect it: their recorded statements and commands, run in this process."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import pytest

from catalog.roles import Role
from tests.rights.house import Answer, House, Person
from tests.tools.recordings import SENT, Sent

TOOLS = {tool: list(sent) for tool, sent in groupby(SENT, lambda one: one.tool)}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house with two tables and a view, which their owner and a user with grants may see."""
    folder: Path = tmp_path_factory.mktemp("tools") / "data"
    opened = House(folder, {"root": Role.SYSTEM})
    root = opened.person("root")
    for sql in (
        "CREATE TABLE metrics (host TEXT, time TIMESTAMP, value DOUBLE, PRIMARY KEY (host, time))",
        "INSERT INTO metrics VALUES ('a', '2023-01-01 00:00:00', 1.5), ('b', '2023-01-01 00:11:00', 4)",
        "CREATE VIEW recent AS SELECT * FROM metrics WHERE time > '2023-01-01 00:10:00'",
        "CREATE NAMESPACE shop",
        "CREATE TABLE shop.goods (id BIGINT PRIMARY KEY, price DECIMAL(10, 2))",
        "INSERT INTO shop.goods VALUES (1, 9.5)",
    ):
        root.ok(sql)
    yield opened
    opened.close()


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_gets_what_it_asks_for(house: House, tool: str) -> None:
    """Everything that it sends, in one session."""
    person = house.person("root")
    for sent in TOOLS[tool]:
        answer = _sent(person, sent)
        assert answer.error is None, f"{sent.name}: {answer.error}"
        _compare(sent, answer)


def _sent(person: Person, sent: Sent) -> Answer:
    return person.query(sent.asks) if isinstance(sent.asks, str) else person.ask(sent.asks)


def _compare(sent: Sent, answer: Answer) -> None:
    if sent.rows is None:
        return
    assert answer.rows is not None
    rows = [tuple(map(_plain, row.values())) for row in answer.rows.to_pylist()]
    if sent.among:
        assert set(sent.rows) <= set(rows), sent.name
    else:
        assert rows == list(sent.rows), sent.name


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value
