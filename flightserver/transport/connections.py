"""Connections to clients, which the library does not show: which are gone, and how to end one.

A client's port is used again sooner or later. Whoever gets it next must not find what was left in a session that is
known by nothing else. Linux tells who has hung up.

A thread that waits for a client is woken up by the end of the connection, and by nothing else.
"""

import os
import socket
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_ISSOCK
from urllib.parse import unquote

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED = "01"
_DESCRIPTORS = Path("/dev/fd")
_SCHEMES = frozenset({"ipv4", "ipv6"})


def gone(port: int, peers: Collection[str]) -> set[str]:
    """Those of a server's peers, as gRPC names them, that have hung up; none where the system does not tell."""
    tables = [table for table in _TABLES if table.exists()]
    if not tables:
        return set()
    connected = {client for table in tables for client in _clients(table, port)}
    return {peer for peer in peers if (last := peer.rpartition(":")[2]).isdigit() and int(last) not in connected}


def hang_up(port: int, peer: str) -> None:
    """End the connection between a server's port and one of its peers, as gRPC names them, if there is one."""
    client = _address(peer)
    for found in _sockets():
        if found.family not in (socket.AF_INET, socket.AF_INET6):
            found.close()
            continue
        with found, suppress(OSError):  # it is no connection, or has just ended
            here, there = found.getsockname(), found.getpeername()
            if here[1] == port and client == (_plain(there[0]), there[1]):
                found.shutdown(socket.SHUT_RDWR)


def _sockets() -> Iterator[socket.socket]:
    """The sockets of this process, under descriptors of their own: the library may close its own at any time."""
    for entry in list(_DESCRIPTORS.iterdir()):
        try:
            descriptor = os.dup(int(entry.name))
        except OSError:
            continue
        if S_ISSOCK(os.fstat(descriptor).st_mode):
            yield socket.socket(fileno=descriptor)
        else:
            os.close(descriptor)


def _address(peer: str) -> tuple[str, int] | None:
    """The host and the port of a peer, as in `ipv4:127.0.0.1:5000` and `ipv6:%5B::1%5D:5000`; None for others."""
    scheme, _, address = peer.partition(":")
    host, _, port = unquote(address).rpartition(":")
    return (_plain(host.strip("[]")), int(port)) if scheme in _SCHEMES and port.isdigit() else None


def _plain(host: str) -> str:
    """A host's address, one of IPv4 without the prefix that a socket of IPv6 gives it."""
    return host.removeprefix("::ffff:") if "." in host else host


def _clients(table: Path, port: int) -> Iterator[int]:
    """The ports that are connected to one of this machine's."""
    for line in table.read_text().splitlines()[1:]:
        _, local, remote, state = line.split()[:4]
        if state == _ESTABLISHED and _port(local) == port:
            yield _port(remote)


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)
