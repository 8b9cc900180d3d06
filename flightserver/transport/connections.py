"""Which connections are gone: the library does not tell when a client hangs up, but Linux knows.

A client's port is used again sooner or later. Whoever gets it next must not find what was left in a session that is
known by nothing else.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED = "01"


def gone(port: int, peers: Collection[str]) -> set[str]:
    """Those of a server's peers, as gRPC names them, that have hung up; none where the system does not tell."""
    tables = [table for table in _TABLES if table.exists()]
    if not tables:
        return set()
    connected = {client for table in tables for client in _clients(table, port)}
    return {peer for peer in peers if (last := peer.rpartition(":")[2]).isdigit() and int(last) not in connected}


def _clients(table: Path, port: int) -> Iterator[int]:
    """The ports that are connected to one of this machine's."""
    for line in table.read_text().splitlines()[1:]:
        _, local, remote, state = line.split()[:4]
        if state == _ESTABLISHED and _port(local) == port:
            yield _port(remote)


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)
