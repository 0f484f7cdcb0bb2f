"""Sessions that end early: the client, the worker or the service is lost."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import grpc

from tests.integration.streamer.conftest import (
    Client,
    Request,
    StartStreamer,
    connected,
    error_of,
    read_until,
    reason_of,
    running_streamer,
    settings_for,
)
from tests.support.nats import NatsServer
from tests.support.scripted_worker import ScriptedWorker, running_worker
from tiro.events.v1.live_pb2 import SessionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.streaming.v1.streaming_pb2 import KeepAlive
from tiro_core.errors import TiroError
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore
from tiro_streamer.app import open_streamer
from tiro_streamer.errors import session_failed
from tiro_streamer.responses.writer import EVENTS_WAITING_MAX

FRAME = Request(audio=bytes(3200))


async def record_of(bus: Bus, session: SessionRecord) -> SessionRecord:
    """The session's record as it stands."""
    store = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
    stored = await store.get(subjects.record(session.tenant, session.session_id))
    assert stored is not None
    return stored.value


async def test_a_client_that_cancels_releases_its_worker(client: Client, worker: ScriptedWorker, bus: Bus) -> None:
    """The audio log ends with an error, so that the worker does not wait for more; the record is over."""
    call = await client.start()
    await call.write(FRAME)
    await read_until(call, "partial")
    call.cancel()
    received = await worker.only_session()
    await received.ended.wait()
    assert received.inputs[-1].end.error.code == grpc.StatusCode.CANCELLED.value[0]
    assert (await record_of(bus, received.record)).state == SessionRecord.STATE_ENDED


async def test_a_broken_connection_releases_the_worker(
    nats_server: NatsServer, worker: ScriptedWorker, engine: str
) -> None:
    """A broken connection ends its session, which cannot be resumed."""
    async with running_streamer(settings_for(nats_server), engine) as client:
        call = await client.start()
        await call.write(FRAME)
        await read_until(call, "partial")
    received = await worker.only_session()
    await received.ended.wait()
    assert received.inputs[-1].HasField("end")


async def test_a_silent_client_loses_its_session(start_streamer: StartStreamer, worker: ScriptedWorker) -> None:
    """A client that sends nothing for the idle time loses its session. Audio before is transcribed."""
    client = await start_streamer(idle_seconds_max=0.5)
    call = await client.start()
    await call.write(FRAME)
    assert (await read_until(call, "final")).final.segment.text == "1600"
    error = await error_of(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.ABORTED, "SESSION_IDLE")


async def test_keep_alive_keeps_a_session(start_streamer: StartStreamer, worker: ScriptedWorker) -> None:
    """A client that says it is alive keeps its session, for longer than the idle time."""
    client = await start_streamer(idle_seconds_max=2)
    call = await client.start()
    for _ in range(10):
        await asyncio.sleep(0.3)  # the client's own pace is what is tested
        await call.write(Request(keep_alive=KeepAlive()))
    await call.done_writing()
    assert (await read_until(call, "session_ended")).session_ended.final_count == 0


async def test_a_stream_without_a_config_is_ended(start_streamer: StartStreamer) -> None:
    """A stream without a message is ended after the idle time."""
    client = await start_streamer(idle_seconds_max=0.2)
    assert reason_of(await error_of(client.open())) == "SESSION_IDLE"


async def test_a_client_that_does_not_read_loses_its_session(
    start_streamer: StartStreamer, worker: ScriptedWorker
) -> None:
    """A client that leaves its finals unread loses the session, and its worker is free again."""
    worker.script.finals_per_input = 200
    worker.script.final_text = "x" * 50_000
    client = await start_streamer(write_seconds_max=0.5)
    call = await client.start()
    await call.write(FRAME)
    received = await worker.only_session()
    await received.ended.wait()
    assert received.inputs[-1].end.error.code == grpc.StatusCode.ABORTED.value[0]
    error = await error_of(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.ABORTED, "CLIENT_TOO_SLOW")


