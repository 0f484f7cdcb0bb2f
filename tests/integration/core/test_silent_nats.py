"""A silent NATS server, whose connections stay open: as of a host without power, or a cut cable."""

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

DETECTED_SECONDS_MAX = 20.0
"""Limit of the detection. The aim is 10 s; nats-py's defaults take 6 minutes."""
REQUEST_SECONDS_MAX = 2 * REQUEST_TIMEOUT_SECONDS
LINE_BYTES_MAX = 4096
"""Limit of a command. The server answers a longer one with an error, and closes the connection."""
PIECE = b"x" * 512 * 1024


@pytest.fixture
def proxy(nats_server: NatsServer) -> Iterator[Proxy]:
    """A proxy for two links to one server, as of two nodes."""
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
    """A connection over the first link, with the addresses of both."""
    url = ",".join(f"nats://127.0.0.1:{port}" for port in ports)
    settings = CoreSettings.model_validate({"nats_url": url, "nats_monitor_url": nats_server.monitor_url})
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(open_bus(settings, "test"))
        await ensure_streams(bus, replicas=1)
        yield bus


async def _go_silent(proxy: Proxy) -> None:
    """Silence the first link, and let the second one accept connections."""
    proxy.set_mode("first", Mode.SILENT)
    proxy.set_mode("second", Mode.FORWARD)


async def _answers(bus: Bus) -> None:
    """Wait until JetStream answers again."""
    async with asyncio.timeout(DETECTED_SECONDS_MAX):
        while True:
            try:
                await bus.jetstream.account_info()
            except (NatsTimeoutError, OutboundBufferLimitError):
                await asyncio.sleep(0.1)  # a full buffer raises at once
                continue
            return


async def test_a_client_reconnects_to_another_server(linked: Bus, proxy: Proxy) -> None:
    """A silent server is detected by missing pongs, and the client connects to another address."""
    await linked.jetstream.account_info()
    await _go_silent(proxy)
    await _answers(linked)


async def test_unsent_data_does_not_delay_the_reconnect(linked: Bus, proxy: Proxy) -> None:
    """A connection with a full send buffer is closed without flushing it."""
    await _go_silent(proxy)
    async with asyncio.TaskGroup() as tasks:
        writes = [tasks.create_task(_write(linked, index)) for index in range(24)]
        await _answers(linked)
        for write in writes:
            write.cancel()


async def test_a_request_to_a_silent_server_times_out(linked: Bus, proxy: Proxy) -> None:
    """A request to a silent server fails at its timeout, also while the send buffer is full."""
    proxy.set_mode("first", Mode.SILENT)
    async with asyncio.TaskGroup() as tasks:
        writes = [tasks.create_task(_write(linked, index)) for index in range(24)]
        await asyncio.sleep(0)
        async with asyncio.timeout(REQUEST_SECONDS_MAX):
            with pytest.raises(NatsTimeoutError):
                await linked.jetstream.stream_info(BLOBS)
        for write in writes:
            write.cancel()


async def test_a_writer_that_waits_for_a_full_buffer_can_be_cancelled(linked: Bus, proxy: Proxy) -> None:
    """A publish that waits for space in the send buffer can be cancelled."""
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


async def test_a_client_reconnects_after_its_credentials_were_refused(tmp_path: Path) -> None:
    """After an authorization error, as of expired credentials, the client reconnects once they are accepted again."""
    right, wrong = "the-right-password", "another-password"
    with running_nats(tmp_path, password=right) as server:
        server.stop()
        server.start()  # now with its chosen ports in the configuration, which a reload may not change
        settings = CoreSettings.model_validate({"nats_url": server.url.replace("nats://", f"nats://tiro:{right}@")})
        async with open_bus(settings, "test") as bus:
            await bus.jetstream.account_info()
            server.change_password(wrong)
            async with asyncio.timeout(DETECTED_SECONDS_MAX):
                while bus.is_connected:  # noqa: ASYNC110 - nats-py has no event for it
                    await asyncio.sleep(0.05)
            server.change_password(right)
            await _answers(bus)


async def test_a_client_reconnects_after_an_error_of_the_server(linked: Bus) -> None:
    """After a connection that the server closed with an error the client reconnects, which nats-py itself does not."""
    await linked.client.publish("x" * LINE_BYTES_MAX, b"")
    async with asyncio.timeout(DETECTED_SECONDS_MAX):
        while linked.is_connected:  # noqa: ASYNC110 - nats-py has no event for it
            await asyncio.sleep(0)
    await _answers(linked)
