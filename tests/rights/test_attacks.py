"""Attacks of a user on what is others': each tries one thing, is refused with its error, and changes and shows nothing.

More are where they belong, with the mark `attack`: forged tokens, policies, statements for others, the engine's doors.
"""

from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from flightserver.protocol import actions, commands
from flightserver.protocol.actions import SavepointEnd, TransactionEnd
from flightserver.protocol.commands import IfExists, IfNotExist
from flightserver.protocol.flight import FLIGHT_INFO, FlightInfo
from flightserver.protocol.generated import flight_pb2
from tests.rights.house import Answer, House, Person

pytestmark = pytest.mark.attack

CANARY = "canary"
PREY = [{"id": 1, "v": 5, "s": CANARY}, {"id": 2, "v": 6, "s": CANARY}]


@pytest.fixture
def ann(house: House) -> Iterator[Person]:
    """Who attacks. What she is after is as it was when she has ended, and she has got nothing of it."""
    root, bob = house.person("root"), house.person("bob")
    root.ok("CREATE TABLE prey (id BIGINT PRIMARY KEY, v BIGINT, s TEXT)")
    root.ok(f"INSERT INTO prey VALUES (1, 5, '{CANARY}'), (2, 6, '{CANARY}')")
    root.ok("CREATE VIEW veil AS SELECT s FROM prey")
    root.ok("CREATE NAMESPACE lair")
    root.ok("CREATE USER TABLE each (id BIGINT PRIMARY KEY, v BIGINT, s TEXT)")
    bob.ok(f"INSERT INTO each VALUES (1, 5, '{CANARY}'), (2, 6, '{CANARY}')")
    person = house.person("ann")
    yield person
    assert root.ok("SELECT * FROM prey ORDER BY id") == PREY
    assert bob.ok("SELECT * FROM each ORDER BY id") == PREY
    assert root.ok("SHOW GRANTS ON prey") == []
    assert person.query("SELECT * FROM prey").error == "NOT_FOUND: table 'prey' not found"
    person.query("ROLLBACK")
    for view in root.ok("SELECT view FROM system.views"):
        root.ok(f'DROP VIEW "{view["view"]}" CASCADE')
    for table in root.ok("SHOW TABLES"):
        root.ok(f'DROP TABLE "{str(table["table"]).replace(chr(34), chr(34) * 2)}" CASCADE')
    root.ok("DROP NAMESPACE lair")


MISSING = "NOT_FOUND: table public.prey does not exist"
UNKNOWN = "NOT_FOUND: table 'prey' not found"
SEVERAL = "SYNTAX: line 1:{}: one statement at a time: these are several, separated by ';'"
USER = "DENIED: ann has the role user and"
NOBODY = "DENIED: AS USER {!r}: there is no user of that name for whom ann may act"

