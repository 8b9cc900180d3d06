"""BACKUP TO, SHOW BACKUPS, CHECK BACKUP and restore: what is in a backup, who may take one, and what is left of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from adbc_driver_flightsql import dbapi
from click.testing import CliRunner

from catalog.roles import Role
from flightserver.__main__ import main
from flightserver.backup.listing import decode
from tests.server_process import ServerProcess


class Shop:
    """A server with a table whose rows are hot and cold, and a place for backups."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shelf = folder / "shelf"
        roles = {"root": Role.SYSTEM, "dora": Role.DBA, "sid": Role.SERVICE, "ann": Role.USER}
        self.server = ServerProcess(
            folder / "data",
            users=dict.fromkeys(roles, "word"),
            roles=roles,
            dev=False,
            settings={"backup_dir": str(self.shelf)},
        )

    def ask(self, sql: str, user: str = "root", server: ServerProcess | None = None) -> list[tuple[object, ...]]:
        """The result of a statement."""
        with (server or self.server).connect(user) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def refusal(self, sql: str, user: str = "root") -> str:
        """What is said of a statement that is refused."""
        with pytest.raises(dbapi.Error) as refused:
            self.ask(sql, user)
        return str(refused.value)

    def command(self, *arguments: object) -> str:
        """What a command of the command line prints."""
        done = CliRunner().invoke(main, [*map(str, arguments), "--backup-dir", str(self.shelf)], env={})
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A server with two rows in Parquet, of which one is dead, and one in RocksDB."""
    found = Shop(tmp_path_factory.mktemp("backups"))
    with found.server:
        found.ask("CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT)")
        found.ask("INSERT INTO t VALUES (1, 1), (2, 2)")
        found.ask("FLUSH TABLE t")
        found.ask("DELETE FROM t WHERE id = 1")
        found.ask("INSERT INTO t VALUES (3, 3)")
        found.ask("CREATE USER TABLE own (id BIGINT PRIMARY KEY)", "ann")
        found.ask("INSERT INTO own VALUES (7)", "ann")
        found.ask("FLUSH TABLE own")
        yield found


def test_a_restored_server_answers_as_of_the_moment(shop: Shop, tmp_path: Path) -> None:
    """Rows, hot, cold and dead, users with their passwords, and everybody's own rows; what came later is not there."""
    shop.ask("BACKUP TO 'first'")
    shop.ask("INSERT INTO t VALUES (4, 4)")
    try:
        assert "first: " in shop.command("restore", "first", "--data-dir", tmp_path / "data")
        restored = ServerProcess(tmp_path / "data", users={"root": "word", "ann": "word"}, dev=False)
        restored._has_users = True
        with restored:
            assert shop.ask("SELECT * FROM t ORDER BY id", server=restored) == [(2, 2), (3, 3)]
            assert shop.ask("SELECT * FROM own", "ann", restored) == [(7,)]
            assert shop.ask("CHECK AUDIT LOG", server=restored)[0][-1] is None
            shop.ask("INSERT INTO t VALUES (4, 40)", server=restored)
            shop.ask("COMPACT TABLE t", server=restored)
            assert shop.ask("SELECT * FROM t ORDER BY id", server=restored) == [(2, 2), (3, 3), (4, 40)]
    finally:
        shop.ask("DELETE FROM t WHERE id = 4")


def test_files_are_shared_and_not_copied(shop: Shop) -> None:
    """A batch in two backups and in the data folder is one file; a backup with nothing new has next to nothing new."""
    shop.ask("BACKUP TO 'shared_a'")
    shop.ask("BACKUP TO 'shared_b'")
    (batch,) = (shop.shelf / "shared_a").rglob("t.*/batch-*.parquet")
    other = shop.shelf / "shared_b" / batch.relative_to(shop.shelf / "shared_a")
    assert batch.stat().st_ino == other.stat().st_ino
    assert batch.stat().st_nlink >= 3
    rows = {row[0]: row for row in shop.ask("SHOW BACKUPS")}
    _, created, files, size, new, problem = rows["shared_b"]
    assert created > rows["shared_a"][1]
    assert (files > 5, problem) == (True, None)
    listing = decode((shop.shelf / "shared_b" / "BACKUP").read_bytes())
    assert size == sum((shop.shelf / "shared_b" / file.path).stat().st_size for file in listing.files)
    batches = sum(file.bytes for file in listing.files if "/batch-" in file.path)
    assert new <= size - batches


