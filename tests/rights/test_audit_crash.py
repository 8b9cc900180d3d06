"""kill -9 between any two steps of statements that are allowed and that are denied: the log and the data agree."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flush.crashes import Crashes, crashes
from tests.rights.crash_workload import BULK_ROWS, ROUNDS, open_house

pytestmark = pytest.mark.proof

POINTS = [
    "audit",
    "record",
    "append",
    "write_together",
    "chain",
    "note",
    "wait_durable",
    "commit",
    "publish",
    "show",
    "write_synced",
    "replace_manifest",
]
STEPS_PER_ROUND = 8
DENIED_PLACES = (1, 3, 6)
"""Which steps of a round are denied."""


@pytest.fixture(scope="module")
def crashing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    """The workload, to be killed."""
    with crashes("tests.rights.crash_workload", tmp_path_factory.mktemp("crashes")) as process:
        yield process


@pytest.mark.parametrize("event", ["call", "return"])
@pytest.mark.parametrize("function", POINTS)
def test_the_log_and_the_data_agree(crashing: Crashes, function: str, event: str) -> None:
    """What is written has its record and what has a record of a change is written; what was denied is in the log."""
    for survivor in crashing.at(function, event):
        check_survivor(survivor)


def check_survivor(folder: Path) -> None:
    """Open what a killed process left and hold its log against its rows."""
    acknowledged = (folder / "acknowledged").stat().st_size
    house = open_house(folder)
    try:
        root = house.person("root")
        (head,) = root.ok("CHECK AUDIT LOG")
        assert head["problem"] is None
        log = root.ok("SELECT * FROM system.audit_log ORDER BY record")
        rows = {who: house.person(who).ok("SELECT id FROM each ORDER BY id") for who in ("ann", "bob")}
        written = Counter[str]()
        for row in log:
            if row["outcome"] == "allowed" and row["action"] in {"INSERT", "INGEST"}:
                written[str(row["subject"])] += int(str(row["rows"]))
        assert written == {who: len(found) for who, found in rows.items() if found}
        made = sum(row["action"] == "CREATE TABLE" and row["outcome"] == "allowed" for row in log) - 1
        assert made == sum(str(row["table"]).startswith("made") for row in root.ok("SHOW TABLES"))
        denied = sum(row["outcome"] == "denied" for row in log)
        told = sum(step % STEPS_PER_ROUND in DENIED_PLACES for step in range(acknowledged))
        assert told <= denied <= told + 1
        assert len(rows["bob"]) <= ROUNDS * (BULK_ROWS + 1)
        assert not any(int(str(row["id"])) % 10 == 1 for row in rows["bob"] if int(str(row["id"])) < 100)
    finally:
        house.close()
