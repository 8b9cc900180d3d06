"""Hostile statements and streams: an error each, and a server that goes on."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi
from pyarrow import flight

from flightserver.protocol.commands import (
    IfExists,
    IfNotExist,
    PreparedStatementQuery,
    StatementIngest,
    StatementQuery,
    TableDefinitionOptions,
)
from tests.e2e.client import Client
from tests.e2e.wire import Wire
from tests.server_process import ServerProcess

Make = Callable[..., str]

pytestmark = [
    pytest.mark.filterwarnings("ignore:Failed to close cursor:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
"""The driver complains when a server goes away under its statements."""

FORBIDDEN_WORDS = (
    "Traceback",
    "DataFusion",
    "datafusion",
    "rocksdict",
    "rocksdb",
    "arrow::",
    ".py",
    "/data",
    ".parquet",
)

DOORS = [
    "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
    "CREATE EXTERNAL TABLE x (a TEXT) STORED AS CSV LOCATION '/etc/passwd'",
    "CREATE UNBOUNDED EXTERNAL TABLE x (a TEXT) STORED AS CSV LOCATION '/etc/passwd'",
    "COPY (SELECT 1) TO '/tmp/e2e-copy.csv'",
    "COPY t TO '/tmp/e2e-copy.parquet' STORED AS PARQUET",
    "SET datafusion.execution.batch_size = 1",
    "SET datafusion.runtime.memory_limit = '100G'",
    "RESET datafusion.execution.batch_size",
    "SHOW datafusion.execution.batch_size",
    "SELECT * FROM information_schema.df_settings",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM 'file:///etc/passwd'",
    'SELECT * FROM "/etc/passwd.csv"',
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "SELECT * FROM metadata_cache()",
    'SELECT * FROM main."$default".t',
    "SELECT * FROM storage.files.b0",
    "SELECT input_file_name() FROM (SELECT 1)",
    "CREATE FUNCTION f(INT) RETURNS INT RETURN $1",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "LOAD 'x'",
    "CREATE DATABASE d",
    "CREATE CATALOG d",
    "INSERT INTO information_schema.tables VALUES (1)",
    "EXPLAIN COPY (SELECT 1) TO '/tmp/e2e-copy.csv'",
    "SELECT 1; SELECT 2",
    "WITH x AS (INSERT INTO t VALUES (1)) SELECT 1",
]

HOSTILE = {
    "plus chain": "SELECT " + "+".join(["1"] * 20_000),
    "or chain": "SELECT 1 WHERE " + " OR ".join(f"1={n}" for n in range(20_000)),
    "and chain": "SELECT 1 WHERE " + " AND ".join(["TRUE"] * 20_000),
    "concat chain": "SELECT " + "||".join(["'a'"] * 20_000),
    "minus chain": "SELECT " + "- " * 20_000 + "1",
    "not chain": "SELECT " + "NOT " * 20_000 + "TRUE",
    "brackets": "SELECT " + "(" * 10_000 + "1" + ")" * 10_000,
    "open brackets": "SELECT " + "(" * 100_000,
    "subqueries": "SELECT * FROM " + "(SELECT * FROM " * 500 + "(SELECT 1)" + ")" * 500,
    "unions": " UNION ALL ".join(["SELECT 1"] * 3_000),
    "columns": "SELECT " + ",".join(f"1 AS c{n}" for n in range(20_000)),
    "case chain": "SELECT " + "CASE WHEN TRUE THEN " * 5_000 + "1" + " END" * 5_000,
    "casts": "SELECT 1" + "::INT" * 20_000,
    "functions": "SELECT " + "abs(" * 5_000 + "1" + ")" * 5_000,
    "indexes": "SELECT [1]" + "[1]" * 20_000,
    "joins": "SELECT 1 FROM (SELECT 1) a0 " + " ".join(f"JOIN (SELECT 1) a{n} ON TRUE" for n in range(1, 3_000)),
    "ctes": "WITH " + ", ".join(f"c{n} AS (SELECT 1)" for n in range(5_000)) + " SELECT 1 FROM c0 WHERE FALSE + 1",
    "huge text": "SELECT '" + "x" * 20_000_000 + "'",
    "huge name": 'SELECT 1 AS "' + "x" * 1_000_000 + '"',
    "repeat": "SELECT repeat('a', 1500000000)",
    "lpad": "SELECT lpad('a', 2000000000, 'b')",
    "rpad": "SELECT rpad('a', 2000000000, 'b')",
    "range": "SELECT range(0, 500000000)",
    "series": "SELECT * FROM generate_series(1, 100000000000)",
    "array_repeat": "SELECT array_repeat('a', 1000000000)",
    "array_resize": "SELECT array_resize([1], 2000000000, 0)",
    "zero byte": "SELECT 'a\0b' FROM nowhere",
    "long comment": "/*" * 100_000,
    "only comment": "-- nothing",
    "unterminated": "SELECT 'abc",
    "dollar": "SELECT $$abc",
    "bad parameter": "SELECT $99999999999999999999",
    "interval": "SELECT now() + interval '999999999999999 years'",
    "regex": "SELECT 'a' ~ '" + "(" * 1000 + "a" + "){100}" * 1000 + "'",
    "decimal": "SELECT 1e999999999::DECIMAL(38,0)",
    "surrogate-free nonsense": "SELECT \u202e\u0000\uffff",
    "limit": "SELECT 1 LIMIT -1",
    "self": "CREATE VIEW loop_v AS SELECT * FROM loop_v",
}


@pytest.mark.attack
@pytest.mark.parametrize("sql", DOORS)
def test_the_doors_of_the_engine_are_closed(db: Client, sql: str) -> None:
    """Nothing reads files, writes files, changes settings or reaches the engine's own tables."""
    message = db.error(sql)
    assert "root:" not in message
    assert not any(word in message.replace("datafusion.", "").replace("/etc", "") for word in FORBIDDEN_WORDS)


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that may die without taking other facts along."""
    with ServerProcess(tmp_path_factory.mktemp("victim") / "data") as server:
        yield server


@pytest.mark.attack
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_statement_gets_an_error(victim: ServerProcess, name: str) -> None:
    """Neither long chains, nor depth, nor size bring the server down; others are answered."""
    if not victim.is_running:
        victim.start()
    with victim.connect() as connection:
        message = Client(connection).error(HOSTILE[name])
    assert victim.is_running
    assert not any(word in message for word in FORBIDDEN_WORDS)
    assert len(message) < 2_000
    with victim.connect() as connection:
        assert Client(connection).one("SELECT 1") == 1


def test_statements_at_the_limits_run(db: Client) -> None:
    """What is allowed works: long IN lists, 900 operators, 60 brackets."""
    assert db.one(f"SELECT count(*) FROM (SELECT 1 AS a) x WHERE a IN ({','.join(map(str, range(20_000)))})") == 1
    assert db.one("SELECT " + "+".join(["1"] * 900)) == 900
    assert db.one("SELECT " + "(" * 40 + "1" + ")" * 40) == 1


ERRORS = [
    "SELECT nope FROM {t}",
    "SELECT * FROM nope",
    "SELECT id / 0 FROM {t}",
    "SELECT CAST(s AS INT) FROM {t}",
    "SELECT nope(1)",
    "SELECT sum(s) FROM {t}",
    "SELECT id FROM {t} GROUP BY s",
    "SELECT * FROM {t} WHERE s > 1 + interval '1 day'",
    "SELECT (SELECT id FROM {t}) FROM {t}",
    "SELECT CAST('x' AS DATE), to_timestamp(s) FROM {t}",
    "SELECT arrow_cast(1, 'Nonsense')",
    "SELECT regexp_replace(s, '(', '') FROM {t}",
    "SELECT array_element(s, 1) FROM {t}",
    "SELECT make_array(1, 'a', [1])",
    "SELECT CAST(99999999999 AS INT)",
    "SELECT a.id FROM {t} a JOIN {t} b USING (nope)",
    "SELECT id FROM {t}, {t}",
    "INSERT INTO {t} VALUES (1, 1, 'a')",
    "INSERT INTO {t} VALUES (9, 'x', 'a')",
    "UPDATE {t} SET v = s",
    "DELETE FROM {t} WHERE s / 2 = 1",
    "ALTER TABLE {t} ADD COLUMN v INT",
    "CREATE TABLE {t} (id INT)",
    "DROP TABLE nope",
    "SELEC 1",
    "SELECT 1 +",
    "SELECT * FROM {t} TABLESAMPLE (10)",
    "SELECT unnest(s) FROM {t}",
    "SELECT date_part('nope', now())",
    "SELECT substr(s, 9223372036854775807, 9223372036854775807) || chr(-1) FROM {t}",
]


@pytest.mark.parametrize("sql", ERRORS)
def test_an_error_is_one_line_without_innards(db: Client, make: Make, sql: str) -> None:
    """No path, no traceback, no name of a library in what a user gets to read."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (1, 1, 'a'), (2, 2, 'b')")
    db.run(f"FLUSH TABLE {t}")
    message = db.error(sql.format(t=t))
    assert not any(word in message for word in FORBIDDEN_WORDS), message
    assert "defect" not in message
    assert "\n" not in message