STATEMENTS = {
    "SELECT 1; DROP TABLE prey": SEVERAL.format(9),
    "SELECT 1 /* ; */; DELETE FROM prey": SEVERAL.format(17),
    "CREATE VIEW w AS SELECT 1; DROP TABLE prey": SEVERAL.format(26),
    "EXECUTE AS USER 'ann' (SELECT 1); DROP TABLE prey": SEVERAL.format(33),
    "EXECUTE AS USER 'ann' (SELECT 1; DROP TABLE prey)": SEVERAL.format(32),
    "EXECUTE AS USER 'root' (DROP TABLE prey)": NOBODY.format("root"),
    "EXECUTE AS USER 'root' (SELECT * FROM prey)": NOBODY.format("root"),
    "EXPLAIN EXECUTE AS USER 'root' (SELECT * FROM prey)": NOBODY.format("root"),
    "EXPLAIN ANALYZE SELECT * FROM prey": UNKNOWN,
    "EXPLAIN ANALYZE VERBOSE SELECT max(s) FROM prey WHERE v = 5": UNKNOWN,
    "EXPLAIN ANALYZE UPDATE prey SET v = 1": MISSING,
    "EXPLAIN ANALYZE DELETE FROM prey": MISSING,
    "EXPLAIN ANALYZE INSERT INTO prey SELECT * FROM prey": MISSING,
    "EXPLAIN ANALYZE SELECT * FROM veil": "NOT_FOUND: table 'veil' not found",
    'SELECT * FROM "$all of public".prey': "NOT_FOUND: table '$all of public.prey' not found",
    "SELECT * FROM main.public.prey": "NOT_FOUND: table 'public.prey' not found",
    "SELECT * FROM (VALUES (1)) t(id) WHERE EXISTS (SELECT 1 FROM prey)": UNKNOWN,
    "WITH prey2 AS (SELECT * FROM prey) SELECT 1": UNKNOWN,
    "SELECT (TABLE prey)": UNKNOWN,
    "SELECT CASE WHEN false THEN (SELECT max(s) FROM prey) END": UNKNOWN,
    "CREATE VIEW mine AS SELECT * FROM prey": UNKNOWN,
    "CREATE OR REPLACE VIEW veil AS SELECT 1": "ALREADY_EXISTS: the name public.veil is taken",
    "CREATE TABLE IF NOT EXISTS prey (id BIGINT)": "DENIED: the role user may not make a SHARED table",
    "CREATE USER TABLE prey (id BIGINT PRIMARY KEY)": "ALREADY_EXISTS: the name public.prey is taken",
    "CREATE USER TABLE IF NOT EXISTS prey AS SELECT 1 AS id": "ALREADY_EXISTS: the name public.prey is taken",
    "ALTER TABLE each RENAME TO prey": "NOT_FOUND: table public.each does not exist",
    "ALTER TABLE prey OWNER TO ann": MISSING,
    "ALTER NAMESPACE lair OWNER TO ann": "NOT_FOUND: namespace lair does not exist",
    "DROP NAMESPACE public CASCADE": "",
    "DROP NAMESPACE lair CASCADE": "NOT_FOUND: namespace lair does not exist",
    "GRANT ALL ON prey TO ann": MISSING,
    "GRANT ALL ON NAMESPACE public TO ann": "NOT_FOUND: namespace public does not exist",
    "GRANT SELECT ON each TO ann": "INVALID: everybody has rows of their own in public.each",
    "REVOKE ALL ON prey FROM root CASCADE": MISSING,
    "CREATE POLICY p ON prey USING (true)": MISSING,
    "ALTER USER root SET ROLE user": f"{USER} may not set the role of root",
    "ALTER USER nobody SET ROLE user": f"{USER} may not set the role of nobody",
    "ALTER USER root DISABLE": f"{USER} may not enable or disable root",
    "ALTER USER root SET LIMIT sessions = 0": f"{USER} may not set limits of root",
    "ALTER USER root SET PASSWORD 'correct horse'": f"{USER} may not set the password of root",
    "CREATE USER eva WITH PASSWORD 'correct horse' ROLE system": f"{USER} may not create a system",
    "CREATE TOKEN t FOR root": f"{USER} may not create tokens for root",
    "DROP TOKEN t FOR root": f"{USER} may not drop tokens of root",
    "DROP USER root CASCADE": f"{USER} may not drop root",
    "SELECT pg_read_file('/etc/passwd')": "",
    "SELECT * FROM '/etc/passwd'": "",
    "SELECT * FROM '../../catalog/rocksdb'": "",
    "COPY prey TO '/tmp/prey.csv'": "",
    "CREATE EXTERNAL TABLE e STORED AS CSV LOCATION '/etc/passwd'": "",
    "SET datafusion.catalog.information_schema = true": "",
    "SELECT * FROM information_schema.df_settings": "",
    "UPDATE each SET v = 1 FROM prey WHERE prey.id = each.id": UNKNOWN,
    "DELETE FROM each USING prey WHERE prey.id = each.id": UNKNOWN,
    "INSERT INTO each SELECT * FROM prey": UNKNOWN,
    "INSERT INTO each (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET s = (SELECT max(s) FROM prey)": UNKNOWN,
    "MERGE INTO prey USING each ON true WHEN MATCHED THEN DELETE": MISSING,
    "MERGE INTO each USING prey ON true WHEN MATCHED THEN DELETE": UNKNOWN,
    "CREATE TEMPORARY TABLE mine LIKE prey": MISSING,
    "CREATE OR REPLACE USER TABLE prey (id INT)": "ALREADY_EXISTS: the name public.prey is taken",
    "CREATE USER TABLE mine (LIKE each, LIKE prey INCLUDING ALL)": MISSING,
    "CHECK AUDIT LOG": "DENIED: ",
}
"""What she sends, and the error, or how it begins; an empty one is the syntax's or the engine's, whatever it says."""


@pytest.mark.parametrize("sql", STATEMENTS)
def test_a_statement_reaches_nothing_of_others(ann: Person, sql: str) -> None:
    """On each way in: as a query, as a change, prepared, and described."""
    for way in (Person.query, Person.prepared, Person.schema):
        answer = way(ann, sql)
        if way is Person.schema and answer.error is None and "EXPLAIN" not in sql:
            continue  # a statement without a result may be described whoever may run it
        assert answer.error is not None, (way, answer)
        assert answer.error.startswith(STATEMENTS[sql]), answer.error
        assert CANARY not in answer.error
        assert "root:" not in answer.error


