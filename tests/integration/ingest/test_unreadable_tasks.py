"""Messages in the queues of ingest that nothing can be made of."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from aiohttp import web
from nats.aio.msg import Msg

from tests.integration.ingest.conftest import DEADLINE_SECONDS, Ingest, StartIngest
from tests.integration.ingest.test_cancelling import cancel
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import WatchTranscriptionRequest
from tiro_core.ids import new_id
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus

GARBAGE = b"\xff\xff no message"
REJECTED = "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED"
"""NATS says so when a consumer rejects a message for good."""


class Host:
    """Gives a recording, and takes callbacks."""

    def __init__(self, speech: bytes) -> None:
        self.called = asyncio.Event()
        self.url = ""
        self._speech = speech

    async def give(self, _: web.Request) -> web.Response:
        """The recording."""
        return web.Response(body=self._speech)

    async def take(self, _: web.Request) -> web.Response:
        """A callback."""
        self.called.set()
        return web.Response()


@pytest.fixture
async def host(speech: bytes) -> AsyncIterator[Host]:
    """A host on loopback."""
    host = Host(speech)
    app = web.Application()
    app.add_routes([web.get("/audio", host.give), web.post("/hook", host.take)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    name, port = runner.addresses[0][:2]
    host.url = f"http://{name}:{port}"
    yield host
    await runner.cleanup()


async def _is_fetched(ingest: Ingest, host: Host, speech: bytes) -> bool:
    """Whether the recording of a job is fetched."""
    job = await ingest.transcribe(uri=f"{host.url}/audio")
    async for event in ingest.jobs.WatchTranscription(WatchTranscriptionRequest(name=job.name), **ingest.options):
        if event.state_changed.state == Transcription.STATE_QUEUED:
            return True
    return False


async def _is_called(ingest: Ingest, host: Host, speech: bytes) -> bool:
    """Whether the callback of a job is sent."""
    job = await ingest.transcribe(content=speech, callback={"uri": f"{host.url}/hook"})
    await cancel(ingest, job.name)
    return await host.called.wait()


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of ingest, and how to see that it is served."""

    stream: str
    subject: Callable[[str, str], str]
    is_served: Callable[[Ingest, Host, bytes], Awaitable[bool]]


FETCHES = Queue(topology.FETCHES, subjects.fetch, _is_fetched)
CALLBACKS = Queue(topology.CALLBACKS, subjects.callback, _is_called)


@pytest.mark.parametrize("queue", [FETCHES, CALLBACKS], ids=["fetches", "callbacks"])
async def test_garbage_is_rejected_for_good(
    start_ingest: StartIngest, bus: Bus, speech: bytes, host: Host, queue: Queue
) -> None:
    """It is not delivered again and again, and what comes behind it is served."""
    rejected: asyncio.Queue[str] = asyncio.Queue()

    async def take(message: Msg) -> None:
        await rejected.put(json.loads(message.data)["stream"])

    subscription = await bus.client.subscribe(f"{REJECTED}.{queue.stream}.*", cb=take)
    await bus.jetstream.publish(queue.subject("garbage", new_id()), GARBAGE)
    ingest = await start_ingest(callback_secrets="secret", outgoing_networks="127.0.0.0/8")
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await rejected.get() == queue.stream
        assert await queue.is_served(ingest, host, speech)
    await subscription.unsubscribe()