def test_an_error_on_the_wire_has_no_traceback(server: ServerProcess) -> None:
    """Plain Flight clients see the same line, from every method, without Python inside."""
    with Wire(server) as wire:
        for call in (
            lambda: wire.info(StatementQuery("SELECT nope")),
            lambda: wire.schema(StatementQuery("SELECT nope")),
            lambda: wire.query("SELECT 1/0"),
            lambda: wire.update("DROP TABLE nope"),
            lambda: wire.put(StatementIngest("nope"), pa.schema([("a", pa.int32())]), []),
            lambda: list(wire.client.do_action(("Nope", b""))),
            lambda: wire.prepare("SELECT nope"),
            lambda: wire.reader(flight.Ticket(b"SELECT nope")).read_all(),
        ):
            with pytest.raises((pa.ArrowException, flight.FlightError, KeyError, NotImplementedError)) as caught:
                call()
            assert "Traceback" not in str(caught.value)
            assert 'File "' not in str(caught.value)


def buffer(*values: int, dtype: type = np.int32) -> pa.Buffer:
    """Numbers as a buffer."""
    return pa.py_buffer(np.array(values, dtype=dtype).tobytes())


TEXT = pa.py_buffer(b"abcdef")
BITS = pa.py_buffer(b"\xff")
INT32_MAX = 2**31 - 1