NAMES = {
    "a folder above": "../prey",
    "the root": "/etc/passwd",
    "two dots": "..",
    "one dot": ".",
    "a path that is escaped": "%2e%2e%2fprey",
    "backslashes": "..\\prey",
    "a quote and a statement": 'x"; DROP TABLE prey; --',
    "an apostrophe and a statement": "x'); DROP TABLE prey; --",
    "a comment": "x /* ",
    "a dot": "public.prey",
    "a semicolon": "x;y",
    "a question mark": "?",
    "a parameter": "$1",
    "a star": "*",
    "a glob": "[p]rey",
    "braces": "{prey}",
    "the engine's own": "$all of public",
    "the guard's own": "$offered",
    "look-alike letters": "\u0440rey",
    "wide letters": "\uff50\uff52\uff45\uff59",
    "letters from right to left": "prey\u202eyerp",
    "a space behind": "prey ",
    "another case": "PREY",
    "backticks": "`prey`",
    "a zero-width space": "prey\u200b",
}
BAD_NAMES = {"NUL": "pr\0ey", "a new line": "pr\ney", "ten thousand letters": "x" * 10_000, "nothing": ""}


def quoted(name: str) -> str:
    """A name as SQL has it."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


@pytest.mark.proof
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_name(house: House, ann: Person, name: str) -> None:
    """Of a table, its columns, a view over it, a policy on it and a savepoint; every statement that we write has it."""
    root, x = house.person("root"), quoted(NAMES[name])
    root.ok(f"CREATE TABLE {x} ({x} TEXT PRIMARY KEY, who TEXT) WITH (bloom_columns = '')")
    root.ok(f"INSERT INTO {x} VALUES ('mine', 'ann'), ('{CANARY}', 'bob')")
    root.ok(f"GRANT ALL ON {x} TO ann")
    root.ok(f"CREATE POLICY {x} ON {x} USING (who = CURRENT_USER AND {x} <> 'q')")
    root.ok(f"FLUSH TABLE {x}")
    column = NAMES[name]
    rows = pa.table({column: ["mine", "more"], "who": ["ann", "ann"]})
    assert ann.ok(f"SELECT * FROM {x}") == [{column: "mine", "who": "ann"}]
    assert ann.ingest(NAMES[name], rows).error is None
    assert ann.update(f"UPDATE {x} SET who = 'ann' WHERE {x} LIKE 'm%'").affected == 2
    assert "a new row" in ann.refused(f"UPDATE {x} SET who = 'bob' WHERE {x} = 'mine'")
    upsert = f"INSERT INTO {x} VALUES ('{CANARY}', 'ann') ON CONFLICT ({x}) DO UPDATE SET who = excluded.who"
    assert "a row that exists" in ann.refused(upsert)
    assert ann.read(commands.rows_of(commands.table_of_path([b"public", NAMES[name].encode()]))).error is None
    assert CANARY not in str(ann.query(f"EXPLAIN ANALYZE SELECT * FROM {x}"))
    ann.ok("BEGIN")
    ann.ok(f"SAVEPOINT {x}")
    assert ann.update(f"DELETE FROM {x}").affected == 2
    ann.ok(f"ROLLBACK TO SAVEPOINT {x}")
    ann.ok("COMMIT")
    assert len(root.ok(f"SELECT * FROM {x}")) == 3
    assert sorted(path.name for path in house.folder.parent.iterdir()) == [house.folder.name]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_what_is_no_name_is_refused(ann: Person, name: str) -> None:
    """Whatever it would be the name of; the error is short."""
    x = quoted(BAD_NAMES[name])
    for sql in (
        f"CREATE USER TABLE {x} (id BIGINT PRIMARY KEY)",
        f"CREATE VIEW {x} AS SELECT 1 AS one",
        f"CREATE USER TABLE ok_name ({x} BIGINT PRIMARY KEY)",
        f"CREATE NAMESPACE {x}",
        f"SAVEPOINT {x}",
        f"SELECT * FROM {x}",
        f"DROP TABLE {x}",
    ):
        assert len(ann.refused(sql)) < 1_000
    assert ann.ingest(BAD_NAMES[name], pa.table({"id": [1]}), IfExists.APPEND, IfNotExist.CREATE).error is not None


SUBJECTS = [
    "ann' OR '1'='1",
    "root'--",
    "root'); DROP TABLE prey; --",
    "root\0",
    "ROOT",
    "r\u043e\u043et",
    "root ",
    "",
    "../root",
    "%",
]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_whom_a_statement_is_for_is_a_value(ann: Person, house: House, subject: str) -> None:
    """For a user and for a service: a name that means nobody is nobody's, however it is written."""
    escaped = subject.replace("'", "''")
    for person in (ann, house.person("sid")):
        rows = pa.table({"id": [1], "v": [1], "s": [subject]})
        assert person.refused(f"EXECUTE AS USER '{escaped}' (SELECT * FROM prey)").startswith(("DENIED", "INVALID"))
        assert str(person.update(f"DELETE FROM each AS USER '{escaped}'").error).startswith(("DENIED", "INVALID"))
        assert person.ingest("each", rows, as_user=subject).error is not None
        assert person.ingest("each", rows, user_column="s").error is not None


