"""Every record of SQLite's corpus comes out as it says, whether the rows are hot, in files, or half of them in files.

`FLIGHTSERVER_SQLLOGICTEST=all` asks everything, else a sample is asked. Without the corpus there is nothing to ask.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from adbc_driver_flightsql import dbapi

from tests.e2e.client import Client
from tests.faults.records import Query, Record, Statement
from tests.faults.replay import Mismatch, namespace, statement
from tests.server_process import ServerProcess
from tests.sqllogictest.corpus import FOLDER, files, read, runs, sampled
from tests.sqllogictest.expected import agrees, summary, values

pytestmark = pytest.mark.proof

ALL = os.environ.get("FLIGHTSERVER_SQLLOGICTEST") == "all"
STATEMENTS_MAX = 80
QUERIES_MAX = 20
SHOWN = 5

TIERS = ("hot", "cold", "half")

EXPLAINED = {
    "a sub-query at this place may not use columns": "sub-queries that are tied by <",
    "a sub-query at this place is not supported": "IN in the list of SELECT, and sub-queries that are tied by <",
    "Cannot cast string": "SQLite compares numbers with texts",
    "can't cast to": "SQLite compares numbers with binary values",
    "Cannot infer common argument type for comparison": "SQLite compares numbers with binary values",
    "a column is set twice": "SQLite takes the last of two assignments, PostgreSQL refuses them",
}
"""Words of refusals, and why they are no faults."""

AFTER_TWO_ASSIGNMENTS = {("evidence-slt_lang_update.test", 98), ("evidence-slt_lang_update.test", 104)}
"""Queries that expect what the refused statement would have done."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all files."""
    with ServerProcess(tmp_path_factory.mktemp("sqllogictest") / "data") as process:
        yield process


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    """A session for one file."""
    with server.connect() as connection:
        yield Client(connection)


def replay(client: Client, found: list[Record], tier: str) -> Iterator[Mismatch]:
    """Run records; rows become cold after a run of statements, or in the middle of it."""
    for are_statements, run in runs(found):
        flushed = {"hot": -1, "cold": len(run) - 1, "half": len(run) // 2 if len(run) > 1 else -1}[tier]
        for at, record in enumerate(run):
            wrong = statement(client, record) if isinstance(record, Statement) else query(client, record)
            if wrong is not None:
                yield wrong
            if are_statements and at == flushed:
                client.run("FLUSH ALL")


def query(client: Client, record: Query) -> Mismatch | None:
    """Ask a query; None when it yields what it must."""
    want = " ".join(record.expected)
    try:
        rows = client.rows(record.sql)
    except dbapi.Error as error:
        return Mismatch(record.line, record.sql, str(error), want)
    if agrees(record, rows):
        return None
    lines = values(record, rows)
    return Mismatch(record.line, record.sql, f"{summary(lines)}: {' '.join(lines[:20])}", want)


def is_explained(file: Path, wrong: Mismatch) -> bool:
    """Tell whether a record comes out otherwise for a known reason."""
    return any(words in wrong.got for words in EXPLAINED) or (file.name, wrong.line) in AFTER_TWO_ASSIGNMENTS


@pytest.mark.skipif(not FOLDER.exists(), reason=f"the corpus is not in {FOLDER.name} beside the project")
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("file", files(), ids=lambda file: file.stem)
def test_records_come_out_as_they_say(server: ServerProcess, client: Client, file: Path, tier: str) -> None:
    """Statements succeed or fail as they must, and queries yield their rows."""
    found = read(file)
    if not ALL:
        found = sampled(found, STATEMENTS_MAX, QUERIES_MAX, start=TIERS.index(tier))
    with namespace(client, f"{file.stem}_{tier}"):
        wrong = [mismatch for mismatch in replay(client, found, tier) if not is_explained(file, mismatch)]
    assert not wrong, "\n".join([f"{len(wrong)} of {len(found)} records", *map(str, wrong[:SHOWN])])
    assert server.is_running
