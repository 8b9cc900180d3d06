"""What definitions cost at a size: reading all of them at a start, telling one table's columns, and making a table.

Costs are processor time, which a busy machine disturbs least: of this process for the catalog alone, of a server for
the rest.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pyarrow as pa
from adbc_driver_flightsql import dbapi

from bench.growth import cpu_of
from bench.report import Figure, at_most, compare, milliseconds
from bench.scale import Scale
from bench.server import Server
from catalog.data_folder import DataFolder
from catalog.definition import ColumnSpec, TableKind
from catalog.evolution import create_table
from catalog.identifiers import TableName
from catalog.registry import Registry
from catalog.sorted_map import SortedMap
from catalog.store import CatalogStore

LOADED, TINY_LOADED = 16_000, 200
FEW, MANY, TINY_MANY = 10, 5_000, 200
LOADS = 3
CALLS, TINY_CALLS = 150, 5
COLUMNS = tuple(ColumnSpec(f"column_{number}", pa.int64()) for number in range(8))


def run(scale: Scale) -> list[Figure]:
    """The start, then what is asked of few and many, and added to them."""
    few, many = FEW, scale.of(MANY, TINY_MANY)
    calls = scale.of(CALLS, TINY_CALLS)
    rounds = [(costs(few, calls), costs(many, calls)) for _ in range(scale.rounds)]
    small, large = (
        {what: median(found[what] for found in side) for what in side[0]} for side in zip(*rounds, strict=True)
    )
    return [
        start(scale.of(LOADED, TINY_LOADED)),
        *(
            compare(f"{what}, at {many:,} tables, processor time", large[what], small[what], f"at {few}", at_most(1.5))
            for what in small
        ),
    ]


def registry_of(tables: int) -> Registry:
    """A registry of so many tables with nine columns."""
    made = [
        create_table(number, TableName("public", f"t{number:06}"), TableKind.SHARED, COLUMNS, ("column_0",))
        for number in range(1, tables + 1)
    ]
    before = Registry()
    return Registry(
        before.namespaces,
        SortedMap((table.name, table) for table in made),
        before.views,
        SortedMap((table.id, table.name) for table in made),
        tables + 1,
    )


def fill(path: Path, tables: int) -> None:
    """A data folder with so many tables and no rows."""
    folder = DataFolder(path)
    with folder.open_store() as keyvalue:
        CatalogStore(keyvalue).change(lambda _: registry_of(tables))
    folder.close()


def start(tables: int) -> Figure:
    """Reading all definitions, without the rest of a server."""
    with tempfile.TemporaryDirectory(prefix="definitions-") as folder:
        path = Path(folder, "data")
        fill(path, tables)
        load = median(seconds_to_load(path, tables) for _ in range(LOADS))
    what = f"catalog of {tables:,} tables at a start, processor time"
    return Figure(what, milliseconds(load), "-", load, at_most(2.0, "s"), "s")


def seconds_to_load(path: Path, tables: int) -> float:
    """What it takes to read all definitions of a data folder."""
    folder = DataFolder(path)
    with folder.open_store() as keyvalue:
        begin = time.thread_time()
        found = CatalogStore(keyvalue).registry
        taken = time.thread_time() - begin
    folder.close()
    assert len(found.tables) == tables
    return taken


def costs(tables: int, calls: int) -> dict[str, float]:
    """Seconds of a server with so many tables, for each call of a kind; what is made is dropped again."""
    with tempfile.TemporaryDirectory(prefix="definitions-") as folder:
        path = Path(folder, "data")
        fill(path, tables)
        asked = f"t{tables // 2:06}"
        with Server(data=path) as server, server.connect() as connection:
            turns = {
                "get_table_schema beside others": lambda _: check_schema(connection, asked),
                "CREATE TABLE beside others": lambda turn: server.client.execute(
                    f"CREATE TABLE {asked}_{turn} (id BIGINT PRIMARY KEY, v TEXT)"
                ),
                "DROP TABLE beside others": lambda turn: server.client.execute(f"DROP TABLE {asked}_{turn}"),
            }
            return {what: cost(server, calls, turn) for what, turn in turns.items()}


def cost(server: Server, calls: int, turn: Callable[[int], object]) -> float:
    """Seconds of processor time of a call, on average."""

    def all_turns() -> None:
        for count in range(calls):
            turn(count)

    return cpu_of(server, all_turns) / calls


def check_schema(connection: dbapi.Connection, table: str) -> None:
    """Ask for the columns of a table as drivers do."""
    schema = connection.adbc_get_table_schema(table)
    assert schema.names == [spec.name for spec in COLUMNS], schema
