"""The package stays sans-IO: what it imports is checked in a fresh interpreter."""

import subprocess
import sys

PROGRAM = """
import sys
from flightserver.protocol import actions, commands, flight, metadata, results, schemas, sql_info, xdbc_types
outsiders = ("pyarrow.flight", "pyarrow._flight", "datafusion", "rocksdict", "grpc")
print(",".join(name for name in outsiders if name in sys.modules))
"""


def test_no_transport_engine_or_storage_is_imported():
    """Decoding bytes needs neither a transport nor an engine nor a store."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
