"""Sessions on a store that does not answer, is full, or has lost data."""

import asyncio
import gc
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

import grpc
import pytest

from tests.integration.streamer.audio import tone
from tests.integration.streamer.audio_log import BUFFER_BYTES
from tests.integration.streamer.conftest import (
    Client,
    Request,
    error_of,
    pieces,
    read_all,
    reason_of,
    running_streamer,
    settings_for,
)
from tests.integration.streamer.resuming import SECOND, begin, reopened, resume, stored
from tests.support.cluster.nats import NatsCluster, running_cluster
from tests.support.log_lines import logged
from tests.support.nats import NatsServer, running_nats
from tests.support.scripted_worker import ScriptedWorker, running_worker
from tiro.events.v1.live_pb2 import SessionRecord
from tiro_core.ids import new_id
from tiro_core.messaging import publishing, subjects, topology
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.errors import StreamFull
from tiro_core.messaging.operations import subjects_in
from tiro_core.messaging.publishing import publish
from tiro_core.messaging.topology import ensure_streams
from tiro_core.settings import CoreSettings
from tiro_streamer.audio_log.position import find_position
from tiro_streamer.audio_log.writer import AudioLogWriter
from tiro_streamer.records.assignment import SessionAssignment
from tiro_streamer.session import abort, live_session

RATE = 16_000
FRAME_BYTES = 3200
DISK_MIB = 128
ACCOUNT_BYTES = 2 * 1024 * 1024
FILLERS_BYTES = (64 * 1024, 1024, 1)


@asynccontextmanager
async def running(nats: NatsServer, engine: str) -> AsyncIterator[tuple[Bus, ScriptedWorker, Client]]:
    """A connection, a worker and a client of a streamer, on a NATS server of the test's own."""
    settings = CoreSettings.model_validate({"nats_url": nats.url, "nats_monitor_url": nats.monitor_url})
    async with open_bus(settings, "test") as bus:
        await ensure_streams(bus, replicas=1)
        async with running_worker(bus, engine) as worker, running_streamer(settings_for(nats), engine) as client:
            yield bus, worker, client


async def test_a_session_survives_a_store_that_does_not_answer(tmp_path: Path, engine: str) -> None:
    """NATS is suspended until a read of the session's record has failed: every sample is stored once."""
    samples = tone(6.0, RATE).tobytes()
    frames = pieces(samples, FRAME_BYTES)
    with running_nats(tmp_path) as nats, logged("session_not_checked") as read_failed:
        async with running(nats, engine) as (_, worker, client):
            call = await client.start()
            reading = asyncio.create_task(read_all(call))
            for frame in frames[:20]:
                await call.write(frame)
            nats.signal(SIGSTOP)
            for frame in frames[20:40]:
                await call.write(frame)
            reading.add_done_callback(lambda _: read_failed.set())
            await read_failed.wait()
            assert not reading.done(), "the session has ended"
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
    """Store messages until the account is full, even for a small one."""
    numbers = itertools.count()
    for size in FILLERS_BYTES:
        with pytest.raises(StreamFull):
            while True:
                await publish(bus, f"tiro.blob.filler.{next(numbers)}", bytes(size))


