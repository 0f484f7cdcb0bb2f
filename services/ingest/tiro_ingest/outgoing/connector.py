"""A connector that connects only to addresses that were checked."""

import socket

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from tiro_ingest.outgoing.addresses import AddressPolicy

CONNECTIONS_MAX = 64
"""The most connections that one connector has open; further ones wait."""

AddrInfo = tuple[
    int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]
]
"""Family, type, protocol, canonical name and address, as from `socket.getaddrinfo`."""


class CheckedResolver(AbstractResolver):
    """Refuses a name when any of its addresses is refused."""

    def __init__(self, policy: AddressPolicy, resolver: AbstractResolver) -> None:
        self._policy = policy
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises AddressRefusedError, and OSError when it has none."""
        results = await self._resolver.resolve(host, port, family)
        for result in results:
            self._policy.check(result["host"], port)
        return results

    async def close(self) -> None:
        """Close the wrapped resolver."""
        await self._resolver.close()


def open_connector(policy: AddressPolicy, resolver: AbstractResolver | None = None) -> TCPConnector:
    """A connector for one `aiohttp.ClientSession`, which closes it. Call it inside a running loop.

    The socket factory gets the address of each connection, whether it came from a name, a literal or an unusual
    notation. So it cannot change between the check and the connection.
    """

    def checked_socket(info: AddrInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        policy.check(address[0], address[1])
        return socket.socket(family, kind, protocol)

    return TCPConnector(
        resolver=CheckedResolver(policy, resolver or ThreadedResolver()),
        socket_factory=checked_socket,
        use_dns_cache=False,
        limit=CONNECTIONS_MAX,
    )
