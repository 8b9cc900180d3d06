"""Transactions and savepoints by the actions of the protocol."""

from collections.abc import Callable

import pyarrow as pa
import pytest
from pyarrow import flight

from flightserver.protocol.actions import (
    CreatePreparedStatement,
    EndSavepoint,
    EndTransaction,
    SavepointEnd,
    TransactionEnd,
)
from flightserver.protocol.commands import (
    PreparedStatementQuery,
    StatementIngest,
    StatementQuery,
    StatementUpdate,
)
from flightserver.protocol.generated import flight_sql_pb2 as pb
from flightserver.protocol.wire import unwrap
from tests.e2e.client import Client
from tests.e2e.wire import Wire, begin, savepoint
from tests.server_process import ServerProcess

Make = Callable[..., str]


def insert(wire: Wire, table: str, key: int, transaction: bytes | None) -> None:
    """Insert a key in a transaction."""
    wire.put(StatementUpdate(f"INSERT INTO {table} (id) VALUES ({key})", transaction), pa.schema([]), [])


def test_savepoint_actions(wire: Wire, db: Client, make: Make) -> None:
    """BeginSavepoint and EndSavepoint, two of one name."""
    t = make()
    transaction = begin(wire)
    outer = savepoint(wire, transaction, "s")
    insert(wire, t, 1, transaction)
    inner = savepoint(wire, transaction, "s")
    insert(wire, t, 2, transaction)
    wire.act(EndSavepoint(inner, SavepointEnd.ROLLBACK))
    wire.act(EndSavepoint(outer, SavepointEnd.RELEASE))
    with pytest.raises(KeyError):
        wire.act(EndSavepoint(inner, SavepointEnd.RELEASE))
    wire.act(EndTransaction(transaction, TransactionEnd.COMMIT))
    assert db.column(f"SELECT id FROM {t}") == [1]


def test_several_transactions_of_a_session_are_apart(wire: Wire, db: Client, make: Make) -> None:
    """Each sees its own rows; a stream that names none of them is an error, one that names one is in it."""
    t = make()
    one, two = begin(wire), begin(wire)
    insert(wire, t, 1, one)
    insert(wire, t, 2, two)
    rows = pa.table({"id": [3]})
    with pytest.raises(pa.ArrowInvalid, match="2 open transactions"):
        wire.put(StatementIngest(t), rows.schema, rows.to_batches())
    wire.put(StatementIngest(t, transaction_id=one), rows.schema, rows.to_batches())
    for transaction, keys in ((one, [1, 3]), (two, [2])):
        found = wire.fetch(wire.info(StatementQuery(f"SELECT id FROM {t} ORDER BY id", transaction)))
        assert found.column(0).to_pylist() == keys
    wire.act(EndTransaction(one, TransactionEnd.COMMIT))
    wire.act(EndTransaction(two, TransactionEnd.ROLLBACK))
    assert db.column(f"SELECT id FROM {t} ORDER BY id") == [1, 3]


def test_a_statement_without_a_name_is_in_no_named_transaction(wire: Wire, db: Client, make: Make) -> None:
    """Statements name their transaction; one that does not commits by itself."""
    t = make()
    transaction = begin(wire)
    insert(wire, t, 1, None)
    assert db.count(t) == 1
    wire.act(EndTransaction(transaction, TransactionEnd.ROLLBACK))
    assert db.count(t) == 1


def test_a_stream_without_a_name_joins_the_open_transaction(wire: Wire, db: Client, make: Make) -> None:
    """The only one that the client has open."""
    t = make()
    transaction = begin(wire)
    rows = pa.table({"id": [3]})
    wire.put(StatementIngest(t), rows.schema, rows.to_batches())
    assert db.count(t) == 0
    wire.act(EndTransaction(transaction, TransactionEnd.COMMIT))
    assert db.count(t) == 1


def test_unknown_and_ended_transactions_are_not_found(wire: Wire, server: ServerProcess, make: Make) -> None:
    """Made up, ended, and of another session, for statements, streams, prepared statements and ends."""
    t = make()
    ended = begin(wire)
    wire.act(EndTransaction(ended, TransactionEnd.COMMIT))
    rows = pa.table({"id": [3]})
    with Wire(server) as other:
        for transaction in (b"x" * 16, ended, begin(other)):
            attempts: list[Callable[[], object]] = [
                lambda transaction=transaction: insert(wire, t, 1, transaction),
                lambda transaction=transaction: wire.info(StatementQuery("SELECT 1", transaction)),
                lambda transaction=transaction: wire.act(CreatePreparedStatement("SELECT 1", transaction)),
                lambda transaction=transaction: wire.act(EndTransaction(transaction, TransactionEnd.COMMIT)),
                lambda transaction=transaction: savepoint(wire, transaction, "s"),
                lambda transaction=transaction: wire.put(
                    StatementIngest(t, transaction_id=transaction), rows.schema, rows.to_batches()
                ),
            ]
            for attempt in attempts:
                with pytest.raises(KeyError, match="transaction"):
                    attempt()


def test_a_conflict_is_unavailable_to_plain_clients(wire: Wire, db: Client, make: Make) -> None:
    """The status that tells clients to retry; the transaction has ended, and says why."""
    t = make()
    transaction = begin(wire)
    insert(wire, t, 1, transaction)
    db.run(f"INSERT INTO {t} (id) VALUES (1)")
    with pytest.raises(flight.FlightUnavailableError, match="at key 1"):
        wire.act(EndTransaction(transaction, TransactionEnd.COMMIT))
    with pytest.raises(KeyError, match="another transaction committed first"):
        insert(wire, t, 2, transaction)
    wire.act(EndTransaction(transaction, TransactionEnd.ROLLBACK))


def test_a_statement_prepared_in_a_transaction_reads_its_rows(wire: Wire, make: Make) -> None:
    """Before and after the rows were written."""
    t = make()
    transaction = begin(wire)
    (body,) = wire.act(CreatePreparedStatement(f"SELECT count(*) FROM {t}", transaction))
    opened = unwrap(body)
    assert opened is not None
    handle = pb.ActionCreatePreparedStatementResult.FromString(opened[1]).prepared_statement_handle
    for count in range(3):
        assert wire.fetch(wire.info(PreparedStatementQuery(handle))).column(0).to_pylist() == [count]
        insert(wire, t, count, transaction)
    wire.act(EndTransaction(transaction, TransactionEnd.ROLLBACK))
    assert wire.fetch(wire.info(PreparedStatementQuery(handle))).column(0).to_pylist() == [0]
