"""Canaries: whatever is somebody else's has a random word in it, and no byte that a user receives has one.

Rows, keys, columns, defaults, names of tables, views, namespaces, policies, users and tokens, texts of statements that
run, failed or wait, rows of transactions that are open: each has a word of its own. Probes come over the wire, by every
command, with what a user could know: names without words, and handles, tickets and transactions of others to the byte.
`FLIGHTSERVER_PROBES` sets how many there are.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import flight

from catalog.roles import Role
from flightserver.protocol import actions, commands
from flightserver.protocol.actions import SavepointEnd, TransactionEnd
from flightserver.protocol.commands import IfExists, IfNotExist, StatementIngest, TableDefinitionOptions
from flightserver.protocol.flight import FLIGHT_INFO, FlightInfo
from tests.e2e.wire import Wire, begin, savepoint
from tests.rights.ways import CATALOGS, plan
from tests.server_process import ServerProcess

pytestmark = pytest.mark.proof

PROBES = int(os.environ.get("FLIGHTSERVER_PROBES", "5000"))
MARK = "qzx"
"""What every canary begins with, and nothing else has in it."""

PASSWORD = "correct horse"
TABLES = (
    "hidden",
    "apart.hidden",
    "policed",
    "each",
    "open",
    "dropbox",
    "writable",
    "erasable",
    "shown",
    "veiled",
    "no",
)
"""What ann may name: hidden things, things in which rows are hidden, her own, and one that there is not."""

SYSTEM = (
    "audit_log",
    "grants",
    "kept",
    "limits",
    "manifest_cache",
    "policies",
    "published",
    "queries",
    "sessions",
    "tables",
    "tokens",
    "users",
    "views",
)


class Canaries:
    """Makes words. Each is new."""

    def __init__(self) -> None:
        self.count = 0

    def __format__(self, _: str) -> str:
        self.count += 1
        return f"{MARK}{self.count:04d}{random.Random(self.count).getrandbits(32):08x}"


class Others:
    """What everybody else has and does, as long as it is open."""

    def __init__(self, server: ServerProcess, stack: ExitStack) -> None:
        self.word = word = Canaries()
        self._bob_name = f"bob{word}"
        self.root = stack.enter_context(Wire(server, "root"))
        self._furnish(self.root)
        self.root.query(f"CREATE USER {self._bob_name} WITH PASSWORD '{PASSWORD}'")
        self.root.query(f"GRANT SELECT, UPDATE ON hidden TO {self._bob_name}")
        self.root.query(f"GRANT SELECT ON open TO {self._bob_name}")
        self.root.query(f"CREATE TOKEN t{word} FOR {self._bob_name}")
        self.root.query(f"CREATE POLICY p{word} ON policed TO {self._bob_name} USING (note <> '{word}')")
        server._passwords[self._bob_name] = PASSWORD
        self.bob = stack.enter_context(Wire(server, self._bob_name))
        self._work(self.bob)

    def _furnish(self, root: Wire) -> None:
        word = self.word
        root.query("CREATE TABLE open (id BIGINT PRIMARY KEY, v BIGINT, note TEXT)")
        root.query("INSERT INTO open VALUES (1, 10, 'a'), (2, 20, 'b')")
        root.query("GRANT ALL ON open TO ann")
        root.query("CREATE TABLE policed (id BIGINT PRIMARY KEY, v BIGINT, note TEXT, who TEXT)")
        root.query("INSERT INTO policed VALUES (1, 5, 'x', 'ann'), (2, 6, 'y', 'ann')")
        root.query("GRANT ALL ON policed TO PUBLIC")
        root.query("CREATE POLICY own ON policed USING (who = CURRENT_USER)")
        root.query("CREATE USER TABLE each (id BIGINT PRIMARY KEY, v BIGINT, note TEXT)")
        root.query("CREATE VIEW shown AS SELECT id, v FROM open WHERE v > 0")
        root.query("GRANT SELECT ON shown TO ann")
        root.query("CREATE NAMESPACE apart")
        for name in ("hidden", "apart.hidden", "dropbox", "writable", "erasable"):
            secret = f", c{word} TEXT DEFAULT '{word}'" if "hidden" in name else ""
            root.query(f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, v BIGINT, note TEXT{secret})")
            root.query(f"INSERT INTO {name} (id, v, note) VALUES (1, 7, '{word}'), (2, 8, 'z{word}')")
        for name, right in (("dropbox", "INSERT"), ("writable", "UPDATE"), ("erasable", "DELETE")):
            root.query(f"GRANT {right} ON {name} TO ann")
        root.query(f"CREATE VIEW veiled AS SELECT id, v, '{word}' AS note FROM hidden")
        root.query(f"CREATE TABLE t{word} (k{word} TEXT PRIMARY KEY, v BIGINT)")
        root.query(f"CREATE VIEW v{word} AS SELECT '{word}' AS w")
        root.query(f"CREATE NAMESPACE n{word}")
        for number in range(40):
            root.query(f"INSERT INTO policed VALUES ({100 + number}, {number % 9}, '{word}', '{word}')")
        root.query("FLUSH TABLE policed")
        root.query(f"INSERT INTO policed VALUES (3, 9, '{word}', '{word}'), (900, 2, '{word}', 'bob')")

    def _work(self, bob: Wire) -> None:
        word = self.word
        bob.query(f"INSERT INTO each VALUES (1, 1, '{word}'), (2, 2, '{word}'), (500, 3, '{word}')")
        self.root.query("FLUSH TABLE each")
        bob.query(f"INSERT INTO each VALUES (3, 1, '{word}')")
        bob.query(f"CREATE TEMPORARY TABLE temp{word} AS SELECT '{word}' AS w")
        for refused in (
            f"SELECT '{word}' + 1",
            f"SELECT * FROM nowhere{word}",
            f"INSERT INTO each VALUES (1, 1, '{word}')",
        ):
            with pytest.raises((flight.FlightError, pa.ArrowException, KeyError)):
                bob.query(refused)
        self.ticket = bob.info(commands.StatementQuery(f"SELECT '{word}' AS w, * FROM each"))
        self.prepared = bob.prepare(f"SELECT '{word}' AS w, note FROM each").prepared_statement_handle
        self.change = bob.prepare(f"UPDATE each SET note = '{word}'").prepared_statement_handle
        self.transaction = begin(bob)
        self.savepoint = savepoint(bob, self.transaction, f"s{word}")
        for table in ("each", "open"):
            bob.info(commands.StatementQuery(f"SELECT '{word}', * FROM {table}", self.transaction))
        bob.info(commands.StatementQuery(f"INSERT INTO each VALUES (77, 1, '{word}')", self.transaction))


Probe = tuple[str, Callable[[Wire], object]]


class Probes:
    """What ann tries, at random: the same for the same seed."""

    def __init__(self, others: Others, seed: int) -> None:
        self._others = others
        self._choice = random.Random(seed)

    def __iter__(self) -> Iterator[Probe]:
        while True:
            yield self._probe()

    def _probe(self) -> Probe:
        kind = self._choice.random()
        if kind < 0.75:
            sql = self._statement()
            way = self._choice.choice([_queried, _queried, _prepared, _updated, _described, _as_ticket])
            return f"{way.__name__} {sql}", lambda wire: way(wire, sql)
        return self._choice.choice([self._metadata, self._stream, self._plan, self._foreign])()

    def _metadata(self) -> Probe:
        pick = self._choice.choice
        pattern = pick([None, "%", "_%", "hidden", "t%", "%q%", "each", "policed", "n%", ""])
        schema = pick([None, "public", "apart", "%", "system", "_part", "n%"])
        table = pick(["hidden", "policed", "each", "open", "dropbox", "shown", "veiled", "%"])
        command = pick(
            [
                commands.GetTables(None, schema, pattern, pick([(), ("TABLE",), ("VIEW",)]), pick([True, False])),
                commands.GetDbSchemas(None, schema),
                commands.GetPrimaryKeys(table, None, schema),
                commands.GetExportedKeys(table, None, schema),
                commands.GetImportedKeys(table, None, schema),
                commands.GetCatalogs(),
                commands.GetSqlInfo(()),
                commands.rows_of(commands.table_of_path([(schema or "public").encode(), table.encode()])),
            ]
        )
        if self._choice.random() < 0.2:
            criteria = pick([b"", b"h", b"public", b"apart", b"."])
            return "flights", lambda wire: [
                info.serialize() for info in wire.client.list_flights(criteria, wire.options)
            ]
        return str(command), lambda wire: _fetched(wire, command)

    def _stream(self) -> Probe:
        pick = self._choice.choice
        rows = pa.table({"id": [pick([1, 2, 3, 100, 500]), 77], "v": [1, 2], "note": ["a", "b"]})
        extra = pick([{}, {"who": ["ann", "ann"]}, {"who": ["bob", "ann"]}, {"_deleted": [True, False]}, {"x": [1, 2]}])
        for name, column in extra.items():
            rows = rows.append_column(name, pa.array(column))
        mode = TableDefinitionOptions(pick(list(IfNotExist)), pick(list(IfExists)))
        options = pick([{}, {}, {"as_user": "root"}, {"as_user": self._others._bob_name[:3]}, {"user_column": "note"}])
        table = pick(TABLES).removeprefix("apart.")
        command = StatementIngest(table, mode, schema=pick([None, None, "apart"]), options=options)
        return str(command), lambda wire: wire.put(command, rows.schema, rows.to_batches())

    def _plan(self) -> Probe:
        name = self._choice.choice(["hidden", "apart.hidden", "policed", "each", "open", "dropbox", "shown", "veiled"])
        command = commands.StatementSubstraitPlan(commands.SubstraitPlan(plan(name), "0.85.0"))
        return f"plan {name}", lambda wire: _fetched(wire, command)

    def _foreign(self) -> Probe:
        """Handles, tickets and transactions that others hold at this moment."""
        others, number = self._others, self._choice.randint(0, 11)
        query = commands.StatementQuery("SELECT * FROM each", others.transaction)
        nothing = pa.schema([])
        return f"foreign {number}", (
            lambda wire: wire.fetch(others.ticket),
            lambda wire: wire.act(actions.CancelFlightInfo(_info(others.ticket))),
            lambda wire: wire.act(actions.CancelQuery(_info(others.ticket))),
            lambda wire: wire.act(actions.RenewFlightEndpoint(_info(others.ticket).endpoint[0])),
            lambda wire: _fetched(wire, commands.PreparedStatementQuery(others.prepared)),
            lambda wire: wire.schema(commands.PreparedStatementQuery(others.prepared)),
            lambda wire: wire.put(commands.PreparedStatementUpdate(others.change), nothing, []),
            lambda wire: wire.act(actions.ClosePreparedStatement(others.prepared)),
            lambda wire: _fetched(wire, query),
            lambda wire: wire.act(actions.EndTransaction(others.transaction, TransactionEnd.COMMIT)),
            lambda wire: wire.act(actions.EndSavepoint(others.savepoint, SavepointEnd.ROLLBACK)),
            lambda wire: wire.act(actions.BeginSavepoint(others.transaction, "s")),
        )[number]

    def _statement(self) -> str:
        pick, choice = self._choice.choice, self._choice
        t = pick([*TABLES, "policed", "each", *(f"system.{name}" for name in SYSTEM)])
        n = choice.randint(0, 12)
        condition = pick(
            [
                f"id = {n}",
                f"id IN ({n}, {n + 100}, 500)",
                f"1 / (v - {n}) > 0",
                "CAST(note AS BIGINT) = 1",
                "note LIKE 'q%'",
                "note > 'q' AND CAST(note AS DATE) IS NULL",
                f"id = (SELECT max(id) FROM {pick(['hidden', 'policed', 'each', 'dropbox'])})",
                "_seq > 0",
                "true",
            ]
        )
        value = pick(["'a'", "NULL", "note", "CAST(note AS BIGINT)", "excluded.note"])
        return pick(
            [
                f"SELECT * FROM {t} WHERE {condition}",
                f"SELECT min(note), max(note), array_agg(note), count(*) FROM {t} WHERE {condition}",
                f"SELECT *, _seq, _deleted FROM {t}",
                f"SELECT arrow_cast(note, 'Int64') FROM {t}",
                f"SELECT * FROM {t}",
                f"SELECT count(*) FROM {t}",
                f"SELECT nope FROM {t}",
                f"SELECT t.note.nope FROM {t} t",
                f"SELECT sum(note) FROM {t}",
                f"SELECT * FROM {t} a NATURAL JOIN each b",
                f"SELECT * FROM open WHERE note IN (SELECT note FROM {t})",
                f"EXPLAIN SELECT * FROM {t} WHERE {condition}",
                f"EXPLAIN VERBOSE SELECT max(note) FROM {t} WHERE {condition}",
                f"EXPLAIN ANALYZE SELECT * FROM {t} WHERE {condition}",
                f"EXPLAIN ANALYZE VERBOSE SELECT note FROM {t} ORDER BY note LIMIT 1",
                f"EXPLAIN UPDATE {t} SET note = {value} WHERE {condition}",
                f"EXPLAIN DELETE FROM {t} WHERE {condition}",
                f"INSERT INTO {t} (id, v, note) VALUES ({n}, 1, {value if 'note' not in value else 'NULL'})",
                f"INSERT INTO {t} (id, v, note) VALUES ({n}, 1, 'a') ON CONFLICT (id) DO UPDATE SET note = {value}",
                f"INSERT INTO {t} (id, v, note) VALUES ({n}, 1, 'a') ON CONFLICT DO NOTHING",
                f"INSERT INTO {t} VALUES ({n})",
                f"INSERT INTO {t} SELECT * FROM {pick(['hidden', 'policed', 'each', t])}",
                f"INSERT INTO each (id, note) SELECT id + 1000, note FROM {t}",
                f"UPDATE {t} SET note = {value} WHERE {condition}",
                f"UPDATE {t} SET v = 1 / (v - {n})",
                f"UPDATE {t} SET nope = 1",
                f"UPDATE open SET note = s.note FROM {t} s WHERE s.id = open.id",
                f"DELETE FROM {t} WHERE {condition}",
                f"TRUNCATE {t}",
                f"DESCRIBE {t}",
                f"SHOW COLUMNS FROM {t}",
                f"SHOW CREATE TABLE {t}",
                f"SHOW CREATE VIEW {t}",
                f"SHOW MANIFEST FOR {t}",
                f"SHOW GRANTS ON {t}",
                f"SHOW POLICIES ON {t}",
                f"SHOW TABLES IN {pick(['public', 'apart', 'system', 'pg_catalog'])}",
                f"SELECT * FROM {pick(CATALOGS)}",
                f"SELECT column_name FROM information_schema.columns WHERE table_name = '{t}'",
                pick(["SHOW TABLES", "SHOW NAMESPACES", "SHOW GRANTS", "SHOW GRANTS FOR root", "SHOW search_path"]),
                "SHOW MANIFEST CACHE",
                f"FLUSH TABLE {t}",
                f"COMPACT TABLE {t}",
                f"CREATE VIEW made AS SELECT * FROM {t}",
                f"CREATE OR REPLACE VIEW made AS SELECT note FROM {t}",
                "SELECT * FROM made",
                f"CREATE USER TABLE copy AS SELECT * FROM {t}",
                f"CREATE TEMPORARY TABLE copy AS SELECT note FROM {t}",
                f"CREATE TEMPORARY TABLE copy LIKE {t}",
                "SELECT * FROM copy",
                pick(["DROP VIEW made", "DROP TABLE copy"]),
                f"ALTER TABLE {t} ADD COLUMN x INT",
                f"ALTER TABLE {t} RENAME TO other",
                f"ALTER TABLE {t} OWNER TO ann",
                f"DROP TABLE {t}",
                f"DROP VIEW {t} CASCADE",
                pick(["DROP NAMESPACE apart CASCADE", "DROP NAMESPACE public CASCADE", "USE apart", "USE public"]),
                f"GRANT SELECT ON {t} TO ann",
                f"REVOKE ALL ON {t} FROM PUBLIC",
                f"CREATE POLICY mine ON {t} USING (true)",
                f"DROP POLICY own ON {t}",
                f"EXECUTE AS USER '{pick(['root', 'nobody', 'bob'])}' (SELECT * FROM {t})",
                f"SELECT * FROM system.{pick(SYSTEM)}",
                f"SELECT t::text FROM system.{pick(SYSTEM)} t",
                f"KILL QUERY {n}",
                f"ALTER USER {pick(['root', 'bob'])} DISABLE",
                pick(["DROP USER bob CASCADE", "DROP TOKEN t FOR root", "CREATE TOKEN x FOR root", "CHECK AUDIT LOG"]),
                pick(["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "ROLLBACK TO SAVEPOINT s"]),
                f"SELECT 1; SELECT * FROM {t}",
                f"SELECT * FROM '{pick(['/etc/passwd', '../catalog', 'hidden'])}'",
                f"SELECT * FROM information_schema.{pick(['tables', 'columns', 'views'])}",
            ]
        )


def _info(info: flight.FlightInfo) -> FlightInfo:
    return FLIGHT_INFO.decode(info.serialize())


def _fetched(wire: Wire, command: commands.Command) -> object:
    """Every byte of the description, the schema and the stream of a command."""
    info = wire.info(command)
    (endpoint,) = info.endpoints
    reader = wire.reader(endpoint.ticket)
    chunks = [(chunk.data.to_pylist(), chunk.app_metadata and chunk.app_metadata.to_pybytes()) for chunk in reader]
    return info.serialize(), info.schema.to_string(show_schema_metadata=True), reader.schema.metadata, chunks


def _queried(wire: Wire, sql: str) -> object:
    return _fetched(wire, commands.StatementQuery(sql))


def _as_ticket(wire: Wire, sql: str) -> object:
    return [chunk.data.to_pylist() for chunk in wire.reader(flight.Ticket(sql.encode()))]


def _prepared(wire: Wire, sql: str) -> object:
    made = wire.prepare(sql)
    try:
        if made.dataset_schema:
            return made, _fetched(wire, commands.PreparedStatementQuery(made.prepared_statement_handle))
        changed = wire.put(commands.PreparedStatementUpdate(made.prepared_statement_handle), pa.schema([]), [])
        return made, changed
    finally:
        wire.act(actions.ClosePreparedStatement(made.prepared_statement_handle))


def _updated(wire: Wire, sql: str) -> object:
    return wire.update(sql)


def _described(wire: Wire, sql: str) -> object:
    return wire.schema(commands.StatementQuery(sql)).to_string(show_schema_metadata=True)


def heard(wire: Wire, probe: Callable[[Wire], object]) -> tuple[bool, str]:
    """Whether a probe was answered, and all that came back, or the error with its details."""
    try:
        return True, str(probe(wire))
    except (flight.FlightError, pa.ArrowException, KeyError) as error:
        return False, f"{error!r} {getattr(error, 'extra_info', b'')!r}"


def test_no_probe_sees_a_canary(tmp_path: Path) -> None:
    """Neither in what is answered nor in what is refused; and others lose nothing by it."""
    roles = {"root": Role.SYSTEM, "ann": Role.USER}
    users = dict.fromkeys(roles, PASSWORD)
    with ServerProcess(tmp_path / "data", users=users, roles=roles) as server, ExitStack() as stack:
        others = Others(server, stack)
        ann = stack.enter_context(Wire(server, "ann"))
        answered = 0
        for (name, probe), _ in zip(Probes(others, seed=1), range(PROBES), strict=False):
            good, seen = heard(ann, probe)
            assert MARK not in seen, f"{name}: …{seen[max(seen.index(MARK) - 300, 0) :][:600]}"
            answered += good
        assert others.word.count > 80
        assert PROBES // 4 < answered < PROBES
        assert MARK in str(others.bob.fetch(others.ticket).to_pylist())
        others.bob.act(actions.EndTransaction(others.transaction, TransactionEnd.COMMIT))
        assert others.bob.query("SELECT count(*) AS n FROM each").to_pylist() == [{"n": 5}]
        assert MARK not in server.log