def test_damage_in_a_backup_is_found_and_not_restored(shop: Shop, tmp_path: Path) -> None:
    """By CHECK BACKUP, and by restore, which reads every byte; what is sound can be had all the same."""
    shop.ask("BACKUP TO 'hurt'")
    assert shop.ask("CHECK BACKUP 'hurt'") == []
    (batch,) = (shop.shelf / "hurt").rglob("t.*/batch-*.parquet")
    data = bytearray(batch.read_bytes())
    data[len(data) // 2] ^= 1
    batch.unlink()  # the file has other names, which stay whole
    batch.write_bytes(data)
    ((file, problem),) = shop.ask("CHECK BACKUP 'hurt'")
    assert str(file).endswith(batch.name)
    assert "is not what was written" in str(problem)
    assert "1 damaged files" in shop.command("restore", "hurt", "--check")
    assert "is not what was written" in shop.command("restore", "hurt", "--data-dir", tmp_path / "refused")
    assert not (tmp_path / "refused" / "FORMAT").exists()
    shop.command("restore", "hurt", "--data-dir", tmp_path / "kept", "--accept-damage")
    restored = ServerProcess(tmp_path / "kept", users={"root": "word", "ann": "word"}, dev=False)
    restored._has_users = True
    with restored:
        assert shop.ask("SELECT * FROM own", "ann", restored) == [(7,)]
        with pytest.raises(dbapi.Error, match=r"public\.t"):
            shop.ask("SELECT * FROM t", server=restored)


def test_a_backup_is_restored_into_an_empty_folder_only(shop: Shop, tmp_path: Path) -> None:
    """Nothing that is there is written over."""
    shop.ask("BACKUP TO 'again'")
    (tmp_path / "mine").write_text("x")
    assert "is not empty" in shop.command("restore", "again", "--data-dir", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "a" * 101, "ä"])
def test_a_name_is_the_name_of_a_folder_and_no_path(shop: Shop, name: str) -> None:
    """Nothing that a client sends says where something lies."""
    for sql in (f"BACKUP TO '{name}'", f"CHECK BACKUP '{name}'"):
        assert "the name of a backup has 1 to 100 letters" in shop.refusal(sql)


def test_a_name_is_taken_once(shop: Shop) -> None:
    """A backup is never written over; one that is not there is not checked."""
    shop.ask("BACKUP TO 'once'")
    assert "there is a backup once already" in shop.refusal("BACKUP TO 'once'")
    assert "there is no backup twice" in shop.refusal("CHECK BACKUP 'twice'")


@pytest.mark.parametrize("user", ["sid", "ann"])
def test_backups_are_for_those_who_look_after_the_server(shop: Shop, user: str) -> None:
    """Everything of everybody is in them."""
    for sql in ("BACKUP TO 'mine'", "SHOW BACKUPS", "CHECK BACKUP 'once'"):
        assert f"{user} may not say what the server does" in shop.refusal(sql, user)
    shop.ask(f"BACKUP TO 'dora_{user}'", "dora")
    found = "SELECT actor, object FROM system.audit_log WHERE action = 'BACKUP' ORDER BY record DESC"
    assert shop.ask(found)[0] == ("dora", f"dora_{user}")


def test_the_newest_are_kept(shop: Shop) -> None:
    """As many as the setting says, and what had been left half-made is gone."""
    shop.ask("ALTER SYSTEM SET backups_kept = 2")
    (shop.shelf / ".making-lost").mkdir(parents=True, exist_ok=True)
    try:
        for name in ("kept_a", "kept_b", "kept_c"):
            shop.ask(f"BACKUP TO '{name}'")
        assert [row[0] for row in shop.ask("SHOW BACKUPS")] == ["kept_b", "kept_c"]
        assert sorted(path.name for path in shop.shelf.iterdir()) == ["LOCK", "kept_b", "kept_c"]
    finally:
        shop.ask("ALTER SYSTEM RESET backups_kept")


def test_a_table_that_is_damaged_keeps_no_other_from_its_backup(tmp_path: Path) -> None:
    """The backup says so, and does not push out one that may have the table whole."""
    shop = Shop(tmp_path)
    with shop.server:
        shop.ask("ALTER SYSTEM SET backups_kept = 1")
        for name in ("a", "b"):
            shop.ask(f"CREATE TABLE {name} (id BIGINT PRIMARY KEY)")
            shop.ask(f"INSERT INTO {name} VALUES (1)")
        shop.ask("FLUSH ALL")
        shop.ask("BACKUP TO 'whole'")
        (batch,) = (tmp_path / "data").rglob("a.*/batch-*.parquet")
        batch.unlink()
        assert f"damaged when it was taken: tables/public/a.1/{batch.name}" in str(shop.ask("BACKUP TO 'partial'"))
        assert [row[0] for row in shop.ask("SHOW BACKUPS")] == ["whole", "partial"]


def test_a_stopped_servers_folder_is_backed_up_by_the_command_line(tmp_path: Path) -> None:
    """One that runs is refused; without a place there is no backup."""
    data = tmp_path / "data"
    with ServerProcess(data) as server:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE t AS SELECT 5 AS id")
            with pytest.raises(dbapi.Error, match="set backup_dir, and restart"):
                cursor.execute("BACKUP TO 'x'")
        run = CliRunner()
        options = ["--data-dir", str(data), "--backup-dir", str(tmp_path / "shelf")]
        assert "is in use by another process" in run.invoke(main, ["backup", "x", *options], env={}).stderr
        server.stop()
        assert "x: " in run.invoke(main, ["backup", "x", *options], env={}).stdout
        inside = [*options[:2], "--backup-dir", str(data / "shelf")]
        assert "must lie beside each other" in run.invoke(main, ["backup", "y", *inside], env={}).stderr
    options[1] = str(tmp_path / "new")
    assert "x: " in run.invoke(main, ["restore", "x", *options], env={}).stdout
    with ServerProcess(tmp_path / "new") as server, server.connect() as connection, connection.cursor() as cursor:
        assert cursor.execute("SELECT id FROM t").fetchall() == [(5,)]