class Forgery:
    """Arrays whose buffers change behind their back, after everything on this side has been checked."""

    def __init__(self) -> None:
        self._strikes: list[tuple[npt.NDArray[Any], list[int]]] = []

    def numbers(self, good: list[int], bad: list[int], dtype: type = np.int32) -> pa.Buffer:
        """A buffer that holds good numbers until the strike, and bad ones from then on."""
        held = np.array(good, dtype=dtype)
        self._strikes.append((held, bad))
        return pa.py_buffer(held)

    def offsets(
        self, kind: pa.DataType, bad: list[int], *rest: pa.Buffer, dtype: type = np.int32, **children: list[pa.Array]
    ) -> pa.Array:
        """An array with bad offsets."""
        buffers = [None, self.numbers([0] * len(bad), bad, dtype), *rest]
        return pa.Array.from_buffers(kind, len(bad) - 1, buffers, **children)

    def runs(self) -> pa.Array:
        """Run ends that go back."""
        ends = pa.Array.from_buffers(pa.int32(), 2, [None, self.numbers([1, 2], [2, 1])])
        kind = pa.run_end_encoded(pa.int32(), pa.string())
        return pa.Array.from_buffers(kind, 2, [None], children=[ends, pa.array(["a", "b"])])

    def strike(self) -> None:
        """Do the damage."""
        for held, bad in self._strikes:
            held[:] = bad


def damaged_batch(name: str, *, keyed: bool) -> pa.RecordBatch:
    """A batch with a damaged column."""
    forgery = Forgery()
    array = DAMAGED[name](forgery)
    keys = [pa.array(range(len(array)), pa.int64())] if keyed else []
    batch = pa.RecordBatch.from_arrays([*keys, array], ["id", "c"] if keyed else ["1"])
    forgery.strike()
    return batch


NUMBERS = pa.array([1, 2], pa.int32())

