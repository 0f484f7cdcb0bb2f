"""Messages in the queues of ingest that cannot be parsed."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from aiohttp import web
from nats.aio.msg import Msg

from tests.integration.ingest.calls import cancel
from tests.integration.ingest.conftest import DEADLINE_SECONDS, Ingest, StartIngest
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import WatchTranscriptionRequest
from tiro_core.ids import new_id
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus

GARBAGE = b"\xff\xff no message"
REJECTED = "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED"
"""Subject of NATS's advisory about a message that its consumer has terminated."""


class Host:
    """An HTTP host that serves a recording and receives callbacks."""

    def __init__(self, speech: bytes) -> None:
        self.called = asyncio.Event()
        self.url = ""
        self._speech = speech

    async def serve_recording(self, _: web.Request) -> web.Response:
        """Serve the recording."""
        return web.Response(body=self._speech)

    async def receive_callback(self, _: web.Request) -> web.Response:
        """Receive a callback."""
        self.called.set()
        return web.Response()


@pytest.fixture
async def host(speech: bytes) -> AsyncIterator[Host]:
    """A host on loopback."""
    host = Host(speech)
    app = web.Application()
    app.add_routes([web.get("/audio", host.serve_recording), web.post("/hook", host.receive_callback)])
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
    """A queue of ingest, and a check that it is served."""

    stream: str
    subject: Callable[[str, str], str]
    is_served: Callable[[Ingest, Host, bytes], Awaitable[bool]]


FETCHES = Queue(topology.FETCHES, subjects.fetch, _is_fetched)
CALLBACKS = Queue(topology.CALLBACKS, subjects.callback, _is_called)


@pytest.mark.parametrize("queue", [FETCHES, CALLBACKS], ids=["fetches", "callbacks"])
async def test_a_message_that_cannot_be_parsed_is_terminated(
    start_ingest: StartIngest, bus: Bus, speech: bytes, host: Host, queue: Queue
) -> None:
    """The message is terminated, so that it is not delivered again, and later messages are served."""
    rejected: asyncio.Queue[str] = asyncio.Queue()

    async def take(message: Msg) -> None:
        await rejected.put(json.loads(message.data)["stream"])

    subscription = await bus.client.subscribe(f"{REJECTED}.{queue.stream}.*", cb=take)
    await bus.jetstream.purge_stream(queue.stream)  # no work of other tests comes before this test's
    await bus.jetstream.publish(queue.subject("garbage", new_id()), GARBAGE)
    ingest = await start_ingest(callback_secrets="secret", outgoing_networks="127.0.0.0/8")
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await rejected.get() == queue.stream
        assert await queue.is_served(ingest, host, speech)
    await subscription.unsubscribe()
