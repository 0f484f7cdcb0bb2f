"""A store that does not answer, takes no more, or has lost what it had: what a session makes of it."""

import asyncio
import gc
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

import grpc
import pytest

from tests.integration.streamer.conftest import (
    Client,
    Request,
    Response,
    error_of,
    pieces,
    read_all,
    read_until,
    reason_of,
    running_streamer,
    settings_for,
)
from tests.integration.streamer.test_audio_log import BUFFER_BYTES
from tests.integration.streamer.test_conversation import tone
from tests.integration.streamer.test_resuming import window
from tests.support.nats import NatsServer, running_nats
from tests.support.scripted_worker import ScriptedWorker, running_worker
from tiro.events.v1.live_pb2 import SessionRecord
from tiro_core.ids import new_id
from tiro_core.messaging import publishing, subjects, topology
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.errors import StreamFull
from tiro_core.messaging.operations import purge
from tiro_core.messaging.publishing import publish
from tiro_core.messaging.topology import ensure_streams
from tiro_core.settings import CoreSettings
from tiro_streamer.audio_log.writer import AudioLogWriter

RATE = 16_000
FRAME_BYTES = 3200
SILENT_SECONDS = 6
"""Longer than a request to NATS may take (5 s), and than a worker may be quiet before its record is read (3 s)."""
ACCOUNT_BYTES = 2 * 1024 * 1024
FILLERS_BYTES = (64 * 1024, 1024, 1)


@asynccontextmanager
async def running(nats: NatsServer, engine: str) -> AsyncIterator[tuple[Bus, ScriptedWorker, Client]]:
    """A connection, a worker and a client of a streamer, on a NATS server of the test's own."""
    settings = CoreSettings.model_validate({"nats_url": nats.url, "nats_monitor_url": nats.monitor_url})
    async with open_bus(settings, "test") as bus:
        await ensure_streams(bus.jetstream, replicas=1)
        async with running_worker(bus, engine) as worker, running_streamer(settings_for(nats), engine) as client:
            yield bus, worker, client


async def test_a_session_outlives_a_store_that_does_not_answer(tmp_path: Path, engine: str) -> None:
    """NATS is stopped for longer than a request may take, in the middle of a session: every sample arrives once."""
    samples = tone(6.0, RATE).tobytes()
    frames = pieces(samples, FRAME_BYTES)
    with running_nats(tmp_path) as nats:
        async with running(nats, engine) as (_, worker, client):
            call = await client.start()
            reading = asyncio.create_task(read_all(call))
            for frame in frames[:20]:
                await call.write(frame)
            nats.signal(SIGSTOP)
            for frame in frames[20:40]:
                await call.write(frame)
            await asyncio.sleep(SILENT_SECONDS)  # the length of the outage is what is tested
            nats.signal(SIGCONT)
            for frame in frames[40:]:
                await call.write(frame)
            await call.done_writing()
            conversation = await reading
            session = await worker.only_session()
    session.check_contiguous()
    assert session.pcm16 == samples
    assert conversation.last.session_ended.audio_duration.ToTimedelta().total_seconds() == 6.0


async def fill(bus: Bus) -> None:
    """Store until the account takes no more, not even a small message."""
    numbers = itertools.count()
    for size in FILLERS_BYTES:
        with pytest.raises(StreamFull):
            while True:
                await publish(bus, f"tiro.blob.filler.{next(numbers)}", bytes(size))


async def test_a_store_that_takes_no_more_is_named(tmp_path: Path, engine: str) -> None:
    """The account's limit is reached: a session under way ends with STORAGE_FULL, and new ones are refused with it."""
    with running_nats(tmp_path, account_bytes_max=ACCOUNT_BYTES) as nats:
        async with running(nats, engine) as (bus, _, client):
            call = await begin(client)
            await fill(bus)
            await call.write(Request(audio=tone(4.0, RATE).tobytes()))
            error = await error_of(call)
            assert (error.code(), reason_of(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL")
            refused = await client.be_refused(client.config())
            assert (refused.code(), reason_of(refused)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL")


async def begin(client: Client) -> Any:
    """A call whose session can be resumed."""
    call = client.open()
    await call.write(client.config(resume_window=window()))
    started: Response = await call.read()
    assert started.HasField("session_started")
    return call


async def test_a_store_that_has_lost_the_audio(client: Client, worker: ScriptedWorker, bus: Bus) -> None:
    """The session fails at once, with what has happened: it goes on nowhere else, and no worker will end it."""
    call = await begin(client)
    await call.write(Request(audio=bytes(FRAME_BYTES)))
    await read_until(call, "audio_ack")
    session = await worker.only_session()
    await purge(bus, topology.LIVE_AUDIO, subjects.live_audio(session.record.tenant, session.record.session_id))
    await call.write(Request(audio=bytes(FRAME_BYTES)))
    error = await error_of(call)
    assert reason_of(error) == "SESSION_FAILED"
    assert "audio" in str(error.details())


async def test_a_write_that_fails_after_its_connection_is_gone(
    tmp_path: Path, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its fault is logged by the task that writes: nobody else is left to ask for it."""
    monkeypatch.setattr(publishing, "PATIENCE_SECONDS", 0.5)
    unretrieved: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unretrieved.append(context))
    record = SessionRecord(tenant=tenant, session_id=new_id(), sample_rate_hertz=RATE)
    with running_nats(tmp_path) as nats:
        settings = CoreSettings.model_validate({"nats_url": nats.url, "nats_monitor_url": nats.monitor_url})
        async with open_bus(settings, "test") as bus:
            await ensure_streams(bus.jetstream, replicas=1)
            audio_log = AudioLogWriter(bus, record, buffer_bytes_max=BUFFER_BYTES, lead_seconds_max=60)
            await audio_log.write(bytes(FRAME_BYTES))
            nats.signal(SIGSTOP)
            publishing_task = asyncio.create_task(audio_log.publish())
            await asyncio.sleep(0)
            publishing_task.cancel()
            await asyncio.wait([publishing_task])
            [writing] = [task for task in asyncio.all_tasks() if task.get_name() == "audio-log"]
            await asyncio.wait([writing])
            del writing, audio_log, publishing_task
            gc.collect()
            nats.signal(SIGCONT)
    assert not unretrieved
