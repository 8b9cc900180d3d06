"""The audit log of statements: what is recorded, with which words, and when."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from flightserver.access.auditing import ACTIONS, COMMITTED
from flightserver.sql import server_statements as server
from flightserver.sql import statements as sql
from flightserver.sql import table_statements as tables
from tests.rights.house import House, Person

LOG = "SELECT * FROM system.audit_log ORDER BY record"
BULK_ROWS = 60_000


@pytest.fixture
def root(house: House) -> Iterator[Person]:
    """Who may read the log. What a test made is gone after it."""
    person = house.person("root")
    yield person
    for row in person.ok("SELECT * FROM system.views"):
        person.ok(f"DROP VIEW {row['view']}")
    for row in person.ok("SHOW TABLES"):
        person.ok(f"DROP TABLE {row['table']}")


def since(root: Person, count: int) -> list[tuple[object, ...]]:
    """Who did what to what for whom, how it ended, and how many rows it was; after so many records."""
    names = ("actor", "subject", "action", "object", "outcome", "rows")
    return [tuple(row[name] for name in names) for row in root.ok(LOG)[count:]]


def length(root: Person) -> int:
    """How many records there are."""
    return len(root.ok(LOG))


def test_definitions_are_recorded_by_their_kinds(root: Person) -> None:
    """With who, what and how it ended."""
    before = length(root)
    for text in (
        "CREATE NAMESPACE audited",
        "DROP NAMESPACE audited",
        "CREATE TABLE t (k BIGINT PRIMARY KEY)",
        "ALTER TABLE t ADD COLUMN v BIGINT",
        "CREATE VIEW w AS SELECT k FROM t",
        "GRANT SELECT ON t TO ann",
        "REVOKE SELECT ON t FROM ann",
        "DROP VIEW w",
        "DROP TABLE t",
    ):
        root.ok(text)
    assert [(row[2], row[3], row[4]) for row in since(root, before)] == [
        ("CREATE NAMESPACE", "audited", "allowed"),
        ("DROP NAMESPACE", "audited", "allowed"),
        ("CREATE TABLE", "t", "allowed"),
        ("ALTER TABLE", "t", "allowed"),
        ("CREATE VIEW", "w", "allowed"),
        ("GRANT", "t", "allowed"),
        ("REVOKE", "t", "allowed"),
        ("DROP VIEW", "w", "allowed"),
        ("DROP TABLE", "t", "allowed"),
    ]


def test_what_is_for_another_user_is_recorded(house: House, root: Person) -> None:
    """Changes with their rows and their commit, and queries."""
    root.ok("CREATE USER TABLE mine (k BIGINT PRIMARY KEY)")
    before = length(root)
    sid = house.person("sid")
    sid.ok("INSERT INTO mine AS USER 'ann' VALUES (1), (2)")
    sid.ok("EXECUTE AS USER 'ann' (SELECT k FROM mine)")
    assert since(root, before) == [
        ("sid", "ann", "INSERT", "mine", "allowed", 2),
        ("sid", "ann", "SELECT", None, "allowed", None),
    ]
    (insert, *_) = root.ok(LOG)[before:]
    assert insert["seq"] == house.person("ann").ok("SELECT max(_seq) AS s FROM mine")[0]["s"]


def test_what_is_one_s_own_is_not(house: House, root: Person) -> None:
    """Everybody's queries and changes would be a log of their own."""
    root.ok("CREATE USER TABLE mine (k BIGINT PRIMARY KEY)")
    before = length(root)
    ann = house.person("ann")
    ann.ok("INSERT INTO mine VALUES (1)")
    ann.ok("DELETE FROM mine WHERE k = 9")
    ann.ingest("mine", pa.table({"k": [2]}))
    ann.ok("SELECT k FROM mine")
    assert since(root, before) == []


def test_who_may_not_act_for_somebody_is_recorded(house: House, root: Person) -> None:
    """As denied, with the name that was asked for, and without the words of the error."""
    before = length(root)
    house.person("ann").refused("EXECUTE AS USER 'bob' (SELECT 1)")
    assert since(root, before) == [("ann", "bob", "SELECT", None, "denied", None)]
    assert root.ok(LOG)[-1]["detail"] == "denied"


