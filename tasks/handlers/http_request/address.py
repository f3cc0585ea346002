"""Where a request may go: its URL in parts, its host's address looked up once, private ranges refused."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
PORTS = {"http": 80, "https": 443}
# IPv6 ranges that carry an IPv4 address in their last 32 bits: translated to it on the way.
TRANSLATED = [ipaddress.ip_network(network) for network in ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96")]
# In this one it may stand anywhere (RFC 8215, RFC 6052).
OWN_TRANSLATORS = ipaddress.ip_network("64:ff9b:1::/48")
# Where clouds keep their machines' credentials, beside link-local addresses: Alibaba, Azure, Oracle, Amazon.
CLOUDS = {ipaddress.ip_address(text) for text in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254")}
PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")


class Refused(Exception):
    """A URL that must not be called; says why in a sentence for people."""


@dataclass(frozen=True)
class Target:
    """A URL taken apart: whom to call, and what to ask for there."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host_header}{self.path}"

    def moved_to(self, location: str) -> Target:
        """Where a redirect leads. Raises Refused for another host, and for one that gives up encryption."""
        target = parse(urljoin(self.url, location))
        if target.host != self.host:
            known = {"here": self.host, "there": target.host}
            raise Refused(_("%(here)s redirects to %(there)s. Redirects are followed within one host only.") % known)
        if self.scheme == "https" and target.scheme == "http":
            raise Refused(_("%(here)s redirects from https to http, which is not followed.") % {"here": self.host})
        return target


def parse(url: str) -> Target:
    """Take a URL apart. Raises Refused for a scheme, port or form that is not called."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode() if not _is_address(parts.hostname) else parts.hostname
    except ValueError as error:
        raise Refused(_("This is not a URL that can be called.")) from error
    if parts.scheme not in PORTS:
        raise Refused(_("Only http and https are called."))
    if not host:
        raise Refused(_("The URL names no host."))
    if parts.username is not None or parts.password is not None:
        raise Refused(_("A user name or password does not belong in a URL: give an Authorization header."))
    port = PORTS[parts.scheme] if port is None else port
    if port not in settings.HTTP_PORTS:
        allowed = ", ".join(map(str, settings.HTTP_PORTS))
        raise Refused(_("Port %(port)d is not called; allowed are: %(allowed)s.") % {"port": port, "allowed": allowed})
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host.lower().rstrip("."), port, path)


def _is_address(host: str | None) -> bool:
    try:
        ipaddress.ip_address(host or "")
    except ValueError:
        return False
    return True


def resolve(target: Target) -> list[str]:
    """The addresses of the target's host, looked up once: whoever connects uses these and asks no more.

    Raises Refused where any of them is private: a name that leads both ways is not to be trusted.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OSError(_("There is no host of the name %(host)s.") % {"host": target.host}) from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not is_allowed(ipaddress.ip_address(address)):
            raise Refused(
                _("%(host)s leads to %(address)s, which is not a public address.")
                % {"host": target.host, "address": address}
            )
    return addresses


def is_allowed(address: Address) -> bool:
    """Whether this address may be called: public ones, and private ones where the settings say so."""
    address = _carried(address)
    # Never, whatever the settings.
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if address in CLOUDS or address in OWN_TRANSLATORS:
        return False
    return bool(settings.HTTP_ALLOW_PRIVATE) or (address.is_global and (address.version == 4 or address in PUBLIC_IPV6))


def _carried(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour or address
    if address.teredo:
        return address.teredo[1]
    if not (address.is_loopback or address.is_unspecified) and any(address in network for network in TRANSLATED):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
