"""The test server itself: its TLS, its end, and its faults."""

import asyncio
import gc
import socket
import ssl
import sys
import threading
from pathlib import Path

import pytest

from tests.support.transcribe_service.record import End
from tests.support.transcribe_service.script import Script
from tests.support.transcribe_service.server import HOST, REGION, TranscribeServer, running_transcribe
from tests.unit.transcribe_service.client import results, send, speech, start


def shake_hands(server: TranscribeServer, context: ssl.SSLContext) -> str | None:
    """Do a TLS handshake, and return the negotiated protocol."""
    with (
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as connection,
    ):
        return connection.selected_alpn_protocol()


def test_tls_is_verified(server: TranscribeServer) -> None:
    """A client without the server's authority fails the handshake. One with it negotiates HTTP/2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1", "h2"])
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server, context)
    context.load_verify_locations(server.ca_file)
    assert shake_hands(server, context) == "h2"


async def test_a_stopped_server_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a stop with an open stream results end, the port is closed, and the thread has ended."""
    before = set(threading.enumerate())
    with running_transcribe(tmp_path) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        started = set(threading.enumerate()) - before
        stream = await start(server)
        await send(stream, speech([1]))
        await asyncio.to_thread(server.wait_until, lambda: server.streams[0].sent == 1)
    assert len(await results(stream)) == 1
    await stream.input_stream.end_stream()
    assert (server.streams[0].end, server.connections) == (End.LEFT, 0)
    assert not any(thread.is_alive() for thread in started)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", server.port)) != 0


async def test_a_stream_whose_objects_are_freed_stays_open(server: TranscribeServer) -> None:
    """The SDK does not close a stream whose objects are freed: the service ends it for lack of audio."""
    server.plan(Script(quiet_seconds=1.0))
    stream = await start(server)
    await send(stream, speech([1]))
    await asyncio.to_thread(server.wait_until, lambda: server.streams[0].sent == 1)
    del stream
    gc.collect()
    await asyncio.to_thread(server.wait_until, lambda: server.streams[0].end is not None)
    assert (server.streams[0].end, server.streams[0].failure) == (End.FAILED, "BadRequestException")


_CLIENT = """
import asyncio, sys
from amazon_transcribe.client import TranscribeStreamingClient
from amazon_transcribe.endpoints import StaticEndpointResolver

async def main():
    client = TranscribeStreamingClient(region=sys.argv[2], endpoint_resolver=StaticEndpointResolver(sys.argv[1]))
    await client.start_stream_transcription(
        language_code="en-US", media_sample_rate_hz=16000, media_encoding="pcm"
    )
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_client_that_is_killed(server: TranscribeServer) -> None:
    """The connection and the stream of a killed client end."""
    client = await asyncio.create_subprocess_exec(sys.executable, "-c", _CLIENT, server.url, REGION)
    try:
        await asyncio.to_thread(server.wait_until, lambda: server.streams != [])
    finally:
        client.kill()
        await client.wait()
    await asyncio.to_thread(server.wait_until, lambda: server.streams[0].end is End.LEFT)
    assert server.connections == 0


async def test_a_fault_of_the_server_fails_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in the server raises AssertionError at its end: it is not taken for a fault of the service."""
    with pytest.raises(AssertionError, match="the server failed"), running_transcribe(tmp_path) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        server.default = Script(confidence=float)  # type: ignore[arg-type]
        stream = await start(server)
        await send(stream, speech([1]))
        await stream.input_stream.end_stream()
        await results(stream)
