"""A table with a damaged file fails by its name, and all others are served: at start, and by every command over all."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from catalog.data_folder import DataFolder
from catalog.identifiers import TableName
from catalog.keyvalue import AtomicWrite, Family
from catalog.store import CatalogStore
from providers.hot import record
from tests.e2e.client import Client
from tests.processes import HANGS_SECONDS
from tests.server_process import ServerProcess

MORE = ", ".join(f"({number}, 'more')" for number in range(10, 20))
"""Rows because of which one deleted row is no reason to write a batch anew."""

USERS = {"ann": "a", "bob": "b"}
TABLES = ("manifest", "no_manifest", "deletions", "bloom", "rows", "records", "whole")

HOW: Mapping[str, str] = {
    "manifest": "the manifest of table public.manifest is damaged: it fails its checksum; run "
    "REBUILD MANIFEST FOR public.manifest, or stop the server and run `flightserver rebuild public.manifest`",
    "no_manifest": "the manifest of table public.no_manifest is damaged: its file is missing; run "
    "REBUILD MANIFEST FOR public.no_manifest, or stop the server and run `flightserver rebuild public.no_manifest`",
    "deletions": "the deletion file of batch 1 of table public.deletions is damaged: its file is not what was written; "
    "put it back from a copy of the data folder",
    "records": "a record of hot rows of table public.records is damaged: it is not readable; "
    "put it back from a copy of the data folder",
    "rows": "batch 1 of table public.rows is damaged: its file is not what was written; "
    "put it back from a copy of the data folder",
    "bloom": "the bloom filter of batch 1 of table public.bloom is damaged: its file is not what was written; "
    "rows are found without it, and it is written anew by itself",
}
"""What is told of each table that is damaged."""


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def only(data_dir: Path, pattern: str) -> Path:
    """The one file below the tables' folder with such a name."""
    (found,) = (data_dir / "tables" / "public").glob(pattern)
    return found


DAMAGES: Mapping[str, Callable[[Path], None]] = {
    "manifest": lambda data: flip_version(only(data, "manifest.*/manifest.json")),
    "no_manifest": lambda data: only(data, "no_manifest.*/manifest.json").unlink(),
    "deletions": lambda data: flip(only(data, "deletions.*/batch-1.*.dv")),
    "bloom": lambda data: flip(only(data, "bloom.*/batch-1.bloom")),
    "rows": lambda data: flip(only(data, "rows.*/batch-1.parquet")),
    "records": lambda data: spoil_records(data, "records"),
    "own": lambda data: only(data, "own.*/u-ann/manifest.json").unlink(),
}


def spoil_records(data_dir: Path, table: str) -> None:
    """Replace the hot rows of a table by what is none."""
    folder = DataFolder(data_dir)
    with folder.open_store() as store:
        table_id = CatalogStore(store).registry.table(TableName("public", table)).id
        prefix = record.table_prefix(table_id)
        spoiled = AtomicWrite()
        for key, _ in store.scan(Family.HOT, prefix, record.prefix_end(prefix)):
            spoiled.put(Family.HOT, key, b"none")
        store.commit(spoiled)
    folder.close()


def forget_copies(data_dir: Path) -> None:
    """Let RocksDB have no copies of manifests, of which lost ones would be written anew."""
    folder = DataFolder(data_dir)
    with folder.open_store() as store:
        gone = AtomicWrite()
        gone.delete_range(Family.MANIFEST_CACHE, b"", b"\xff")
        store.commit(gone)
    folder.close()


def flip_version(path: Path) -> None:
    """Change a number in a manifest."""
    text = path.read_text()
    path.write_text(text.replace('"schema_version":1', '"schema_version":3', 1))


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose tables have flushed rows, a deleted one, and hot ones; it was killed, and they were damaged."""
    process = ServerProcess(tmp_path_factory.mktemp("damaged") / "data", users=USERS)
    with process:
        with process.connect() as connection:
            client = Client(connection)
            for table in TABLES:
                client.run(f"CREATE TABLE {table} (id INT PRIMARY KEY, v TEXT)")
                client.run(f"INSERT INTO {table} VALUES (1, 'one'), (2, 'two'), (3, 'three'), {MORE}")
                client.run(f"FLUSH {table}")
                client.run(f"DELETE FROM {table} WHERE id = 2")
                client.run(f"FLUSH {table}")
                client.run(f"INSERT INTO {table} VALUES (4, 'four')")
            client.run("CREATE USER TABLE own (id INT PRIMARY KEY)")
        for user in USERS:
            with process.connect(user) as connection:
                client = Client(connection)
                client.run("INSERT INTO own VALUES (1)")
                with process.connect() as admins:
                    Client(admins).run("FLUSH own")
                client.run("INSERT INTO own VALUES (2)")
        process.kill()
        forget_copies(process.data_dir)
        for damage in DAMAGES.values():
            damage(process.data_dir)
        process.start()
        yield process


@pytest.fixture
def client(process: ServerProcess) -> Iterator[Client]:
    """An admin's session."""
    with process.connect() as connection:
        yield Client(connection)


def listed(client: Client) -> dict[str, tuple[str, str | None]]:
    """State and problem of each table in `system.tables`."""
    rows = client.rows("SELECT \"table\", state, problem FROM system.tables WHERE namespace = 'public'")
    return {table: (state, problem) for table, state, problem in rows}


@pytest.mark.parametrize("table", ["manifest", "no_manifest", "deletions", "records", "rows"])
@pytest.mark.parametrize(
    "sql", ["SELECT max(v) FROM {}", "UPDATE {} SET v = '' WHERE id = 1", "INSERT INTO {} VALUES (1, '')", "COMPACT {}"]
)
def test_a_statement_that_touches_damage_names_it(client: Client, table: str, sql: str) -> None:
    """The error says which table, which kind of file, and what to do; it shows no path."""
    message = client.error(sql.format(table))
    assert HOW[table] in message
    assert message.startswith("INTERNAL")


