"""A plain Flight server that keeps what is put into it in memory and streams it back: what Flight itself costs.

It stores no file, checks no row and plans no query; the stream of a DoGet is made in C++. Run as a process of its own.
"""

import subprocess
import sys
from contextlib import AbstractContextManager
from types import TracebackType

import pyarrow as pa
from pyarrow import flight

from bench.client import PlainClient
from flightserver.protocol.results import encode_update_result


class Bare(flight.FlightServerBase):
    """Keeps the last table that was put."""

    def do_put(
        self,
        context: flight.ServerCallContext,  # noqa: ARG002
        descriptor: flight.FlightDescriptor,  # noqa: ARG002
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """Keep a table in the place of the last one."""
        self._kept = reader.read_all()
        writer.write(pa.py_buffer(encode_update_result(len(self._kept))))

    def do_get(self, context: flight.ServerCallContext, ticket: flight.Ticket) -> flight.RecordBatchStream:  # noqa: ARG002
        """Stream what is kept, in the batches in which it came."""
        return flight.RecordBatchStream(self._kept)


class BareServer(AbstractContextManager["BareServer"]):
    """The server as a process, for as long as a `with` block lasts."""

    def __enter__(self) -> "BareServer":
        self._process = subprocess.Popen([sys.executable, "-m", "bench.bare"], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        uri = self._process.stdout.readline().strip()
        self.client = PlainClient(uri)
        self._flight = flight.FlightClient(uri)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.client.close()
        self._flight.close()
        self._process.kill()
        self._process.__exit__(kind, value, traceback)

    def reader(self) -> flight.FlightStreamReader:
        """What was put last, as it comes back."""
        return self._flight.do_get(flight.Ticket(b""))


def main() -> None:
    """Serve until killed."""
    server = Bare("grpc://127.0.0.1:0")
    print(f"grpc://127.0.0.1:{server.port}", flush=True)
    server.serve()


if __name__ == "__main__":
    main()
