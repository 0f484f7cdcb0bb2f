"""Thousands of short-lived clients, and clients that never read: their cost in a real streamer process."""

import asyncio
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import psutil
import pytest

from tests.integration.streamer.conftest import (
    Client,
    Request,
    connected,
    environment_for,
    error_of,
    read_all,
    read_until,
    reason_of,
)
from tests.support.nats import NatsServer
from tests.support.processes import ServiceProcess, running_async
from tests.support.scripted_worker import ScriptedWorker
from tiro.events.v1.live_pb2 import SessionRecord
from tiro.streaming.v1.streaming_pb2_grpc import StreamingServiceStub
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import CAUGHT_UP, Change, RecordStore

SECOND = bytes(32_000)
CROWD = 1000
WARM_UP = 300
"""Streams after which a process has what it needs for any number of them: pools, caches, code."""
AT_ONCE = 20
OWN_CONNECTION_EVERY = 5
"""Every fifth stream has a connection of its own."""
GROWTH_BYTES_MAX = 24 * 1024 * 1024
"""What a process may have grown by. A thousand sessions of 50 kB each would be twice as much."""
FLOOD_FINALS = 400
FLOOD_FINAL = "x" * 200_000
"""The text of each final of a client that does not read: 80 MB altogether."""


@pytest.fixture
async def streamer(nats_server: NatsServer, worker: ScriptedWorker) -> AsyncIterator[ServiceProcess]:
    """A streamer process."""
    async with running_async("tiro_streamer", environment_for(nats_server), ready="listening") as process:
        yield process


@pytest.fixture
async def impatient_streamer(nats_server: NatsServer, worker: ScriptedWorker) -> AsyncIterator[ServiceProcess]:
    """A streamer process that cuts off a client that does not read for a second.

    Not for a crowd: on a busy machine a response may take as long to go out to a client that does read.
    """
    environment = {**environment_for(nats_server), "TIRO_WRITE_SECONDS_MAX": "1"}
    async with running_async("tiro_streamer", environment, ready="listening") as process:
        yield process


def resident_bytes(process: ServiceProcess) -> int:
    """The resident memory of a process, in bytes."""
    return int(psutil.Process(process.pid).memory_info().rss)


async def come_and_go(client: Client, count: int) -> None:
    """Open this many streams and drop them: before the config, after it, or once a worker has the session.

    Most share a connection and are cancelled; the others lose theirs.
    """
    slots = asyncio.Semaphore(AT_ONCE)

    async def drop(number: int) -> None:
        async with slots, AsyncExitStack() as leaving:
            alone = not number % OWN_CONNECTION_EVERY
            opener = await leaving.enter_async_context(_connection_of_its_own(client)) if alone else client
            call = opener.open()
            if number % 3:
                await call.write(client.config())
            if number % 3 == 2:
                await call.read()
            if not alone:
                call.cancel()

    await asyncio.gather(*(drop(number) for number in range(count)))


@asynccontextmanager
async def _connection_of_its_own(client: Client) -> AsyncIterator[Client]:
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(client.address, options=options) as channel:
        yield Client(client.address, StreamingServiceStub(channel), client.engine)


async def all_over_but(bus: Bus, engine: str, left: int) -> None:
    """Wait until no more sessions than these are open."""
    store = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
    open_sessions: set[str] = set()
    caught_up = False
    async with store.watch(">") as changes:
        async for change in changes:
            caught_up |= change is CAUGHT_UP
            if isinstance(change, Change) and change.value is not None and change.value.recognition.engine == engine:
                ended = change.value.state == SessionRecord.STATE_ENDED
                (open_sessions.discard if ended else open_sessions.add)(change.value.session_id)
            if caught_up and len(open_sessions) <= left:
                return


async def test_a_thousand_streams_that_are_dropped(streamer: ServiceProcess, worker: ScriptedWorker, bus: Bus) -> None:
    """A thousand dropped streams leave no session and no memory, and another session is served all the time."""
    async with connected(streamer.wait_for("listening")["address"], worker.record.engine) as client:
        neighbour = await client.start()
        await come_and_go(client, WARM_UP)
        await all_over_but(bus, worker.record.engine, 1)
        before = resident_bytes(streamer)
        crowd = asyncio.create_task(come_and_go(client, CROWD))
        spoken = 0
        while not crowd.done():
            await neighbour.write(Request(audio=SECOND))
            await read_until(neighbour, "partial")
            spoken += 1
        await crowd
        await all_over_but(bus, worker.record.engine, 1)
        grown = resident_bytes(streamer) - before
        await neighbour.done_writing()
        assert (await read_all(neighbour)).last.session_ended.audio_duration.seconds == spoken
    assert grown < GROWTH_BYTES_MAX
    metrics = f"http://{streamer.wait_for('metrics_listening')['address']}/metrics"
    assert "tiro_streamer_sessions_active 0.0" in (await asyncio.to_thread(_read, metrics)).splitlines()


async def test_a_client_that_never_reads_costs_no_memory(
    impatient_streamer: ServiceProcess, worker: ScriptedWorker, bus: Bus
) -> None:
    """Unread events wait in NATS. After a limit of time the client is disconnected, and another session is served."""
    async with connected(impatient_streamer.wait_for("listening")["address"], worker.record.engine) as client:
        neighbour = await client.start()
        call: Any = await client.start()
        before = resident_bytes(impatient_streamer)
        worker.script.finals_per_input, worker.script.final_text = FLOOD_FINALS, FLOOD_FINAL
        await call.write(Request(audio=SECOND))
        await all_over_but(bus, worker.record.engine, 1)
        grown = resident_bytes(impatient_streamer) - before
        assert reason_of(await error_of(call)) == "CLIENT_TOO_SLOW"
        worker.script.finals_per_input = 0
        await neighbour.write(Request(audio=SECOND))
        await neighbour.done_writing()
        assert (await read_all(neighbour)).last.session_ended.final_count == 1
    assert grown < GROWTH_BYTES_MAX


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - it is ours
        return str(answer.read().decode())
