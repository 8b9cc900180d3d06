"""Random histories of a published table, read back by deltalake at every step: the table as it was at one commit.

`FLIGHTSERVER_PUBLISHED_HISTORIES` asks for more of them. Where `FLIGHTSERVER_DUCKDB_DELTA` names a folder with duckdb
and `duckdb-extension-delta` of its version, DuckDB reads each last version, too.
"""

import os
import random
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pytest

from catalog.definition import ColumnSpec, Format, Publication, TableOptions
from catalog.evolution import add_column, drop_column, rename_column
from catalog.identifiers import quote_identifier
from flush.compaction import compact, settle
from flush.hot_flush import flush
from flush.publish.publish import publish, rows_in_files
from flush.truncate import truncate
from flush.work import Work
from tests.storage_fixtures import Database, TableAccess

pytestmark = pytest.mark.proof

HISTORIES = int(os.environ.get("FLIGHTSERVER_PUBLISHED_HISTORIES", "3"))
DUCKDB = os.environ.get("FLIGHTSERVER_DUCKDB_DELTA")
STEPS = 40
KEYS = 60
BEGINNING = datetime(1999, 12, 31, 23, 59, 59, 999_999)
COLUMNS = {
    "k": pa.int64(),
    "i8": pa.int8(),
    "u32": pa.uint32(),
    "f": pa.float64(),
    "t": pa.string(),
    "b": pa.binary(),
    "o": pa.bool_(),
    "d": pa.date32(),
    "at": pa.timestamp("us"),
    "utc": pa.timestamp("ms", "UTC"),
    "n": pa.decimal128(30, 5),
    "l": pa.list_(pa.string()),
    "s": pa.struct([("a", pa.int32()), ("b", pa.list_(pa.int8()))]),
}


def value(chance: random.Random, data_type: pa.DataType) -> Any:
    """Some value of a type, or NULL."""
    if chance.random() < 0.2:
        return None
    number = chance.choice([0, 1, -1, chance.randrange(-100, 100)])
    kinds = {
        pa.uint32(): abs(number) + (1 << 31),
        pa.float64(): chance.choice([number / 7, -0.0, float("inf"), float("nan")]),
        pa.string(): chance.choice(["", "é" * abs(number), "a'b"]),
        pa.binary(): bytes([abs(number)]),
        pa.bool_(): number > 0,
        pa.date32(): date(2000, 2, 28) + timedelta(days=number),
        pa.timestamp("us"): BEGINNING + timedelta(microseconds=number),
        pa.timestamp("ms", "UTC"): datetime(1969, 12, 31, tzinfo=UTC) + timedelta(milliseconds=number),
        pa.decimal128(30, 5): Decimal(number) / 8,
        pa.list_(pa.string()): [None, str(number)],
        COLUMNS["s"]: {"a": number, "b": [1, None]},
    }
    return kinds.get(data_type, number)


class History:
    """What happens to a table. `states` are its rows after each commit, `shown` which of them was published last."""

    def __init__(self, table: TableAccess, seed: int) -> None:
        self.table = table
        self.chance = random.Random(seed)
        self.added = 0
        self.states: list[list[str]] = [[]]
        self.shown = 0

    def committed(self) -> None:
        """Note what the table answers now."""
        self.states.append(answered(self.table))

    def follow(self, found: list[str]) -> None:
        """Hold what is published against what the table answered at some commit, which is no older than the last."""
        later = [number for number in range(self.shown, len(self.states)) if self.states[number] == found]
        assert later, "a mixture of commits, or one from before"
        self.shown = later[0]

    def meddle(self) -> None:
        """Commit something while a job runs."""
        if self.chance.random() < 0.5:
            self.table.write(*self.rows())
            self.committed()
        if self.chance.random() < 0.3:
            self.table.delete(*({"k": k} for k in self.chance.sample(range(KEYS), 5)))
            self.committed()

    def step(self) -> None:
        """Something."""
        self.chance.choice([self.write, self.write, self.write, self.delete, self.bulk, self.alter, self.tidy])()

    def rows(self) -> list[dict[str, Any]]:
        """New versions of some rows."""
        columns = [column for column in self.table.definition.columns if column.name != "k"]
        keys = self.chance.sample(range(KEYS), self.chance.randrange(1, 20))
        return [{"k": k} | {column.name: value(self.chance, column.storage) for column in columns} for k in keys]

    def write(self) -> None:
        """Upserts, flushed or not."""
        self.table.write(*self.rows())
        self.committed()
        self.flush()

    def flush(self) -> None:
        """A flush, or not, while others write."""
        if self.chance.random() < 0.6:
            flush(self.table.db.store, self.table.state, Work(self.meddle))

    def delete(self) -> None:
        """Deletes."""
        self.table.delete(*({"k": k} for k in self.chance.sample(range(KEYS), 9)))
        self.committed()
        self.flush()

    def bulk(self) -> None:
        """A bulk load, settled or not."""
        self.table.load(self.rows())
        self.committed()
        if self.chance.random() < 0.7:
            settle(self.table.db.store, self.table.state, Work(self.meddle))

    def alter(self) -> None:
        """Another definition."""
        names = [column.name for column in self.table.definition.columns if column.name != "k"]
        self.added += 1
        new = f"New, {self.added}"
        match self.chance.randrange(3):
            case 0:
                data_type = self.chance.choice(list(COLUMNS.values()))
                self.table.alter(lambda definition: add_column(definition, ColumnSpec(new, data_type)))
            case 1 if len(names) > 5:
                gone = self.chance.choice(names)
                self.table.alter(lambda definition: drop_column(definition, gone))
            case _:
                old = self.chance.choice(names)
                self.table.alter(lambda definition: rename_column(definition, old, new))
        self.committed()

    def tidy(self) -> None:
        """Compaction, reclamation, a restart."""
        match self.chance.randrange(3):
            case 0:
                everything = self.chance.random() < 0.5
                compact(self.table.db.store, self.table.state, Work(self.meddle), everything=everything)
            case 1:
                self.table.db.reopen()
            case _ if self.chance.random() < 0.2:
                truncate(self.table.db.store, self.table.state)
                self.committed()
        self.table.reclaim()


