"""CHECK as users see it: what is damaged of what is their business, and nothing of anybody else's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rights.house import House, Person

WHOLE = "all is as it was written"


@pytest.fixture
def root(house: House) -> Iterator[Person]:
    """Who looks after the server. What a test made is gone after it."""
    person = house.person("root")
    yield person
    for row in person.ok("SHOW TABLES"):
        person.ok(f"DROP TABLE {row['table']}")


def spoiled(house: House, pattern: str) -> Path:
    """Flip a bit in the one file of such a name."""
    (path,) = (house.database._folder.tables / "public").glob(pattern)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return path


def test_a_check_says_what_where_and_what_can_be_done(house: House, root: Person) -> None:
    """And statements that meet it fail from then on; put back, it is whole."""
    root.ok("CREATE TABLE t (k BIGINT PRIMARY KEY)")
    root.ok("INSERT INTO t VALUES (1)")
    root.ok("FLUSH t")
    assert root.ok("CHECK TABLE t") == root.ok("CHECK ALL") == []
    spoiled(house, "t.*/batch-1.parquet")
    damage = {
        "namespace": "public",
        "table": "t",
        "user": None,
        "what": "batch 1",
        "problem": "its file is not what was written",
        "remedy": "put it back from a copy of the data folder",
    }
    assert root.ok("CHECK TABLE t") == root.ok("CHECK ALL") == [damage]
    assert "batch 1 of table public.t is damaged" in str(root.query("SELECT sum(k) FROM t"))
    spoiled(house, "t.*/batch-1.parquet")
    assert root.ok("CHECK TABLE t") == []
    assert root.ok("SELECT k FROM t") == [{"k": 1}]


def test_a_users_check_is_about_their_own_rows(house: House, root: Person) -> None:
    """An admin's is about everybody's."""
    root.ok("CREATE USER TABLE each (k BIGINT PRIMARY KEY)")
    for name in ("sid", "bob"):
        house.person(name).ok("INSERT INTO each VALUES (1)")
    root.ok("FLUSH each")
    spoiled(house, "each.*/u-bob/batch-1.parquet")
    assert house.person("sid").ok("CHECK TABLE each") == house.person("sid").ok("CHECK ALL") == []
    (found,) = root.ok("CHECK TABLE each")
    assert (found["user"], found["what"]) == ("bob", "batch 1")
    assert house.person("ann").ok("CHECK ALL") == []


def test_checks_are_jobs(house: House, root: Person) -> None:
    """All of one kind, with who asked, what was read, and what came of it."""
    root.ok("CREATE TABLE t (k BIGINT PRIMARY KEY)")
    root.ok("INSERT INTO t VALUES (1), (2)")
    root.ok("FLUSH t")
    known = {row["job_id"] for row in root.ok("SHOW JOBS")}
    for sql in ("CHECK TABLE t", "CHECK ALL", "CHECK AUDIT LOG"):
        root.ok(sql)
    jobs = [row for row in root.ok("SHOW JOBS") if row["job_id"] not in known]
    assert [(row["kind"], row["state"], row["asked_by"], row["table"], row["message"]) for row in jobs] == [
        ("check", "completed", "root", "t", WHOLE),
        ("check", "completed", "root", None, WHOLE),
        ("check", "completed", "root", None, WHOLE),
    ]
    assert jobs[0]["rows"] == 2
    assert jobs[0]["bytes"]
