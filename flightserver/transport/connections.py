"""Connections to clients, which the library does not show: which are gone, and how to end one.

A client's port is used again sooner or later. Whoever gets it next must not find what was left in a session that is
known by nothing else. Linux tells who has hung up.

A thread that waits for a client is woken up by the end of the connection, and by nothing else.
"""

import errno
import os
import socket
from collections.abc import Collection, Iterator
from contextlib import suppress
from stat import S_ISSOCK
from typing import cast
from urllib.parse import unquote

_DESCRIPTORS = "/dev/fd"
_INTERNET = (socket.AF_INET, socket.AF_INET6)
_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)
_ESTABLISHED = b"\1"
"""The first byte of what Linux tells of a connection."""
_SCHEMES = frozenset({"ipv4", "ipv6"})


def gone(port: int, peers: Collection[str]) -> set[str]:
    """Those of a server's peers, as gRPC names them, that have hung up; none where the system does not tell.

    The process asks its own sockets: in the system's tables a reader passes every slot there could be, for ten
    milliseconds.
    """
    if _TCP_INFO is None:
        return set()
    try:
        connected = {client for found in _sockets() if (client := _connected(found, port)) is not None}
    except OSError:  # there is no descriptor left to look with
        return set()
    return {peer for peer in peers if (last := peer.rpartition(":")[2]).isdigit() and int(last) not in connected}


def _connected(found: socket.socket, port: int) -> int | None:
    """The port of a client that is connected to a server's by a socket, which is closed."""
    with found, suppress(OSError):  # it listens, or has just ended
        if found.family in _INTERNET and found.getsockname()[1] == port:
            state = found.getsockopt(socket.IPPROTO_TCP, cast("int", _TCP_INFO), 1)
            return int(found.getpeername()[1]) if state == _ESTABLISHED else None
    return None


def hang_up(port: int, peer: str) -> None:
    """End the connection between a server's port and one of its peers, as gRPC names them, if there is one."""
    client = _address(peer)
    with suppress(OSError):
        for found in _sockets():
            _end(found, port, client)


def _end(found: socket.socket, port: int, client: tuple[str, int] | None) -> None:
    """End a connection if it is that of a client, and close its socket."""
    with found, suppress(OSError):  # it is no connection, or has just ended
        if found.family in _INTERNET:
            here, there = found.getsockname(), found.getpeername()
            if here[1] == port and client == (_plain(there[0]), there[1]):
                found.shutdown(socket.SHUT_RDWR)


def _sockets() -> Iterator[socket.socket]:
    """The sockets of this process, under descriptors of their own: the library may close its own at any time.

    OSError when there are none left.
    """
    with os.scandir(_DESCRIPTORS) as entries:
        descriptors = [int(entry.name) for entry in entries]
    for number in descriptors:
        try:
            descriptor = os.dup(number)
        except OSError as error:
            if error.errno == errno.EBADF:
                continue
            raise
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