def test_other_tables_are_served(client: Client) -> None:
    """They are read and changed as ever."""
    assert client.column("SELECT id FROM whole WHERE id < 10 ORDER BY id") == [1, 3, 4]
    client.run("INSERT INTO whole VALUES (5, 'five')")
    client.run("DELETE FROM whole WHERE id = 5")


def test_rows_are_found_without_their_bloom_filter(client: Client, process: ServerProcess) -> None:
    """A damaged filter rules nothing out: look-ups and changes find every row, and no key comes twice."""
    assert client.one("SELECT v FROM bloom WHERE id = 3") == "three"
    assert client.column("SELECT id FROM bloom WHERE id IN (2, 7)") == []
    assert "duplicate key" in client.error("INSERT INTO bloom VALUES (1, 'again')")
    client.run("UPDATE bloom SET v = 'drei' WHERE id = 3")
    assert client.column("SELECT v FROM bloom WHERE id < 10 ORDER BY id") == ["one", "drei", "four"]


def test_a_lost_bloom_filter_is_written_anew_by_itself(client: Client, process: ServerProcess) -> None:
    """Once somebody has met it; then the table is whole, and what was there is kept beside it."""
    client.one("SELECT v FROM bloom WHERE id = 3")
    deadline = time.monotonic() + HANGS_SECONDS
    while listed(client)["bloom"] != ("whole", None):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert HOW["bloom"] in process.log
    only(process.data_dir, "bloom.*/batch-1.bloom.damaged-1")


def test_a_damaged_table_of_one_user_is_whole_for_others(client: Client, process: ServerProcess) -> None:
    """Ann's partition fails by her name; Bob has his rows, and sees nothing of hers."""
    with process.connect("ann") as connection:
        ann = Client(connection)
        message = ann.error("SELECT * FROM own")
        assert "the manifest of user ann in table public.own is damaged: its file is missing" in message
        assert "`flightserver rebuild public.own --user ann`" in message
        assert listed(ann)["own"][0] == "damaged"
    with process.connect("bob") as connection:
        bob = Client(connection)
        assert bob.column("SELECT id FROM own ORDER BY id") == [1, 2]
        assert listed(bob)["own"] == ("whole", None)
    state, problem = listed(client)["own"]
    assert state == "damaged"
    assert "user ann" in str(problem)


def test_damaged_files_are_told_without_being_asked_for(process: ServerProcess) -> None:
    """Of tables with rows that are still to be flushed, soon after the start."""
    deadline = time.monotonic() + HANGS_SECONDS
    while not all(HOW[table] in process.log for table in ("manifest", "no_manifest", "deletions")):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("table", ["manifest", "no_manifest", "deletions", "records"])
def test_what_cannot_be_loaded_is_listed_from_the_start(client: Client, table: str) -> None:
    """`system.tables` has a line for each table, with what is wrong."""
    assert listed(client)[table] == ("damaged", HOW[table])


def test_what_is_damaged_is_told_in_the_log(client: Client, process: ServerProcess) -> None:
    """Each with its name, and without a path."""
    listed(client)
    for table in ("manifest", "no_manifest", "deletions", "records"):
        assert HOW[table] in process.log
    assert str(process.data_dir) not in process.log


@pytest.mark.parametrize("sql", ["FLUSH ALL", "COMPACT ALL"])
def test_commands_over_all_tables_go_on_past_damage(client: Client, sql: str) -> None:
    """What is whole is done."""
    client.run("INSERT INTO whole VALUES (6, 'six')")
    client.run("DELETE FROM whole WHERE id = 6")
    client.run(sql)
    assert client.column("SELECT id FROM whole WHERE id < 10 ORDER BY id") == [1, 3, 4]


def test_a_damaged_table_can_be_dropped(client: Client) -> None:
    """It needs none of its files for that."""
    client.run("DROP TABLE no_manifest")
    assert "no_manifest" not in listed(client)


def test_what_was_put_back_is_whole(client: Client, process: ServerProcess) -> None:
    """A file that is what was written again is found to be so, without a restart."""
    assert HOW["rows"] in client.error("SELECT max(v) FROM rows")
    assert listed(client)["rows"] == ("damaged", HOW["rows"])
    flip(only(process.data_dir, "rows.*/batch-1.parquet"))
    assert listed(client)["rows"] == ("whole", None)
    assert client.column("SELECT v FROM rows WHERE id < 10 ORDER BY id") == ["one", "three", "four"]


def test_a_lost_manifest_is_made_again_while_the_server_runs(client: Client, process: ServerProcess) -> None:
    """Deleted and overwritten rows stay away, hot ones are there; of a USER table, every lost one is made again."""
    assert HOW["manifest"] in client.error("SELECT max(v) FROM manifest")
    assert client.update("REBUILD MANIFEST FOR manifest") == 1
    assert client.column("SELECT v FROM manifest WHERE id < 10 ORDER BY id") == ["one", "three", "four"]
    assert listed(client)["manifest"] == ("whole", None)
    assert client.update("REBUILD MANIFEST FOR own") == 1
    with process.connect("ann") as connection:
        assert Client(connection).column("SELECT id FROM own ORDER BY id") == [1, 2]
    jobs = client.rows("SELECT state, \"user\" FROM system.jobs WHERE kind = 'manifest_rebuild'")
    assert sorted(jobs, key=str) == [("completed", "ann"), ("completed", None)]
    assert client.update("REBUILD MANIFEST FOR manifest") == 0


def test_a_server_with_damage_stops(process: ServerProcess) -> None:
    """And starts again."""
    assert process.stop() == 0
    process.start()
