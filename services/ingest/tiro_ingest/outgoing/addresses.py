"""The network addresses to which ingest may connect for a caller."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
"""The only part of IPv6 that is assigned for use on the Internet (IANA's IPv6 address space registry)."""

_REFUSED = (
    ipaddress.IPv4Network("192.0.0.0/24"),  # protocol assignments, RFC 6890
    ipaddress.IPv4Network("192.88.99.0/24"),  # relays of 6to4, RFC 7526
    ipaddress.IPv6Network("2001::/23"),  # protocol assignments, Teredo among them, RFC 2928 and 4380
    ipaddress.IPv6Network("2002::/16"),  # 6to4: an IPv4 address within, RFC 3056
    ipaddress.IPv6Network("3fff::/20"),  # documentation, RFC 9637
)
"""Networks that some versions of Python call global, although their addresses are not those of single hosts."""


class AddressRefusedError(Exception):
    """The deployment does not connect to this address for a caller.

    It is no OSError and no RuntimeError: after those a connector would try the next address.
    """


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """The addresses that a deployment allows: the public Internet on few ports, and the networks of an allow-list."""

    ports: frozenset[int] = frozenset({80, 443})
    """TCP ports that may be reached on the public Internet."""
    allowed_networks: Sequence[IPNetwork] = field(default=())
    """Networks that may be reached although they are not public, on any port."""

    def check(self, address: str, port: int) -> None:
        """Raise AddressRefusedError unless a connection to this literal address and port is allowed."""
        try:
            ip = ipaddress.ip_address(address)
        except ValueError as error:
            raise AddressRefusedError("this is not an address in standard notation") from error
        if self._is_listed(ip):
            return
        if not is_public(ip):
            raise AddressRefusedError("this address is not on the public Internet")
        if port not in self.ports:
            raise AddressRefusedError(f"port {port} is not among those allowed")

    def _is_listed(self, ip: IPAddress) -> bool:
        """Whether an allowed network has the address. An IPv4 address within an IPv6 address counts as the latter."""
        if isinstance(ip, ipaddress.IPv6Address) and ip.scope_id is not None:
            return False
        return any(ip.version == network.version and ip in network for network in self.allowed_networks)


def is_public(ip: IPAddress) -> bool:
    """Whether it is a unicast address of the public Internet that is no tunnel or translation to another address."""
    if ip.is_multicast or ip.is_reserved or not ip.is_global:
        return False
    if any(ip.version == network.version and ip in network for network in _REFUSED):
        return False
    return isinstance(ip, ipaddress.IPv4Address) or (ip.scope_id is None and ip in _PUBLIC_IPV6)