DAMAGED: dict[str, Callable[[Forgery], pa.Array]] = {
    "offset beyond the data": lambda f: f.offsets(pa.string(), [0, 3, 1_000_000], TEXT),
    "offset far beyond": lambda f: f.offsets(pa.string(), [0, 3, INT32_MAX], TEXT),
    "offsets going back": lambda f: f.offsets(pa.string(), [0, 5, 2], TEXT),
    "negative offset": lambda f: f.offsets(pa.string(), [-5, 3, 6], TEXT),
    "no UTF-8": lambda _: pa.Array.from_buffers(pa.string(), 1, [None, buffer(0, 4), pa.py_buffer(b"\xff\xfe\x80a")]),
    "binary offset beyond": lambda f: f.offsets(pa.binary(), [0, 99_999], TEXT),
    "large offset beyond": lambda f: f.offsets(pa.large_string(), [0, 2**40], TEXT, dtype=np.int64),
    "list offset beyond": lambda f: f.offsets(pa.list_(pa.int32()), [0, 1_000_000], children=[NUMBERS]),
    "list offset negative": lambda f: f.offsets(pa.list_(pa.int32()), [-100, 2], children=[NUMBERS]),
    "dictionary index beyond": lambda _: pa.DictionaryArray.from_arrays(
        pa.array([0, 1_000_000], pa.int32()), pa.array(["a"]), safe=False
    ),
    "dictionary index negative": lambda _: pa.DictionaryArray.from_arrays(
        pa.array([0, -7], pa.int32()), pa.array(["a"]), safe=False
    ),
    "decimal with too many digits": lambda _: pa.Array.from_buffers(
        pa.decimal128(3, 0), 1, [None, buffer(10**15, 0, dtype=np.int64)]
    ),
    "view to nowhere": lambda _: pa.Array.from_buffers(pa.string_view(), 1, [None, buffer(100, 0, 9, 5_000_000), TEXT]),
    "run ends going back": Forgery.runs,
    "list inside a list": lambda f: f.offsets(
        pa.list_(pa.string()), [0, 2], children=[f.offsets(pa.string(), [0, 3, 9_999_999], TEXT)]
    ),
    "union of unknown kinds": lambda _: pa.Array.from_buffers(
        pa.dense_union([pa.field("a", pa.int32())]),
        2,
        [None, pa.py_buffer(b"\x05\x07"), buffer(0, 900_000)],
        children=[pa.array([1], pa.int32())],
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("known", [True, False])
def test_a_damaged_batch_is_refused(
    server: ServerProcess, db: Client, wire: Wire, t: str, name: str, known: bool
) -> None:
    """A forged record batch is an error, into a table and as a new one; nothing of it is stored, nothing crashes."""
    if known:
        db.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY, c TEXT)")
    rows = damaged_batch(name, keyed=True)
    command = StatementIngest(t, None if known else TableDefinitionOptions(IfNotExist.CREATE, IfExists.FAIL))
    with pytest.raises((pa.ArrowException, flight.FlightError, KeyError, NotImplementedError)) as caught:
        wire.put(command, rows.schema, [rows])
    assert "Traceback" not in str(caught.value)
    assert server.is_running
    assert (db.count(t) == 0) if known else t in db.error(f"SELECT * FROM {t}")


@pytest.mark.parametrize("name", ["offset beyond the data", "dictionary index beyond", "no UTF-8"])
def test_damaged_parameters_are_refused(server: ServerProcess, wire: Wire, name: str) -> None:
    """Bound parameters are checked like streams. ADBC is no client for this: it reads the damage itself, and dies."""
    bound = damaged_batch(name, keyed=False)
    command = PreparedStatementQuery(wire.prepare("SELECT ? || 'x'").prepared_statement_handle)
    with pytest.raises((pa.ArrowException, flight.FlightError)) as caught:
        wire.put(command, bound.schema, [bound])
    assert "Traceback" not in str(caught.value)
    assert server.is_running


def test_a_name_that_the_driver_sends_as_a_pattern_is_no_danger(db: Client) -> None:
    """Patterns with thousands of wildcards are answered at once or refused."""
    try:
        db.connection.adbc_get_objects(depth="tables", table_name_filter="%a" * 400 + "b").read_all()
        db.connection.adbc_get_objects(depth="tables", table_name_filter="%" * 100_000).read_all()
    except dbapi.Error as error:
        assert "1,000" in str(error) or "pattern" in str(error)  # noqa: PT017
    assert db.one("SELECT 1") == 1