@pytest.fixture
def bob(house: House, ann: Person) -> Person:
    """Whose things are open while ann attacks."""
    return house.person("bob")


def _info(ticket: commands.Command) -> FlightInfo:
    message = flight_pb2.FlightInfo(
        endpoint=[flight_pb2.FlightEndpoint(ticket={"ticket": commands.encode_command(ticket)})]
    )
    return FLIGHT_INFO.decode(message.SerializeToString())


@pytest.mark.parametrize(
    "attack",
    [
        lambda ann, ticket: ann.ask(ticket),
        lambda ann, ticket: ann.act(actions.CancelFlightInfo(_info(ticket))),
        lambda ann, ticket: ann.act(actions.CancelQuery(_info(ticket))),
        lambda ann, ticket: ann.act(actions.RenewFlightEndpoint(_info(ticket).endpoint[0])),
    ],
    ids=["fetch", "cancel", "cancel as older clients do", "renew"],
)
def test_a_result_of_another_is_not_there(
    ann: Person, bob: Person, attack: Callable[[Person, commands.Command], Answer]
) -> None:
    """As one that nobody has; its owner fetches it afterwards."""
    ticket = bob.ticket("SELECT * FROM each ORDER BY id")
    made_up = commands.TicketStatementQuery(b"x" * 32)
    assert attack(ann, ticket).error == attack(ann, made_up).error is not None
    found = bob.ask(ticket).rows
    assert found is not None
    assert found.to_pylist() == PREY


@pytest.mark.parametrize(
    "attack",
    [
        lambda ann, handle: ann.read(commands.PreparedStatementQuery(handle)),
        lambda ann, handle: ann.described(commands.PreparedStatementQuery(handle)),
        lambda ann, handle: ann.put(commands.PreparedStatementUpdate(handle)),
        lambda ann, handle: ann.put(commands.PreparedStatementQuery(handle), pa.table({"1": [7]})),
    ],
    ids=["run", "describe", "run as a change", "bind"],
)
def test_a_prepared_statement_of_another_is_not_there(
    ann: Person, bob: Person, attack: Callable[[Person, bytes], Answer]
) -> None:
    """As one that nobody has; closing it closes nothing."""
    handle = bob.prepare("SELECT * FROM each WHERE v > 0 ORDER BY id")
    assert attack(ann, handle).error == attack(ann, b"x" * 32).error is not None
    assert ann.act(actions.ClosePreparedStatement(handle)).error is None
    found = bob.read(commands.PreparedStatementQuery(handle)).rows
    assert found is not None
    assert found.to_pylist() == PREY


@pytest.mark.parametrize(
    "attack",
    [
        lambda ann, begun: ann.read(commands.StatementQuery("SELECT * FROM each", begun)),
        lambda ann, begun: ann.put(commands.StatementUpdate("DELETE FROM each", begun)),
        lambda ann, begun: ann.act(actions.CreatePreparedStatement("SELECT * FROM each", begun)),
        lambda ann, begun: ann.act(actions.EndTransaction(begun, TransactionEnd.COMMIT)),
        lambda ann, begun: ann.act(actions.EndTransaction(begun, TransactionEnd.ROLLBACK)),
        lambda ann, begun: ann.act(actions.BeginSavepoint(begun, "s")),
        lambda ann, begun: ann.act(actions.EndSavepoint(begun, SavepointEnd.ROLLBACK)),
        lambda ann, begun: ann.put(
            commands.StatementIngest("each", transaction_id=begun), pa.table({"id": [9], "v": [9], "s": ["x"]})
        ),
    ],
    ids=["read", "write", "prepare", "commit", "roll back", "savepoint", "end a savepoint", "stream"],
)
def test_a_transaction_of_another_is_not_there(
    ann: Person, bob: Person, attack: Callable[[Person, bytes], Answer]
) -> None:
    """As one that nobody has; its owner goes on in it."""
    begun = bob.begin()
    assert bob.put(commands.StatementUpdate("UPDATE each SET v = 0", begun)).affected == 2
    assert attack(ann, begun).error == attack(ann, b"x" * 32).error is not None
    assert bob.put(commands.StatementUpdate("UPDATE each SET v = 1", begun)).affected == 2
    assert bob.act(actions.EndTransaction(begun, TransactionEnd.ROLLBACK)).error is None