def test_who_may_not_act_for_somebody_is_recorded_when_it_is_only_prepared(house: House, root: Person) -> None:
    """Or described: what is not run is a way of asking, too."""
    before, ann = length(root), house.person("ann")
    ann.prepared("EXECUTE AS USER 'bob' (SELECT 1)")
    ann.schema("EXECUTE AS USER 'bob' (SELECT 1)")
    assert since(root, before) == [("ann", "bob", "SELECT", None, "denied", None)] * 2


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE hidden",
        "ALTER TABLE hidden ADD COLUMN v INT",
        "TRUNCATE hidden",
        "GRANT SELECT ON hidden TO ann",
        "CREATE POLICY p ON hidden USING (true)",
        "CREATE VIEW w AS SELECT * FROM hidden",
        "CREATE USER TABLE w AS SELECT k FROM hidden",
        "DROP VIEW veil",
        "DROP NAMESPACE apart",
        "CREATE VIEW apart.w AS SELECT 1 AS one",
        "INSERT INTO hidden VALUES (1)",
        "INSERT INTO open SELECT k FROM hidden",
    ],
)
def test_what_is_hidden_is_denied_in_the_log_and_not_there_for_who_asked(house: House, root: Person, sql: str) -> None:
    """The log tells it from a mistyped name, which nobody else can."""
    root.ok("CREATE TABLE hidden (k BIGINT PRIMARY KEY) WITH (audit = 'writes')")
    root.ok("CREATE TABLE open (k BIGINT PRIMARY KEY) WITH (audit = 'writes')")
    root.ok("GRANT ALL ON open TO ann")
    root.ok("CREATE VIEW veil AS SELECT k FROM hidden")
    root.ok("CREATE NAMESPACE IF NOT EXISTS apart")
    before, ann = length(root), house.person("ann")
    assert ann.refused(sql).startswith("NOT_FOUND")
    assert [row[4] for row in since(root, before)] == ["denied"]
    assert ann.refused("DROP TABLE mistyped").startswith("NOT_FOUND")
    assert since(root, before)[-1][4] == "failed"


def test_what_failed_is_recorded(root: Person) -> None:
    """And changed nothing."""
    before = length(root)
    root.refused("DROP TABLE nowhere")
    assert since(root, before) == [("root", "root", "DROP TABLE", "nowhere", "failed", None)]


def test_a_stream_for_many_users_has_a_record_for_each(house: House, root: Person) -> None:
    """With the rows of each."""
    root.ok("CREATE USER TABLE mine (k BIGINT PRIMARY KEY, who TEXT)")
    before = length(root)
    rows = pa.table({"k": [1, 2, 3], "who": ["ann", "bob", "ann"]})
    assert house.person("sid").ingest("mine", rows, user_column="who").affected == 3
    assert sorted(since(root, before)) == [
        ("sid", "ann", "INGEST", "mine", "allowed", 2),
        ("sid", "bob", "INGEST", "mine", "allowed", 1),
    ]


def test_a_large_stream_is_recorded_with_its_manifest(house: House, root: Person) -> None:
    """Its commit point is a file, and its record is there nevertheless, once."""
    root.ok("CREATE USER TABLE mine (k BIGINT PRIMARY KEY)")
    before = length(root)
    rows = pa.table({"k": np.arange(BULK_ROWS)})
    assert house.person("sid").ingest("mine", rows, as_user="ann").affected == BULK_ROWS
    assert since(root, before) == [("sid", "ann", "INGEST", "mine", "allowed", BULK_ROWS)]


@pytest.mark.parametrize(("end", "records"), [("COMMIT", 2), ("ROLLBACK", 0)])
def test_a_transaction_and_its_records_are_one_fate(house: House, root: Person, end: str, records: int) -> None:
    """What did not happen is not in the log; what did is, with the commit."""
    root.ok("CREATE USER TABLE mine (k BIGINT PRIMARY KEY)")
    before = length(root)
    sid = house.person("sid")
    sid.ok("BEGIN")
    sid.ok("INSERT INTO mine AS USER 'ann' VALUES (1)")
    sid.ok("CREATE TABLE made (k BIGINT PRIMARY KEY)")
    assert since(root, before) == []
    sid.ok(end)
    assert len(since(root, before)) == records


def test_what_was_undone_to_a_savepoint_is_not_in_the_log(house: House, root: Person) -> None:
    """It is as if it had never been asked for."""
    root.ok("CREATE USER TABLE mine (k BIGINT PRIMARY KEY)")
    before = length(root)
    sid = house.person("sid")
    for text in (
        "BEGIN",
        "INSERT INTO mine AS USER 'ann' VALUES (1)",
        "SAVEPOINT s",
        "INSERT INTO mine AS USER 'bob' VALUES (1)",
        "ROLLBACK TO SAVEPOINT s",
        "COMMIT",
    ):
        sid.ok(text)
    assert since(root, before) == [("sid", "ann", "INSERT", "mine", "allowed", 1)]