def answered(table: TableAccess) -> list[str]:
    """Our own answer: the live rows, with their `_seq`, by key."""
    names = [column.name for column in table.definition.visible_columns]
    columns = ", ".join(map(quote_identifier, [*names, "_seq"]))
    return plain(table.query(f"SELECT {columns} FROM t ORDER BY k").to_pylist())


def plain(rows: list[dict[str, Any]]) -> list[str]:
    """Rows in a form that tells -0 from 0, in which a NaN is one, and a moment is the same in each unit."""
    return [re.sub(r"tzinfo=(<UTC>|[\w.]+\(key='UTC'\)|datetime\.timezone\.utc)", "UTC", repr(row)) for row in rows]


def read(table: deltalake.DeltaTable) -> list[str]:
    """What deltalake reads."""
    found = deltalake.QueryBuilder().register("t", table).execute("SELECT * FROM t ORDER BY k").read_all()
    return plain(pa.table(found).to_pylist())


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_other_engines_read_the_table_as_it_was_at_one_commit(tmp_path: Path, seed: int) -> None:
    """After every step, commits while jobs run included; and a version that was opened steps ago, to its end."""
    database = Database(tmp_path)
    try:
        options = TableOptions(publication=Publication(Format.DELTA))
        table = database.create(list(COLUMNS.items()), ["k"], options=options)
        history = History(table, seed)
        opened: list[tuple[deltalake.DeltaTable, list[str]]] = []
        for _ in range(STEPS):
            history.step()
            publish(database.store, table.state)
            if not (table.folder / "_delta_log").exists():
                continue
            now = deltalake.DeltaTable(str(table.folder))
            expected = read(now)
            history.follow(expected)
            if history.chance.random() < 0.2:
                opened.append((now, expected))
        assert opened
        for version, expected in opened:
            assert read(version) == expected
        while rows_in_files(table.state) is None or table.snapshot.has_unflushed:
            table.settle()
            table.flush()
        publish(database.store, table.state)
        assert read(deltalake.DeltaTable(str(table.folder))) == answered(table)
        if DUCKDB is not None:
            check_duckdb(table, DUCKDB)
    finally:
        database.close()


COUNT = """
import sys
sys.path.insert(0, sys.argv[1])
import duckdb, glob
connection = duckdb.connect()
(extension,) = glob.glob(sys.argv[1] + "/**/delta.duckdb_extension", recursive=True)
connection.execute(f"LOAD '{extension}'")
print(connection.execute(f"SELECT k, _seq FROM delta_scan('{sys.argv[2]}') ORDER BY k").fetchall())
"""


def check_duckdb(table: TableAccess, folder: str) -> None:
    """DuckDB, another one than that of the tests, reads the same keys and versions."""
    command = [sys.executable, "-c", COUNT, folder, str(table.folder)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    expected = table.query("SELECT k, _seq FROM t ORDER BY k").to_pylist()
    assert found.stdout.strip() == str([(row["k"], row["_seq"]) for row in expected])