def test_what_was_granted_is_gone_at_the_next_run(house: House, ann: Person) -> None:
    """A statement that was prepared before a REVOKE, a DROP or a policy asks again when it runs."""
    root = house.person("root")
    root.ok("CREATE TABLE lent (id BIGINT PRIMARY KEY, s TEXT)")
    root.ok(f"INSERT INTO lent VALUES (1, '{CANARY}')")
    root.ok("GRANT SELECT, DELETE ON lent TO ann")
    query, change = ann.prepare("SELECT * FROM lent"), ann.prepare("DELETE FROM lent")
    root.ok("CREATE POLICY none ON lent USING (false)")
    found = ann.read(commands.PreparedStatementQuery(query)).rows
    assert found is not None
    assert found.num_rows == 0
    root.ok("REVOKE ALL ON lent FROM ann")
    assert ann.read(commands.PreparedStatementQuery(query)).error == "NOT_FOUND: table 'lent' not found"
    assert ann.put(commands.PreparedStatementUpdate(change)).error == "NOT_FOUND: table public.lent does not exist"


def test_a_transaction_that_began_before_a_revoke_commits_no_more(house: House, ann: Person) -> None:
    """Each of its statements asks for what is now, and what it has written before is not committed by force."""
    root = house.person("root")
    root.ok("CREATE TABLE lent (id BIGINT PRIMARY KEY, s TEXT)")
    root.ok("GRANT SELECT, INSERT ON lent TO ann")
    ann.ok("BEGIN")
    ann.ok("INSERT INTO lent VALUES (1, 'x')")
    root.ok("REVOKE ALL ON lent FROM ann")
    ann.query("COMMIT")
    assert "not found" in ann.refused("SELECT * FROM lent")


def test_a_temporary_table_is_no_trap_for_a_view(house: House, ann: Person) -> None:
    """A view of somebody else reads what its owner meant, whatever the reader has put before it."""
    root = house.person("root")
    root.ok("CREATE VIEW told AS SELECT count(*) AS n FROM prey")
    root.ok("GRANT SELECT ON told TO ann")
    ann.ok("CREATE TEMPORARY TABLE prey (id BIGINT PRIMARY KEY, v BIGINT, s TEXT)")
    assert ann.ok("SELECT n FROM told") == [{"n": 2}]
    assert ann.ok("SELECT count(*) AS n FROM prey") == [{"n": 0}]
    ann.ok("DROP TABLE prey")


def test_rights_to_write_are_no_rights_to_read(house: House, ann: Person) -> None:
    """A change that searches, computes or compares reads; without SELECT nothing of a row is told."""
    root = house.person("root")
    for right in ("INSERT", "UPDATE", "DELETE"):
        root.ok("CREATE TABLE box (id BIGINT PRIMARY KEY, v BIGINT, s TEXT)")
        root.ok(f"INSERT INTO box VALUES (1, 5, '{CANARY}')")
        root.ok(f"GRANT {right} ON box TO ann")
        for sql in (
            "SELECT * FROM box",
            "UPDATE box SET v = 1 / (v - 5)",
            "UPDATE box SET v = 3 WHERE s LIKE 'c%'",
            "DELETE FROM box WHERE s LIKE 'c%'",
            "INSERT INTO box VALUES (1, 1, 'x') ON CONFLICT (id) DO UPDATE SET v = 1 / (box.v - 5)",
            "EXPLAIN ANALYZE DELETE FROM box WHERE v = 5",
            "SHOW MANIFEST FOR box",
        ):
            assert ann.refused(sql).startswith("NOT_FOUND: table "), (right, sql)
        assert root.ok("SELECT v FROM box") == [{"v": 5}]
        root.ok("DROP TABLE box")
