"""A data folder with a file of every kind, and what it has to answer."""

import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from catalog.errors import DatabaseError
from flightserver.database import Database
from tests.faults.tables import Tables

QUESTIONS = (
    "SELECT * FROM a ORDER BY id",
    "SELECT v FROM a WHERE id = 3",
    "SELECT v FROM a WHERE id = 41",
    "SELECT v FROM a WHERE id = 5",
    "SELECT id FROM a WHERE t = 'text 7' ORDER BY id",
    "SELECT id FROM a WHERE v BETWEEN 20 AND 330 ORDER BY id",
    "SELECT count(*), sum(v) FROM a",
    "SELECT count(*) FROM loaded",
    "SELECT a.id, loaded.v FROM a JOIN loaded ON a.id = loaded.id ORDER BY a.id",
    "SELECT * FROM loaded ORDER BY id",
    "SELECT * FROM parted ORDER BY id",
    "SELECT * FROM own ORDER BY id",
    "SELECT * FROM warm ORDER BY id",
)
"""Scans, look-ups by key, of rows that are there, that were overwritten, and that are dead, and what prunes."""

_TABLE = re.compile(r"/public/(\w+)\.\d+/")

Answers = Mapping[str, Any]


def rows(first: int, count: int, factor: int) -> pa.Table:
    """Rows from a key on."""
    ids = range(first, first + count)
    return pa.table({"id": list(ids), "v": [factor * key for key in ids], "t": [f"text {key % 20}" for key in ids]})


def fill(folder: Path, left: Path) -> None:
    """Make a data folder: hot and cold rows, updated and deleted, flushed or not. `left` is what a kill would leave."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("manifest.parts.PENDING_MAX", 1)
        tables = Tables(folder)
        columns = "(id BIGINT PRIMARY KEY, v BIGINT, t TEXT)"
        for name in ("a", "loaded", "parted", "warm"):
            tables.run(f"CREATE TABLE {name} {columns} WITH (bloom_columns = 't')")
        tables.run(f"CREATE USER TABLE own {columns}")
        tables.cold("a", rows(0, 40, 1), rows(30, 20, 10))
        tables.run("DELETE FROM a WHERE id IN (5, 6, 31)")
        tables.run("FLUSH a")
        tables.hot("warm", rows(0, 30, 3))
        tables.cold("own", rows(0, 9, 5))
        for key in range(4):
            tables.cold("parted", rows(key, 1, 7))
        tables.database._keyvalue.write_out()
        tables.run("UPDATE a SET v = 9999 WHERE id IN (7, 40)")
        tables.run("DELETE FROM a WHERE id = 8")
        tables.segments("loaded", rows(0, 60, 2))
        tables.run("DELETE FROM loaded WHERE id = 11")
        tables.hot("warm", rows(20, 30, 4))
        tables.run("DELETE FROM warm WHERE id = 21")
        shutil.copytree(folder, left)
        tables.database.close()


def questions_about(path: Path) -> Collection[str]:
    """What to ask when something has happened to a file: all that may read it."""
    found = _TABLE.search(str(path))
    return QUESTIONS if found is None else [one for one in QUESTIONS if re.search(rf"\b{found[1]}\b", one)]


class Opened:
    """The tables of a copy."""

    def __init__(self, folder: Path) -> None:
        self.tables = Tables(folder)

    def answers(self, questions: Collection[str] = QUESTIONS) -> dict[str, Any]:
        """What is answered to each question: rows, or the text of an error."""
        found: dict[str, Any] = {}
        for question in questions:
            try:
                found[question] = self.tables.run(question).to_pylist()
            except DatabaseError as error:
                found[question] = error.message
        return found

    def findings(self) -> int:
        """How much a check finds."""
        return int(self.tables.run("CHECK ALL").num_rows)

    def repair(self) -> None:
        """Let jobs run, as a server would."""
        self.database.jobs.tick()

    @property
    def database(self) -> Database:
        """What is open."""
        return self.tables.database

    def close(self) -> None:
        """Let the folder go."""
        self.database.close()


def copied(template: Path, folder: Path) -> Path:
    """A copy of the data folder that may be damaged: no file is shared with the template."""
    shutil.copytree(template, folder)
    return folder
