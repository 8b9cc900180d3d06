"""What goes to a cluster and what does not, decided before anything is sent: nobody listens at this one's address."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from catalog.roles import Role
from flightserver.settings import ClusterSettings
from tests.rights.house import House, Person

NOWHERE = ClusterSettings(url="sc://127.0.0.1:1", min_mb=0, silence_s=60)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """With a published table, and things that cannot be read there."""
    people = {"root": Role.SYSTEM, "ann": Role.USER, "bob": Role.USER}
    opened = House(tmp_path_factory.mktemp("cluster") / "data", people, settings={"cluster": NOWHERE})
    root = opened.person("root")
    for text in (
        "CREATE TABLE t (k BIGINT PRIMARY KEY, v TEXT) WITH (publish = 'delta')",
        "INSERT INTO t VALUES (1, 'a'), (2, 'b')",
        "CREATE TABLE quiet (k BIGINT PRIMARY KEY)",
        "CREATE VIEW seen AS SELECT k FROM t",
        "CREATE USER TABLE own (k BIGINT PRIMARY KEY) WITH (publish = 'delta')",
        "CREATE TABLE guarded (k BIGINT PRIMARY KEY, who TEXT) WITH (publish = 'delta')",
        "INSERT INTO guarded VALUES (1, 'ann'), (2, 'bob')",
        "GRANT SELECT ON t TO PUBLIC",
        "GRANT SELECT ON guarded TO PUBLIC",
        "CREATE POLICY theirs ON guarded USING (who = CURRENT_USER)",
    ):
        root.ok(text)
    yield opened
    opened.close()


@pytest.fixture
def root(house: House) -> Person:
    """Who asks the cluster."""
    found = house.person("root")
    found.ok("SET engine = 'cluster'")
    return found


def test_the_engine_is_an_option_of_the_session(house: House) -> None:
    """One of three, and RESET returns to what the server decides."""
    person = house.person("ann")
    assert person.ok("SHOW engine") == [{"engine": "auto"}]
    person.ok("SET engine = 'cluster'")
    assert person.ok("SHOW engine") == [{"engine": "cluster"}]
    assert "engine is one of auto, local, cluster" in person.refused("SET engine = 'mars'")
    person.ok("RESET engine")
    assert person.ok("SELECT sum(k) AS s FROM t") == [{"s": 3}]


def test_without_a_cluster_nobody_can_ask_one(tmp_path: Path) -> None:
    """SET says which setting is missing."""
    alone = House(tmp_path / "data", {"root": Role.SYSTEM})
    try:
        assert "cluster.url" in alone.person("root").refused("SET engine = 'cluster'")
    finally:
        alone.close()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT sum(k) FROM quiet", "quiet is not published"),
        ("SELECT sum(k) FROM seen", "seen is a view"),
        ("SELECT sum(k), count(_seq) FROM t", "it reads columns of the system"),
        ("SELECT now(), k FROM t WHERE k > 0", "is not on its list"),
        ("SELECT k, query_id FROM t, system.queries", "is a system table"),
        ("EXPLAIN ANALYZE SELECT sum(k) FROM t", "does not tell how a query ran"),
    ],
)
def test_what_cannot_run_there_is_refused_with_the_reason(root: Person, text: str, reason: str) -> None:
    """Nothing is guessed, and nothing runs here instead."""
    assert reason in root.refused(text)


def test_row_policies_are_not_left_behind(house: House) -> None:
    """Who sees some rows of a table alone is refused; a file has all of them."""
    ann = house.person("ann")
    ann.ok("SET engine = 'cluster'")
    assert "row policies are on public.guarded" in ann.refused("SELECT sum(k) FROM guarded")


def test_a_right_that_is_missing_is_missing_there(house: House) -> None:
    """A table that one may not read is not there, wherever the query is to run."""
    ann = house.person("ann")
    ann.ok("SET engine = 'cluster'")
    assert ann.refused("SELECT sum(k) FROM quiet").startswith("NOT_FOUND")


def test_some_queries_stay(root: Person) -> None:
    """Those without tables, of system tables, of one key, counts, and all changes."""
    assert root.ok("SELECT 1 + 1 AS two") == [{"two": 2}]
    assert root.ok("SELECT v FROM t WHERE k = 1") == [{"v": "a"}]
    assert root.ok("SELECT count(*) AS n FROM t") == [{"n": 2}]
    assert root.ok("SELECT count(*) > 0 AS some FROM system.queries") == [{"some": True}]
    root.ok("UPDATE t SET v = v || '' WHERE v LIKE 'a%'")


def test_a_transaction_stays(root: Person) -> None:
    """It reads what it has written, which no file has."""
    root.ok("BEGIN")
    root.ok("INSERT INTO t VALUES (3, 'c')")
    assert root.ok("SELECT sum(k) AS s FROM t") == [{"s": 6}]
    root.ok("ROLLBACK")


def test_a_cluster_that_is_not_there_is_a_clear_error(root: Person) -> None:
    """UNAVAILABLE, with a way out; and the statement is listed as one that was to run there."""
    told = root.refused("SELECT sum(k) FROM t")
    assert told.startswith("UNAVAILABLE: ")
    assert "cluster" in told
    listed = root.ok("SELECT engine, state FROM system.queries WHERE text = 'SELECT sum(k) FROM t' ORDER BY query_id")
    assert listed[-1] == {"engine": "cluster", "state": "failed"}


def test_explain_shows_what_goes_where_and_no_path(house: House, root: Person) -> None:
    """The cluster's text, over versions that have just been published."""
    root.ok("INSERT INTO t VALUES (9, 'z')")
    shown = root.ok("EXPLAIN SELECT v, sum(k) FROM t GROUP BY v")
    assert [row["plan_type"] for row in shown] == ["published", "cluster"]
    assert "FROM public.t@" in str(shown[1]["plan"])
    assert str(house.folder) not in str(shown)
    root.ok("DELETE FROM t WHERE k = 9")


