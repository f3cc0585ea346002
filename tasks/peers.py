"""Who is at the other end of a connection from this same machine: the account that its socket belongs to."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from socket import socket
from weakref import WeakKeyDictionary

TCP, TCP6 = Path("/proc/net/tcp"), Path("/proc/net/tcp6")
# Where a row of these tables, from its first address on, has what we need.
UID, INODE = 6, 8

Address = IPv4Address | IPv6Address


def plain_address(text: str) -> Address | None:
    """The IP address, an IPv4-mapped one as what it maps to; None for what is no address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def spelled(packed: bytes, port: int) -> str:
    """A socket's address as the kernel's tables spell it: 32-bit words in the machine's own byte order."""
    words = "".join(f"{word:08X}" for (word,) in struct.iter_unpack("=I", packed))
    return f"{words}:{port:04X}"


def places(near: tuple[Address, int], far: tuple[Address, int]) -> Iterator[tuple[Path, bytes]]:
    """The tables that may have this socket, and how its row begins there.

    An IPv4 connection may also be made through an IPv6 socket, which has the mapped addresses.
    """
    pair = [(address.packed, port) for address, port in (near, far)]
    if isinstance(near[0], IPv4Address):
        yield TCP, " ".join(spelled(*one) for one in pair).encode()
        pair = [(IPv6Address(f"::ffff:{address}").packed, port) for address, port in (near, far)]
    yield TCP6, " ".join(spelled(*one) for one in pair).encode()


def owner_of(near: tuple[Address, int], far: tuple[Address, int]) -> int | None:
    """The account of the socket at `near` that is connected to `far`; None if no process holds it any more.

    A socket that its process has closed stays in the table for a while, without an inode and as root's: who sends
    and closes at once must not pass for root.
    """
    for table, start in places(near, far):
        content = table.read_bytes() if table.exists() else b""
        if (found := content.find(start + b" ")) >= 0:
            row = content[found : found + 300].splitlines()[0].split()
            return int(row[UID]) if row[INODE] != b"0" else None
    return None


_known: WeakKeyDictionary[socket, bool] = WeakKeyDictionary()


def is_ours(connection: socket | None) -> bool:
    """Whether the other end belongs to the account TaskHub runs as, or to root. Looked up once a connection.

    None is a connection that the web server does not show: it may be anybody's.
    """
    if sys.platform != "linux":
        return True
    if connection is None:
        return False
    if connection not in _known:
        _known[connection] = _look_up(connection)
    return _known[connection]


def _look_up(connection: socket) -> bool:
    try:
        (peer, peer_port, *_), (own, own_port, *_) = connection.getpeername(), connection.getsockname()
    except (OSError, ValueError):
        return False  # gone already, or no TCP connection
    near, far = plain_address(peer), plain_address(own)
    return near is not None and far is not None and owner_of((near, peer_port), (far, own_port)) in {0, os.geteuid()}
