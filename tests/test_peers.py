"""The account at the other end of a connection, seen on real sockets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from ipaddress import ip_address

import pytest

from tasks import peers

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's tables are Linux's")
pytestmark = LINUX


def listening(family, address):
    server = socket.socket(family)
    if family == socket.AF_INET6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.settimeout(10)
    server.bind((address, 0))
    server.listen()
    return closing(server)


@pytest.mark.parametrize(
    ("family", "bound", "client_family", "target"),
    [
        (socket.AF_INET, "127.0.0.1", socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET6, "::1", socket.AF_INET6, "::1"),
        (socket.AF_INET6, "::", socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, "127.0.0.1", socket.AF_INET6, "::ffff:127.0.0.1"),
    ],
)
def test_an_own_socket_is_recognised_by_every_way_it_may_connect(family, bound, client_family, target):
    with listening(family, bound) as server, closing(socket.socket(client_family)) as near:
        near.connect((target, server.getsockname()[1]))
        far, _ = server.accept()
        with far:
            assert peers.is_ours(far)


AS_NOBODY = """
import os, socket, sys
os.setuid(65534)
connection = socket.socket()
connection.connect(("127.0.0.1", int(sys.argv[1])))
connection.sendall(b"x")
if sys.argv[2] == "stay":
    sys.stdin.read()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another account")
@pytest.mark.parametrize("after", ["stay", "close"])
def test_another_account_is_told_apart_also_if_it_sends_and_closes_at_once(after):
    with listening(socket.AF_INET, "127.0.0.1") as server:
        command = [sys.executable, "-c", AS_NOBODY, str(server.getsockname()[1]), after]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as other:
            far, _ = server.accept()
            with far:
                far.recv(1)
                if after == "close":
                    assert far.recv(1) == b""
                assert not peers.is_ours(far)
            other.communicate(timeout=10)


def test_a_connection_that_is_gone_belongs_to_nobody():
    with listening(socket.AF_INET, "127.0.0.1") as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
        near.close()
        with far:
            assert far.recv(1) == b""
            assert not peers.is_ours(far)


def test_a_connection_is_looked_up_once(monkeypatch):
    looked_up = []
    monkeypatch.setattr(peers, "owner_of", lambda near, far: looked_up.append(near) or os.geteuid())
    with listening(socket.AF_INET, "127.0.0.1") as server, socket.create_connection(server.getsockname()):
        far, _ = server.accept()
        with far:
            assert peers.is_ours(far)
            assert peers.is_ours(far)
    assert len(looked_up) == 1


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", ip_address("127.0.0.1")),
        ("::ffff:127.0.0.1", ip_address("127.0.0.1")),
        ("fe80::1%eth0", ip_address("fe80::1")),
        ("", None),
        ("localhost", None),
    ],
)
def test_addresses_are_compared_in_their_plain_form(text, address):
    assert peers.plain_address(text) == address
