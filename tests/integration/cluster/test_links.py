"""Links of the cluster rig, and their effect on TCP connections."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.support.cluster.link import Mode
from tests.support.cluster.proxy import Proxy, running_proxy

LINK = "echo"
SILENT_SECONDS = 0.3
"""How long the absence of data is observed. A healthy link answers in 1 ms."""


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy in a process of its own."""
    with running_proxy() as running:
        yield running


@pytest.fixture
async def port(proxy: Proxy) -> AsyncIterator[int]:
    """A link to an echo server."""

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

    async def send(self, line: bytes) -> None:
        """Send a line."""
        self._writer.write(line + b"\n")
        await self._writer.drain()

    async def receive(self) -> bytes:
        """The next line. Empty at the end of the connection."""
        return (await self._reader.readline()).rstrip()

    async def receives_nothing(self) -> bool:
        """Whether nothing arrives for a while. Later data is not lost."""
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


async def test_a_link_forwards(proxy: Proxy, port: int) -> None:
    """A link forwards both ways, on several connections."""
    async with calling(port) as one, calling(port) as other:
        await one.send(b"one")
        await other.send(b"other")
        assert await one.receive() == b"one"
        assert await other.receive() == b"other"


async def test_a_silent_link_holds_data_until_it_heals(proxy: Proxy, port: int) -> None:
    """Connections stay open and new ones are accepted, without any data. After healing all data arrives."""
    async with calling(port) as before:
        await before.send(b"before")
        assert await before.receive() == b"before"
        proxy.set_mode(LINK, Mode.SILENT)
        async with calling(port) as during:
            await before.send(b"cut")
            await during.send(b"new")
            assert await before.receives_nothing()
            assert await during.receives_nothing()
            proxy.set_mode(LINK, Mode.FORWARD)
            assert await before.receive() == b"cut"
            assert await during.receive() == b"new"


async def test_a_silent_link_holds_the_end_of_a_connection(proxy: Proxy, port: int) -> None:
    """The end of a connection is not forwarded either, until the link heals."""
    async with calling(port) as caller:
        await caller.send(b"before")
        assert await caller.receive() == b"before"
        proxy.set_mode(LINK, Mode.SILENT)
        caller._writer.write_eof()
        assert await caller.receives_nothing()
        proxy.set_mode(LINK, Mode.FORWARD)
        assert await caller.receive() == b""


async def test_connections_are_reset(proxy: Proxy, port: int) -> None:
    """Existing connections are reset. New ones are accepted at once."""
    async with calling(port) as caller:
        await caller.send(b"before")
        assert await caller.receive() == b"before"
        proxy.reset(LINK)
        with pytest.raises(ConnectionResetError):
            await caller.receive()
    async with calling(port) as caller:
        await caller.send(b"after")
        assert await caller.receive() == b"after"


async def test_a_link_without_a_server_resets(proxy: Proxy) -> None:
    """A link without a server resets connections, as a host does for a port without a listener."""
    with pytest.raises(ConnectionResetError):
        async with calling(proxy.open("nowhere")) as caller:
            await caller.receive()


async def test_a_slow_link_holds_each_piece(proxy: Proxy, port: int) -> None:
    """Data over a slow link arrives late."""
    proxy.set_delay(LINK, 3 * SILENT_SECONDS)
    async with calling(port) as caller:
        await caller.send(b"late")
        assert await caller.receives_nothing()
        assert await caller.receive() == b"late"
