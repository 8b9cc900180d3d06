"""Which clients have hung up, as the system tells."""

import socket

import pytest

from flightserver.transport.connections import gone

pytestmark = pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="this system does not tell")


def test_a_client_is_gone_when_it_has_hung_up() -> None:
    """And not before: the peer is named as gRPC does, by its address and port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, address = server.accept()
            peer = f"ipv4:127.0.0.1:{address[1]}"
            assert gone(port, {peer}) == set()
            client.close()
            assert gone(port, {peer}) == {peer}
            accepted.close()


def test_a_peer_without_a_port_is_never_gone() -> None:
    """A socket in a file has none, and a server without connections has none of it to lose."""
    assert gone(1, {"unix:/run/flightserver", ""}) == set()