def test_everybody_reads_their_own_rows_of_a_user_table(house: House) -> None:
    """The version is that of the asker's own Delta table."""
    for name, keys in (("ann", "(1), (2)"), ("bob", "(3)")):
        person = house.person(name)
        person.ok(f"INSERT INTO own VALUES {keys}")
        person.ok("SET engine = 'cluster'")
        person.ok("EXPLAIN SELECT sum(k) FROM own")
    shown = house.person("root").ok('SELECT "user", rows FROM system.published WHERE "table" = \'own\' ORDER BY 1')
    assert shown == [{"user": "ann", "rows": 2}, {"user": "bob", "rows": 1}]


def test_large_queries_go_there_by_themselves(tmp_path: Path) -> None:
    """Above `min_mb`, which a query that reads less or cannot be translated does not reach."""
    house = House(tmp_path / "data", {"root": Role.SYSTEM}, settings={"cluster": replace_min(1)})
    try:
        root = house.person("root")
        root.ok("CREATE TABLE big (k BIGINT PRIMARY KEY, v TEXT) WITH (publish = 'delta')")
        texts = [hashlib.sha256(str(key).encode()).hexdigest() for key in range(60_000)]
        root.ingest("big", pa.table({"k": range(60_000), "v": texts}))
        root.ok("FLUSH big")
        root.ok("CREATE TABLE small (k BIGINT PRIMARY KEY) WITH (publish = 'delta')")
        root.ok("INSERT INTO small VALUES (1), (4)")
        assert root.refused("SELECT max(v) FROM big").startswith("UNAVAILABLE: ")
        assert root.ok("SELECT max(k) AS k FROM small") == [{"k": 4}]
        assert root.ok("SELECT length(md5(max(v))) AS n FROM big") == [{"n": 32}]
        root.ok("SET engine = 'local'")
        assert len(root.ok("SELECT max(v) FROM big")) == 1
    finally:
        house.close()


def replace_min(min_mb: int) -> ClusterSettings:
    """The cluster that is not there, for queries from a size on."""
    return NOWHERE.model_copy(update={"min_mb": min_mb})