async def test_a_worker_that_fails_gives_its_reason(client: Client, worker: ScriptedWorker) -> None:
    """The client gets the code and the reason that the worker ended the session with."""
    failure = TiroError(grpc.StatusCode.INTERNAL, reasons.ERROR_REASON_ENGINE_FAILED, "the engine failed on this audio")
    worker.script.fails_with = failure.to_status()
    call = await client.start()
    await call.write(FRAME)
    error = await error_of(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.INTERNAL, "ENGINE_FAILED")
    assert error.details() == "the engine failed on this audio"


async def test_an_error_comes_after_the_finals_before_it(client: Client, worker: ScriptedWorker) -> None:
    """Finals that a client has not read yet when its session ends with an error are sent before the status."""
    worker.script.finals_per_input = EVENTS_WAITING_MAX
    worker.script.final_text = "x" * 800_000  # together more than HTTP/2 sends to a client that does not read
    worker.script.fails_with = session_failed("the engine failed on this audio").to_status()
    call = await client.start()
    await call.write(FRAME)
    await (await worker.only_session()).ended.wait()
    for _ in range(EVENTS_WAITING_MAX):
        await read_until(call, "final")
    assert reason_of(await error_of(call)) == "SESSION_FAILED"


async def test_a_lost_worker_without_a_replacement(start_streamer: StartStreamer, bus: Bus, engine: str) -> None:
    """When the worker is gone and no other one takes over, the client gets an error that asks it to try again."""
    async with running_worker(bus, engine) as worker:
        client = await start_streamer(takeover_seconds_max=0.5)
        call = await client.start()
        received = await worker.only_session()
    await worker.leave()
    error = await error_of(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAVAILABLE, "SESSION_FAILED")
    assert received.record.state == SessionRecord.STATE_ACTIVE


async def test_a_moved_session_that_no_worker_claims(
    start_streamer: StartStreamer, bus: Bus, worker: ScriptedWorker
) -> None:
    """A session that was moved to an engine without workers ends with an error, although its last worker is alive."""
    client = await start_streamer(takeover_seconds_max=1.0)
    call = await client.start()
    received = await worker.only_session()

    def to_an_engine_without_workers(record: SessionRecord) -> None:
        record.recognition.engine = "none"
        record.state = SessionRecord.STATE_WAITING
        record.ClearField("lease")

    store = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
    await store.mutate(
        subjects.record(received.record.tenant, received.record.session_id), to_an_engine_without_workers
    )
    assert reason_of(await error_of(call)) == "SESSION_FAILED"


async def test_sessions_under_way_get_the_grace_time(
    nats_server: NatsServer, worker: ScriptedWorker, engine: str
) -> None:
    """A streamer that stops takes no new session, and lets the others end by themselves."""
    async with AsyncExitStack() as after:
        async with open_streamer(settings_for(nats_server, grace_seconds=20), asyncio.Event()) as address:
            client = await after.enter_async_context(connected(address, engine))
            call = await client.start()
            late = client.open()
            ending = asyncio.create_task(_end_late(client, call, late))
        await ending


async def _end_late(client: Client, call: Any, late: Any) -> None:
    """Once the streamer is stopping, check that it refuses sessions, then end the session."""
    await late.write(client.config())
    assert reason_of(await error_of(late)) == "SHUTTING_DOWN"
    await call.write(FRAME)
    await call.done_writing()
    assert (await read_until(call, "session_ended")).session_ended.final_count == 1


async def test_sessions_beyond_the_grace_time_are_ended(
    nats_server: NatsServer, worker: ScriptedWorker, engine: str
) -> None:
    """After the grace time the session ends with a reason for which a client connects to another streamer."""
    async with AsyncExitStack() as after:
        async with open_streamer(settings_for(nats_server, grace_seconds=0.2), asyncio.Event()) as address:
            client = await after.enter_async_context(connected(address, engine))
            call = await client.start()
        error = await error_of(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    received = await worker.only_session()
    await received.ended.wait()
    assert received.inputs[-1].end.error.code == grpc.StatusCode.UNAVAILABLE.value[0]
