"""A link does to a TCP connection what it is told: the rig of the cluster tests is to be trusted."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.support.cluster.link import Mode
from tests.support.cluster.proxy import Proxy, running_proxy

LINK = "echo"
SILENT_SECONDS = 0.3
"""How long it is watched that nothing comes: a healthy link answers in a millisecond."""


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy in a process of its own."""
    with running_proxy() as running:
        yield running


@pytest.fixture
async def port(proxy: Proxy) -> AsyncIterator[int]:
    """A link to a server that says again what it is told."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.readline():
                writer.write(data)
        except ConnectionResetError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        port = proxy.open(LINK)
        proxy.set_target(LINK, server.sockets[0].getsockname()[1])
        yield port


class Caller:
    """One connection over the link."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, line: bytes) -> None:
        """Send a line."""
        self._writer.write(line + b"\n")
        await self._writer.drain()

    async def hear(self) -> bytes:
        """The next line. Empty when the connection has ended."""
        return (await self._reader.readline()).rstrip()

    async def hears_nothing(self) -> bool:
        """Whether nothing comes for a while. What comes later is not lost."""
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                await self._reader.readline()
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[Caller]:
    """A connection, closed at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Caller(reader, writer)
    finally:
        writer.transport.abort()


async def test_it_forwards(proxy: Proxy, port: int) -> None:
    """Both ways, on several connections."""
    async with calling(port) as one, calling(port) as other:
        await one.say(b"one")
        await other.say(b"other")
        assert await one.hear() == b"one"
        assert await other.hear() == b"other"


async def test_a_silent_link_holds_what_comes_until_it_heals(proxy: Proxy, port: int) -> None:
    """Connections stay open, new ones are taken, nothing passes; then everything does, and nothing is lost."""
    async with calling(port) as before:
        await before.say(b"before")
        assert await before.hear() == b"before"
        proxy.set_mode(LINK, Mode.SILENT)
        async with calling(port) as during:
            await before.say(b"cut")
            await during.say(b"new")
            assert await before.hears_nothing()
            assert await during.hears_nothing()
            proxy.set_mode(LINK, Mode.FORWARD)
            assert await before.hear() == b"cut"
            assert await during.hear() == b"new"


async def test_a_silent_link_does_not_say_that_a_side_has_gone(proxy: Proxy, port: int) -> None:
    """The end of a connection is not forwarded either, until the link heals."""
    async with calling(port) as caller:
        await caller.say(b"before")
        assert await caller.hear() == b"before"
        proxy.set_mode(LINK, Mode.SILENT)
        caller._writer.write_eof()
        assert await caller.hears_nothing()
        proxy.set_mode(LINK, Mode.FORWARD)
        assert await caller.hear() == b""


async def test_connections_are_reset(proxy: Proxy, port: int) -> None:
    """Those that are there; the link takes new ones at once."""
    async with calling(port) as caller:
        await caller.say(b"before")
        assert await caller.hear() == b"before"
        proxy.reset(LINK)
        with pytest.raises(ConnectionResetError):
            await caller.hear()
    async with calling(port) as caller:
        await caller.say(b"after")
        assert await caller.hear() == b"after"


async def test_a_link_without_a_server_resets(proxy: Proxy) -> None:
    """As a host does where nothing listens."""
    with pytest.raises(ConnectionResetError):
        async with calling(proxy.open("nowhere")) as caller:
            await caller.hear()


async def test_a_slow_link_holds_each_piece(proxy: Proxy, port: int) -> None:
    """What is on its way is late, and comes."""
    proxy.set_delay(LINK, 3 * SILENT_SECONDS)
    async with calling(port) as caller:
        await caller.say(b"late")
        assert await caller.hears_nothing()
        assert await caller.hear() == b"late"
