"""A NATS server that says nothing any more and keeps its connections open: a host that is off, a cable that is cut."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from nats.errors import OutboundBufferLimitError
from nats.errors import TimeoutError as NatsTimeoutError

from tests.support.cluster.link import Mode
from tests.support.cluster.proxy import Proxy, running_proxy
from tests.support.nats import NatsServer, running_nats
from tiro_core.messaging.client import REQUEST_TIMEOUT_SECONDS
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.topology import BLOBS, ensure_streams
from tiro_core.settings import CoreSettings

NOTICED_SECONDS_MAX = 20.0
"""The aim is some 10 s; nats-py's own settings take 6 minutes."""
WHILE_SECONDS_MAX = 2 * REQUEST_TIMEOUT_SECONDS
LINE_BYTES_MAX = 4096
"""A command of more characters is an error to the server, after which it ends the connection."""
PIECE = b"x" * 512 * 1024


@pytest.fixture
def proxy(nats_server: NatsServer) -> Iterator[Proxy]:
    """Two links to one server, as if it were two nodes."""
    with running_proxy() as proxy:
        yield proxy


@pytest.fixture
async def ports(proxy: Proxy, nats_server: NatsServer) -> list[int]:
    """The ports of the links `first` and `second`. The second refuses connections."""
    target = urlsplit(nats_server.url).port or 0
    opened = []
    for name in ("first", "second"):
        opened.append(proxy.open(name))
        proxy.set_target(name, target)
    proxy.set_mode("second", Mode.REFUSE)
    return opened


@pytest.fixture
async def linked(ports: list[int], nats_server: NatsServer) -> AsyncIterator[Bus]:
    """A connection over the first link, which knows of both."""
    url = ",".join(f"nats://127.0.0.1:{port}" for port in ports)
    settings = CoreSettings.model_validate({"nats_url": url, "nats_monitor_url": nats_server.monitor_url})
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(open_bus(settings, "test"))
        await ensure_streams(bus, replicas=1)
        yield bus


async def _go_silent(proxy: Proxy) -> None:
    """The node is off: no connection says anything, and another node takes new ones."""
    proxy.set_mode("first", Mode.SILENT)
    proxy.set_mode("second", Mode.FORWARD)


async def _answers(bus: Bus) -> None:
    """Wait until JetStream answers again."""
    async with asyncio.timeout(NOTICED_SECONDS_MAX):
        while True:
            try:
                await bus.jetstream.account_info()
            except (NatsTimeoutError, OutboundBufferLimitError):
                await asyncio.sleep(0.1)  # a full buffer refuses at once
                continue
            return


async def test_the_connection_goes_on_to_another_server(linked: Bus, proxy: Proxy) -> None:
    """A silent server is noticed by its missing pongs, and another one of the list is taken."""
    await linked.jetstream.account_info()
    await _go_silent(proxy)
    await _answers(linked)


async def test_what_is_unsent_does_not_hold_the_connection(linked: Bus, proxy: Proxy) -> None:
    """A connection that takes no more bytes is given up all the same: its buffer need not empty."""
    await _go_silent(proxy)
    async with asyncio.TaskGroup() as tasks:
        writes = [tasks.create_task(_write(linked, index)) for index in range(24)]
        await _answers(linked)
        for write in writes:
            write.cancel()


async def test_a_request_does_not_outlive_its_limit(linked: Bus, proxy: Proxy) -> None:
    """A request that was sent into silence fails when its time is over, also behind a full buffer."""
    proxy.set_mode("first", Mode.SILENT)
    async with asyncio.TaskGroup() as tasks:
        writes = [tasks.create_task(_write(linked, index)) for index in range(24)]
        await asyncio.sleep(0)
        async with asyncio.timeout(WHILE_SECONDS_MAX):
            with pytest.raises(NatsTimeoutError):
                await linked.jetstream.stream_info(BLOBS)
        for write in writes:
            write.cancel()


async def test_a_writer_behind_a_full_buffer_can_be_cancelled(linked: Bus, proxy: Proxy) -> None:
    """Cancelling what waits for room to send ends it."""
    proxy.set_mode("first", Mode.SILENT)
    writes = [asyncio.create_task(_write(linked, index)) for index in range(24)]
    await asyncio.sleep(1)  # until the buffers of the kernel and of the proxy are full
    for write in writes:
        write.cancel()
    async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes), outcomes


async def _write(bus: Bus, index: int) -> None:
    while True:
        try:
            await bus.jetstream.publish(f"tiro.blob.test.silent.{index}", PIECE)
        except (NatsTimeoutError, OutboundBufferLimitError):
            await asyncio.sleep(0.1)  # as above


async def test_a_server_that_refuses_us_for_a_while(tmp_path: Path) -> None:
    """A connection that the server ends with an error, as when credentials expire, is made again when it lets us."""
    right, wrong = "the-right-password", "another-password"
    with running_nats(tmp_path, password=right) as server:
        server.stop()
        server.start()  # with the ports in its configuration that it took by itself: they cannot be changed below
        settings = CoreSettings.model_validate({"nats_url": server.url.replace("nats://", f"nats://tiro:{right}@")})
        async with open_bus(settings, "test") as bus:
            await bus.jetstream.account_info()
            server.change_password(wrong)
            async with asyncio.timeout(NOTICED_SECONDS_MAX):
                while bus.is_connected:  # noqa: ASYNC110 - nats-py has no event for it
                    await asyncio.sleep(0.05)
            server.change_password(right)
            await _answers(bus)


async def test_a_connection_that_the_server_ends_with_an_error(linked: Bus) -> None:
    """It is made again: nats-py by itself would stay closed for ever, as after credentials that have expired."""
    await linked.client.publish("x" * LINE_BYTES_MAX, b"")
    async with asyncio.timeout(NOTICED_SECONDS_MAX):
        while linked.is_connected:  # noqa: ASYNC110 - nats-py has no event for it
            await asyncio.sleep(0)
    await _answers(linked)
