"""Results, tickets and changes on the query path of the protocol."""

from collections.abc import Callable

import pyarrow as pa
import pytest
from pyarrow import flight

from flightserver.protocol.commands import PlainSql, PreparedStatementQuery, StatementQuery, TicketStatementQuery
from tests.e2e.client import Client
from tests.e2e.wire import Wire, descriptor

Make = Callable[..., str]


def test_a_result_may_be_fetched_twice(wire: Wire, batches: str) -> None:
    """A ticket of a query gives the same rows again."""
    info = wire.info(StatementQuery(f"SELECT id FROM {batches} WHERE id < 5 ORDER BY id"))
    assert wire.fetch(info).equals(wire.fetch(info))


def test_a_change_on_the_query_path_runs_once(db: Client, wire: Wire, make: Make) -> None:
    """GetFlightInfo runs it; fetching twice gives the count twice and runs nothing; asking again runs it again."""
    t = make("id BIGINT DEFAULT SNOWFLAKE_ID(), v INT")
    command = StatementQuery(f"INSERT INTO {t} (v) VALUES (1), (2)")
    assert wire.schema(command).names == ["rows_affected"]
    assert db.count(t) == 0
    info = wire.info(command)
    assert [wire.fetch(info).to_pydict() for _ in range(2)] == [{"rows_affected": [2]}] * 2
    assert db.count(t) == 2
    wire.info(command)
    assert db.count(t) == 4


def test_a_change_that_is_never_fetched_has_run(db: Client, wire: Wire, make: Make) -> None:
    """A client that asks for FlightInfo and leaves has changed the table."""
    t = make()
    wire.info(StatementQuery(f"INSERT INTO {t} VALUES (1, 1, 'a')"))
    assert db.count(t) == 1


def test_a_prepared_change_on_the_query_path_runs_once(db: Client, wire: Wire, make: Make) -> None:
    """The same for a prepared statement that a driver runs as a query."""
    t = make("v INT")
    prepared = wire.prepare(f"INSERT INTO {t} VALUES (1)")
    assert prepared.is_update
    assert prepared.dataset_schema == b""
    info = wire.info(PreparedStatementQuery(prepared.prepared_statement_handle))
    wire.fetch(info)
    wire.fetch(info)
    assert db.count(t) == 1


def test_a_definition_on_the_query_path_runs_once(db: Client, wire: Wire, t: str) -> None:
    """CREATE TABLE through GetFlightInfo and DoGet does not meet its own table."""
    wire.fetch(wire.info(StatementQuery(f"CREATE TABLE {t} (id INT PRIMARY KEY)")))
    assert db.count(t) == 0


def test_execute_and_fetch_of_a_change_runs_once(db: Client, make: Make) -> None:
    """ADBC's execute runs a change once, whatever is fetched afterwards."""
    t = make("v INT")
    with db.connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {t} VALUES (1), (2)")
        cursor.execute(f"SELECT count(*) FROM {t}")
        assert cursor.fetchall() == [(2,)]


def test_plain_sql_works_as_descriptor_and_ticket(wire: Wire, batches: str) -> None:
    """A client without Flight SQL sends the text itself."""
    sql = f"SELECT id FROM {batches} WHERE id < 3 ORDER BY id"
    info = wire.client.get_flight_info(flight.FlightDescriptor.for_command(sql.encode()))
    assert wire.fetch(info).to_pydict() == {"id": [0, 1, 2]}
    assert wire.reader(flight.Ticket(sql.encode())).read_all().to_pydict() == {"id": [0, 1, 2]}
    assert wire.schema(PlainSql(sql)).names == ["id"]


def test_bytes_that_are_no_command_are_refused(wire: Wire) -> None:
    """Neither SQL nor a message: an error, not a crash."""
    for noise in (b"", b"\x00\x01\x02", b"\xff" * 100, b"0" * 1000, "ünï".encode()):
        with pytest.raises((pa.ArrowException, flight.FlightError, ValueError, KeyError, NotImplementedError)):
            wire.client.get_flight_info(flight.FlightDescriptor.for_command(noise))


def test_a_forged_ticket_is_refused(wire: Wire) -> None:
    """Handles that were never given out are not found."""
    for handle in (b"", b"\x00" * 16, b"x" * 16, b"x" * 1000):
        with pytest.raises((pa.ArrowException, flight.FlightError, KeyError)):
            wire.reader(flight.Ticket(descriptor(TicketStatementQuery(handle)).command)).read_all()
        with pytest.raises((pa.ArrowException, flight.FlightError, KeyError)):
            wire.info(PreparedStatementQuery(handle))


@pytest.mark.parametrize("path", [("etc", "passwd"), ("public",), ("a", "b", "c"), ("..", "..")])
def test_a_path_that_names_no_table_is_refused(wire: Wire, path: tuple[str, ...]) -> None:
    """For reading and for writing: paths are names of tables and nothing else."""
    descriptor = flight.FlightDescriptor.for_path(*path)
    rows = pa.table({"id": [1]})
    with pytest.raises((KeyError, pa.ArrowInvalid), match=r"namespace|not found"):
        wire.client.get_flight_info(descriptor)
    with pytest.raises((KeyError, pa.ArrowInvalid), match=r"namespace|not found|does not exist"):
        wire.put_into(descriptor, rows.schema, rows.to_batches())
