"""GET requests to URLs of callers, against real servers on this machine."""

import ipaddress
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import BaseTestServer, TestServer
from yarl import URL

from tiro_ingest.outgoing.addresses import AddressPolicy, AddressRefusedError
from tiro_ingest.outgoing.client import (
    RedirectsError,
    UrlInvalidError,
    new_session,
    open_url,
    parse_url,
    without_secrets,
)
from tiro_ingest.outgoing.connector import CheckedResolver, open_connector

LOOPBACK = AddressPolicy(allowed_networks=[ipaddress.ip_network("127.0.0.1/32")])


class Rebinding(AbstractResolver):
    """A resolver that returns its addresses in turn, the last one repeatedly."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = list(addresses)

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
        """Return the next address."""
        address = self._addresses.pop(0) if len(self._addresses) > 1 else self._addresses[0]
        flags = socket.AI_NUMERICHOST
        return [ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=flags)]

    async def close(self) -> None:
        """Do nothing."""


@pytest.fixture
async def server() -> AsyncIterator[BaseTestServer]:
    """A server that answers with the headers of a request, or redirects."""

    async def echo(request: web.Request) -> web.Response:
        return web.json_response(dict(request.headers))

    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": request.query["to"]})

    async def loop(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/loop"})

    app = web.Application()
    app.router.add_get("/echo", echo)
    app.router.add_get("/redirect", redirect)
    app.router.add_get("/loop", loop)
    async with TestServer(app, host="127.0.0.1") as started:
        yield started


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    """A session that may connect to 127.0.0.1, and to no other private address."""
    async with new_session(open_connector(LOOPBACK), stall_seconds=5) as opened:
        yield opened


async def _get(session: ClientSession, url: URL) -> Any:
    async with open_url(session, url, {}) as response:
        return await response.json()


async def test_credentials_are_not_sent_after_a_redirect(server: BaseTestServer, session: ClientSession) -> None:
    """User and password of a URL are not sent after a redirect, and are not in the text for logs."""
    url = server.make_url("/echo").with_user("anna").with_password("secret")
    assert "Authorization" in await _get(session, url)
    assert (await _get(session, url))["Accept-Encoding"] == "identity"
    away = server.make_url("/redirect").with_query(to="/echo").with_user("anna").with_password("secret")
    assert "Authorization" not in await _get(session, away)
    assert without_secrets(away) == str(server.make_url("/redirect"))


async def test_redirects_are_limited(server: BaseTestServer, session: ClientSession) -> None:
    """A host that redirects for ever gives a RedirectsError."""
    with pytest.raises(RedirectsError):
        await _get(session, server.make_url("/loop"))


@pytest.mark.parametrize("host", ["127.0.0.2", "[::1]", "[::ffff:127.0.0.1]", "2130706434", "0x7f000002", "127.2"])
async def test_addresses_are_checked_at_every_hop(server: BaseTestServer, session: ClientSession, host: str) -> None:
    """A refused address is refused in every spelling, in the URL and in a redirect."""
    target = f"http://{host}:{server.port}/echo"
    for url in (URL(target), server.make_url("/redirect").with_query(to=target)):
        with pytest.raises((AddressRefusedError, UrlInvalidError)):
            await _get(session, url)


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/a", "/a:b", "http://"]
)
def test_other_schemes_are_refused(target: str) -> None:
    """Only complete URLs with http or https are valid."""
    with pytest.raises(UrlInvalidError):
        parse_url(target)


async def test_a_redirect_to_a_file_is_refused(server: BaseTestServer, session: ClientSession) -> None:
    """A redirect to another scheme is refused."""
    with pytest.raises(UrlInvalidError):
        await _get(session, server.make_url("/redirect").with_query(to="file:///etc/passwd"))


async def test_a_name_that_changes_its_address_is_refused(server: BaseTestServer) -> None:
    """DNS rebinding: each answer of the resolver is checked, and the checked address is the one that is used."""
    resolver = CheckedResolver(AddressPolicy(), Rebinding("1.1.1.1", "127.0.0.1"))
    assert (await resolver.resolve("a.example", 443))[0]["host"] == "1.1.1.1"
    with pytest.raises(AddressRefusedError):
        await resolver.resolve("a.example", 443)
    async with new_session(open_connector(AddressPolicy(), Rebinding("127.0.0.1")), stall_seconds=5) as session:
        with pytest.raises(AddressRefusedError):
            await _get(session, URL(f"http://a.example:{server.port}/echo"))