async def test_a_full_account_is_reported(tmp_path: Path, engine: str) -> None:
    """At the account's limit a session under way ends with STORAGE_FULL, and new ones are refused with it."""
    with running_nats(tmp_path, account_bytes_max=ACCOUNT_BYTES) as nats:
        async with running(nats, engine) as (bus, _, client):
            call, _ = await begin(client)
            await fill(bus)
            await call.write(Request(audio=tone(4.0, RATE).tobytes()))
            error = await error_of(call)
            assert (error.code(), reason_of(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL")
            refused = await client.be_refused(client.config())
            assert (refused.code(), reason_of(refused)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[NatsCluster]:
    """A single server on a disk of its own."""
    with running_cluster(tmp_path, size=1, disk_mib=DISK_MIB) as single:
        yield single


@pytest.mark.long
async def test_a_full_disk_is_reported(small: NatsCluster, nats_server: NatsServer, engine: str) -> None:
    """NATS reports no full disk, but a session under way ends with STORAGE_FULL, and new ones are refused with it."""
    [disk] = small.disks
    settings = settings_for(nats_server, nats_url=small.url, nats_monitor_url=small.monitor_urls[0])
    async with (
        open_bus(settings, "test") as bus,
        running_streamer(settings, engine) as client,
        running_worker(bus, engine),
    ):
        call = await client.start()
        await asyncio.to_thread(disk.fill)
        sending = asyncio.create_task(speak_in_real_time(call))
        error = await error_of(call)
        assert (error.code(), reason_of(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL")
        sending.cancel()
        refused = await client.be_refused(client.config())
        assert (refused.code(), reason_of(refused)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL")


async def speak_in_real_time(call: Any) -> None:
    """Send audio in real time, until cancelled or the call ends."""
    with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        while True:
            await call.write(Request(audio=bytes(FRAME_BYTES)))
            await asyncio.sleep(FRAME_BYTES / 2 / RATE)


async def lose_last_message(bus: Bus, session: SessionRecord) -> int:
    """Let the store lose the end of a session's audio log, as on a full disk. Return the position of its end."""
    position = await find_position(bus, session.tenant, session.session_id)
    await bus.jetstream.delete_msg(topology.LIVE_AUDIO, position.sequence)
    return (await find_position(bus, session.tenant, session.session_id)).samples


async def test_a_store_that_has_lost_audio(client: Client, worker: ScriptedWorker, bus: Bus) -> None:
    """The client of a session whose audio was lost resumes it from the stored position."""
    call, started = await begin(client)
    for seconds in (1, 2):
        await call.write(Request(audio=SECOND))
        await stored(call, seconds)
    left = await lose_last_message(bus, (await worker.only_session()).record)
    await call.write(Request(audio=SECOND))
    error = await error_of(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
    call, position = await reopened(client, resume(started))
    assert position.audio_offset.ToMilliseconds() == 1000 * left // RATE < 2000
    await call.write(Request(audio=SECOND))
    await stored(call, left / RATE + 1)
    call.cancel()


async def test_lost_audio_of_a_session_that_cannot_be_resumed(
    client: Client, worker: ScriptedWorker, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session ends with an error about the lost audio, not with STORAGE_FULL."""
    monkeypatch.setattr(live_session, "STORE_SECONDS_MAX", 0.1)
    call = await client.start()
    await call.write(Request(audio=SECOND))
    await stored(call, 1)
    await lose_last_message(bus, (await worker.only_session()).record)
    await call.write(Request(audio=SECOND))
    error = await error_of(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")


@pytest.mark.parametrize("fails_first", [True, False], ids=["failed", "under way"])
async def test_a_session_that_cannot_be_enqueued(
    tmp_path: Path, tenant: str, monkeypatch: pytest.MonkeyPatch, *, fails_first: bool
) -> None:
    """The client disconnects while NATS is suspended: the fault is logged, and nothing is enqueued afterwards."""
    monkeypatch.setattr(publishing, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(abort, "ABORT_SECONDS_MAX", 0.1)
    unretrieved: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unretrieved.append(context))
    record = SessionRecord(tenant=tenant, session_id=new_id(), sample_rate_hertz=RATE)
    with running_nats(tmp_path) as nats, logged("session_not_enqueued") as failed:
        settings = CoreSettings.model_validate({"nats_url": nats.url, "nats_monitor_url": nats.monitor_url})
        async with open_bus(settings, "test") as bus:
            await ensure_streams(bus, replicas=1)
            audio_log = AudioLogWriter(bus, record, buffer_bytes_max=BUFFER_BYTES, lead_seconds_max=60)
            assignment = SessionAssignment(bus, record)
            nats.signal(SIGSTOP)
            publishing_task = asyncio.create_task(assignment.publish())
            await asyncio.sleep(0)
            publishing_task.cancel()
            await asyncio.wait([publishing_task])
            if fails_first:
                await failed.wait()
            await abort.abort_session(bus, record, assignment, audio_log, asyncio.CancelledError())
            await audio_log.close()
            assert not [task for task in asyncio.all_tasks() if task.get_name() == "session-enqueued"]
            del assignment, publishing_task
            gc.collect()
            nats.signal(SIGCONT)
            await bus.client.flush()
            enqueued = subjects.session("*", "*", tenant, record.session_id)
            assert not [name async for name in subjects_in(bus, topology.SESSIONS, enqueued)]
    assert not unretrieved


async def test_a_write_that_fails_after_its_connection_ended_is_logged(
    tmp_path: Path, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writing task logs its fault if the connection that would raise it has ended."""
    monkeypatch.setattr(publishing, "PATIENCE_SECONDS", 0.5)
    unretrieved: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unretrieved.append(context))
    record = SessionRecord(tenant=tenant, session_id=new_id(), sample_rate_hertz=RATE)
    with running_nats(tmp_path) as nats:
        settings = CoreSettings.model_validate({"nats_url": nats.url, "nats_monitor_url": nats.monitor_url})
        async with open_bus(settings, "test") as bus:
            await ensure_streams(bus, replicas=1)
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
