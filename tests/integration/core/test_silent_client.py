"""Keepalive of gRPC: a silent client or server, whose connection stays open, is detected by the other side."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty

from tests.support.cluster.link import Mode
from tests.support.cluster.proxy import Proxy, running_proxy
from tiro_client.calls import connection
from tiro_core.server import grpc_server
from tiro_core.server.auth.tenant import NoAuthentication
from tiro_core.settings import ServerSettings

SERVICE = "tiro.test.Watching"
PING_SECONDS = 1
"""Interval and timeout of pings in these tests, on both sides."""
DETECTED_SECONDS_MAX = 15.0
"""Limit of the detection. Without the settings it takes a minute."""
QUIET_SECONDS = 4 * PING_SECONDS
"""Time for the number of pings that gRPC allows without data, and one more."""


class Watching:
    """A service whose only call sends one response, and then nothing until its client has left."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def watch(self, _request: Empty, _context: Any) -> AsyncIterator[Empty]:
        """Serve one client."""
        try:
            yield Empty()
            await asyncio.Event().wait()
        finally:
            self.ended.set()

    def handler(self) -> grpc.GenericRpcHandler:
        """The handler for a server."""
        method = grpc.unary_stream_rpc_method_handler(
            self.watch, request_deserializer=Empty.FromString, response_serializer=Empty.SerializeToString
        )
        return grpc.method_handlers_generic_handler(SERVICE, {"Watch": method})


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """The proxy between client and server."""
    with running_proxy() as proxy:
        yield proxy


@asynccontextmanager
async def _served(service: Watching, proxy: Proxy) -> AsyncIterator[str]:
    """Run the service on a server of Tiro's, and yield the address of a link to it."""
    settings = ServerSettings.model_validate({"auth": "off"})
    server, _, port = grpc_server.create_server(settings, "127.0.0.1:0", NoAuthentication(), (SERVICE,))
    server.add_generic_rpc_handlers((service.handler(),))
    link = proxy.open("server")
    proxy.set_target("server", port)
    await server.start()
    try:
        yield f"127.0.0.1:{link}"
    finally:
        await server.stop(0)


def _watch(channel: grpc.aio.Channel) -> Any:
    call = channel.unary_stream(
        f"/{SERVICE}/Watch", request_serializer=Empty.SerializeToString, response_deserializer=Empty.FromString
    )
    return call(Empty())


async def test_a_silent_client_is_detected(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call of a silent client ends. A client that answers pings keeps its call, also without data."""
    monkeypatch.setattr(grpc_server, "CLIENT_PING_SECONDS", PING_SECONDS)
    monkeypatch.setattr(grpc_server, "CLIENT_ANSWER_SECONDS_MAX", PING_SECONDS)
    service = Watching()
    async with _served(service, proxy) as address, grpc.aio.insecure_channel(address) as channel:
        call = _watch(channel)
        await call.read()
        await asyncio.sleep(QUIET_SECONDS)  # the time without data is the subject
        assert not service.ended.is_set()
        proxy.set_mode("server", Mode.SILENT)
        async with asyncio.timeout(DETECTED_SECONDS_MAX):
            await service.ended.wait()
        call.cancel()


async def test_a_silent_server_is_detected(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call over the client library's channel fails with UNAVAILABLE, so that the library can reconnect."""
    monkeypatch.setattr(grpc_server, "KEEPALIVE_MIN_SECONDS", 0)
    monkeypatch.setattr(connection, "KEEPALIVE_SECONDS", PING_SECONDS)
    monkeypatch.setattr(connection, "KEEPALIVE_TIMEOUT_SECONDS", PING_SECONDS)
    async with _served(Watching(), proxy) as address, connection._channel(address, None, ()) as channel:
        call = _watch(channel)
        await call.read()
        proxy.set_mode("server", Mode.SILENT)
        async with asyncio.timeout(DETECTED_SECONDS_MAX):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_silence_is_detected_before_a_live_session_is_idle() -> None:
    """Keepalive is faster than the idle time of sessions. The library pings no more often than allowed."""
    idle_seconds_max = 30  # of the streamer, by default
    assert idle_seconds_max > grpc_server.CLIENT_PING_SECONDS + grpc_server.CLIENT_ANSWER_SECONDS_MAX
    assert connection.KEEPALIVE_SECONDS >= grpc_server.KEEPALIVE_MIN_SECONDS
