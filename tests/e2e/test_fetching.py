"""Recordings that the service fetches: real processes, the fake engine, an HTTP server on this machine."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest
from aiohttp import web

from tests.e2e.speech import wav
from tests.support.stack import Stack, running_stack
from tiro_client import AsyncClient, JobState, JobStateChanged
from tiro_engines.fake.markers import encode

pytestmark = pytest.mark.xdist_group("fetching stack")

WORDS = range(200)
RECORDING = wav(encode(WORDS))
TEXT = [f"w{number}" for number in WORDS]


class Server:
    """Serves a recording. With `holds`, it stops the first response in its middle until `released`."""

    def __init__(self) -> None:
        self.holds = False
        self.held = asyncio.Event()
        self.released = asyncio.Event()
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Send the recording."""
        response = web.StreamResponse(headers={"Content-Length": str(len(RECORDING))})
        await response.prepare(request)
        half = len(RECORDING) // 2
        await response.write(RECORDING[:half])
        if self.holds:
            self.holds = False
            self.held.set()
            await self.released.wait()
        await response.write(RECORDING[half:])
        return response


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """An HTTP server."""
    server = Server()
    app = web.Application()
    app.router.add_get("/talk.wav", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}/talk.wav"
    yield server
    server.released.set()
    await runner.cleanup()


@pytest.fixture(scope="module")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Tiro that may fetch from this machine."""
    settings = {"TIRO_ENGINE": "fake", "TIRO_DEFAULT_ENGINE": "fake", "TIRO_OUTGOING_NETWORKS": "127.0.0.0/8"}
    with running_stack(tmp_path_factory.mktemp("stack"), settings) as running:
        yield running


@pytest.fixture
def stack(shared_stack: Stack, kept_processes: list[int]) -> Iterator[Stack]:
    """The shared stack. Processes that a test ends are restarted after it."""
    yield shared_stack
    kept_processes += shared_stack.repair()


async def test_a_url_on_the_command_line(stack: Stack, server: Server) -> None:
    """`tiro transcribe URL` prints the transcript of the recording at the URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tiro_client",
        "--address",
        stack.address,
        "transcribe",
        server.url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert out.decode().split() == TEXT


async def test_a_fetch_outlives_its_service(stack: Stack, server: Server) -> None:
    """Ingest is killed during a fetch and restarted: the job succeeds, and its events have all of its states."""
    server.holds = True
    async with AsyncClient(stack.address) as client:
        job = await client.submit(server.url)
        assert job.state is JobState.FETCHING
        await server.held.wait()
        await asyncio.to_thread(stack.ingest.kill)
        server.released.set()
        await asyncio.to_thread(stack.restart, "ingest")
        async with aclosing(client.watch(job)) as events:
            states = [event.job.state async for event in events if isinstance(event, JobStateChanged)]
        assert (await client.get_transcript(job)).text.split() == TEXT
    assert list(dict.fromkeys(states)) == [JobState.FETCHING, JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]
