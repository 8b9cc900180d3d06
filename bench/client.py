"""Flight SQL with plain pyarrow: no driver between the clock and the server."""

import pyarrow as pa
from pyarrow import flight

from flightserver.protocol.commands import (
    Command,
    StatementIngest,
    StatementQuery,
    StatementUpdate,
    encode_command,
)

BATCH_ROWS = 131_072


class PlainClient:
    """A connection, as somebody with a password or without credentials."""

    def __init__(self, uri: str, user: str = "", password: str = "") -> None:
        self._client = flight.FlightClient(uri)
        headers = [self._client.authenticate_basic_token(user, password)] if user else []
        self._options = flight.FlightCallOptions(headers=headers)

    def close(self) -> None:
        """Let go."""
        self._client.close()

    def query(self, text: str) -> pa.Table:
        """All rows of a query."""
        return self.reader(text).read_all()

    def reader(self, text: str) -> flight.FlightStreamReader:
        """The rows of a query, as they come."""
        info = self._client.get_flight_info(_descriptor(StatementQuery(text)), self._options)
        return self._client.do_get(info.endpoints[0].ticket, self._options)

    def query_once(self, text: str) -> pa.Table:
        """All rows of a query whose result the server does not keep, so that it pins no files afterwards."""
        return self._client.do_get(flight.Ticket(encode_command(StatementQuery(text))), self._options).read_all()

    def execute(self, text: str) -> None:
        """A statement without rows."""
        self._put(StatementUpdate(text), pa.table({}))

    def ingest(self, name: str, rows: pa.Table, batch_rows: int = BATCH_ROWS, **options: str) -> None:
        """Append rows to a table that exists."""
        self._put(StatementIngest(name, options=options), rows, batch_rows)

    def explain(self, text: str) -> list[str]:
        """What was pruned, one line for each table."""
        plan = self.query(f"EXPLAIN {text}").to_pylist()
        return [row["plan"] for row in plan if row["plan_type"] == "pruning"]

    def _put(self, command: Command, rows: pa.Table, batch_rows: int = BATCH_ROWS) -> None:
        writer, metadata = self._client.do_put(_descriptor(command), rows.schema, self._options)
        with writer:
            writer.write_table(rows, batch_rows)
            writer.done_writing()
            metadata.read()


def _descriptor(command: Command) -> flight.FlightDescriptor:
    return flight.FlightDescriptor.for_command(encode_command(command))