def test_only_those_who_look_after_the_server_read_the_log(house: House, root: Person) -> None:
    """Others see no record, and may not check it."""
    root.refused("DROP TABLE nowhere")
    assert house.person("ann").ok(LOG) == []
    assert house.person("ann").refused("CHECK AUDIT LOG").startswith("DENIED")
    assert house.person("dora").ok(LOG)


def test_the_check_says_where_the_log_ends(root: Person) -> None:
    """A head that was noted elsewhere can be compared with it."""
    root.refused("DROP TABLE nowhere")
    (head,) = root.ok("CHECK AUDIT LOG")
    assert head["record"] == length(root)
    assert head["problem"] is None
    assert len(str(head["digest"])) == 64


def test_no_text_of_a_statement_is_in_the_log(root: Person) -> None:
    """Its digest tells those who have the text which it was."""
    root.refused("DROP TABLE nowhere -- s3cret")
    assert "s3cret" not in str(root.ok(LOG))


def test_every_statement_with_a_record_is_a_statement(root: Person) -> None:
    """The declaration names no more than there is, and each change among it."""
    assert all(issubclass(kind, sql.Statement) for kind in ACTIONS)
    ended_or_begun = {server.KillQuery, server.KillSession, server.KillJob, server.Backup}
    ended_or_begun |= {tables.RebuildManifest, tables.PublishTable}
    assert set(ACTIONS) - COMMITTED == ended_or_begun


def test_changes_of_a_table_are_recorded_when_it_asks_for_it(root: Person) -> None:
    """Each with its commit, ingests too; reads are not."""
    root.ok("CREATE TABLE t (k BIGINT PRIMARY KEY, v INT) WITH (audit = 'writes')")
    root.ok("CREATE TABLE other (k BIGINT PRIMARY KEY)")
    before = length(root)
    root.ok("INSERT INTO t VALUES (1, 1), (2, 1)")
    root.ok("UPDATE t SET v = 3 WHERE k = 2")
    root.ok("DELETE FROM t WHERE k = 1")
    root.ingest("t", pa.table({"k": pa.array([7], pa.int64())}))
    root.ok("INSERT INTO other SELECT k FROM t")
    assert [row[2:] for row in since(root, before)] == [
        ("INSERT", "t", "allowed", 2),
        ("UPDATE", "t", "allowed", 1),
        ("DELETE", "t", "allowed", 1),
        ("INGEST", "t", "allowed", 1),
    ]


def test_reads_of_a_table_are_recorded_when_it_asks_for_it(root: Person) -> None:
    """Once a statement, by whatever way its rows are reached: a key, a count, a view, another table's change."""
    root.ok("CREATE TABLE t (k BIGINT PRIMARY KEY)")
    root.ok("CREATE VIEW w AS SELECT a.k FROM t AS a JOIN t AS b ON a.k = b.k")
    root.ok("CREATE TABLE other (k BIGINT PRIMARY KEY)")
    root.ok("INSERT INTO t VALUES (1)")
    root.ok("ALTER TABLE t SET (audit = 'all')")
    before = length(root)
    for text in (
        "SELECT * FROM t WHERE k = 1",
        "SELECT count(*) FROM t",
        "SELECT sum(k) AS s FROM t",
        "SELECT * FROM w",
        "INSERT INTO other SELECT k FROM t",
        "DELETE FROM other WHERE k IN (SELECT k FROM t)",
    ):
        root.ok(text)
    assert [row[2:4] for row in since(root, before)] == [("SELECT", "public.t")] * 6


def test_a_change_that_fails_is_recorded_when_the_table_asks_for_it(root: Person) -> None:
    """As a failure: nothing was written."""
    root.ok("CREATE TABLE t (k BIGINT PRIMARY KEY) WITH (audit = 'writes')")
    root.ok("INSERT INTO t VALUES (1)")
    before = length(root)
    root.refused("INSERT INTO t VALUES (1)")
    assert [row[2:] for row in since(root, before)] == [("INSERT", "t", "failed", None)]


def test_what_may_be_audited_is_told(root: Person) -> None:
    """And shown with the table."""
    assert "audit is one of none, writes, all" in root.refused("CREATE TABLE t (k BIGINT) WITH (audit = 'some')")
    root.ok("CREATE TABLE t (k BIGINT) WITH (audit = 'all')")
    assert "audit = 'all'" in str(root.ok("SHOW CREATE TABLE t"))
