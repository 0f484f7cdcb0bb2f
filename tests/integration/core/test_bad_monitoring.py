"""Monitoring ports of NATS that give incomplete answers, and other ports in their place."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from tests.support.nats import NatsServer
from tiro_core.messaging.monitoring.monitor import ServerMonitor, ServerState
from tiro_core.messaging.monitoring.safety import UnsafeServer, require_safe_server
from tiro_core.settings import CoreSettings
from tiro_streamer.context import store_watch


def _json(body: bytes) -> bytes:
    return b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


BAD = {
    "nothing": b"",
    "client-port": b'INFO {"server_id":"N","nonce":"secret"}\r\n',
    "half-a-head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half-a-body": b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{"server_id":',
    "garbage": _json(b"\xff\xff"),
    "half-a-document": _json(b'{"server_id": "N", "server_na'),
    "a-list": _json(b"[]"),
    "another-service": _json(b'{"status": "ok"}'),
    "another-form": _json(b'{"server_id": "N", "server_name": "n", "jetstream": null}'),
    "another-type": _json(b'{"server_id": "N", "server_name": "n", "jetstream": {"stats": {"storage": "secret"}}}'),
    "routes": _json(b'{"server_id": "N", "server_name": "n", "routes": [3]}'),
    "errors": _json(b'{"server_id": "N", "server_name": "n", "errors": "secret"}'),
    "not-found": b"HTTP/1.0 404 Not Found\r\n\r\n404 page not found",
}


@pytest.fixture(params=list(BAD.values()), ids=list(BAD))
async def address(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A port that gives one bad answer to all requests."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(request.param)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"


async def test_the_state_is_unknown(address: str) -> None:
    """A bad answer is one error of one line, which names the port and does not quote the answer."""
    with pytest.raises(OSError, match=address) as caught:
        await ServerMonitor(address).state()
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_other_nodes_count(address: str, nats_server: NatsServer) -> None:
    """A bad answer, or a bad address, does not hide a node that answers."""
    state = await ServerMonitor(f"{address},http://127.0.0.1:port,{nats_server.monitor_url}").state()
    assert state.silent == (address, "http://127.0.0.1:port")
    assert len(state.nodes) == 1


async def test_a_streamer_goes_on(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store watch of a streamer continues to ask."""
    monkeypatch.setattr(store_watch, "FRESH_SECONDS", 0.01)
    looks = asyncio.Semaphore(0)

    class Monitor(ServerMonitor):
        async def state(self) -> ServerState:
            looks.release()
            return await super().state()

    async with asyncio.timeout(20), store_watch.open_store_watch(Monitor(address), replicas=1) as watch:
        for _ in range(3):
            await looks.acquire()
        watch.require_room()


async def test_the_client_port_is_refused(nats_server: NatsServer) -> None:
    """NATS's client port in place of the monitoring port is refused in one line, which names the setting."""
    address = f"http://127.0.0.1:{urlsplit(nats_server.url).port}"
    settings = CoreSettings.model_validate({"nats_url": nats_server.url, "nats_monitor_url": address})
    with pytest.raises(UnsafeServer, match="TIRO_NATS_MONITOR_URL") as caught:
        await require_safe_server(settings, ServerMonitor(address))
    assert "no complete HTTP answer" in str(caught.value)
    assert "\n" not in str(caught.value)
