"""Watches of a session in which another client speaks."""

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status

from tests.integration.streamer.conftest import (
    UNKNOWN_SESSION,
    Client,
    Request,
    StartStreamer,
    read_all,
    read_until,
    reason_of,
)
from tests.integration.streamer.watching import begin, watch, watched
from tests.support.scripted_worker import ScriptedWorker
from tiro.events.v1.live_pb2 import SessionRecord
from tiro.streaming.v1 import streaming_pb2 as streaming
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Rejected
from tiro_core.messaging.records import Change, RecordStore
from tiro_streamer.records.history import find_session

SECOND = bytes(32_000)
FINALIZE = Request(finalize=streaming.Finalize())


async def speak(call: Any) -> int:
    """A second and a final; the number of the event that ends it."""
    await call.write(Request(audio=SECOND))
    await call.write(FINALIZE)
    return int((await read_until(call, "utterance_end")).sequence)


async def test_all_watchers_get_the_same_events(
    client: Client, start_streamer: StartStreamer, worker: ScriptedWorker
) -> None:
    """A watch from any event, also after the end or at another streamer, has no gap and no repetition."""
    call, session = await begin(client)
    other = await start_streamer()
    early = asyncio.create_task(watched(watch(client, session)))
    await speak(call)
    late = asyncio.create_task(watched(watch(other, session)))
    await speak(call)
    tail = asyncio.create_task(watched(watch(client, session, after_sequence=4)))
    await call.done_writing()
    await read_all(call)
    seen = [await early, await late, await watched(watch(client, session))]
    assert [event.sequence for event in seen[0]] == list(range(1, 7))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][0].session_started.session_id == session
    assert not seen[0][0].session_started.resume_token
    assert seen[0][-1].HasField("session_ended")
    assert await tail == seen[0][4:]


async def test_partials_only_when_wanted(client: Client, worker: ScriptedWorker) -> None:
    """A watcher with interim results gets partials after its last event. Others get finals and states."""
    call, session = await begin(client)
    with_partials = watch(client, session, partials=True)
    first = await with_partials.read()
    assert first.event.HasField("session_started")
    without = asyncio.create_task(watched(watch(client, session)))
    await call.write(Request(audio=SECOND))
    partial = await with_partials.read()
    assert partial.event.partial.after_sequence == 1
    await call.done_writing()
    await read_all(call)
    assert not any(event.HasField("partial") for event in await without)


async def test_watchers_get_the_error_of_the_session(client: Client, worker: ScriptedWorker) -> None:
    """Watchers get the same events and the same error as the speaker."""
    worker.script.fails_with = Status(code=13, message="the engine broke")
    call, session = await begin(client)
    follow = watch(client, session)
    await call.write(Request(audio=SECOND))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await watched(follow)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INTERNAL, "the engine broke")
    with pytest.raises(grpc.aio.AioRpcError):
        await read_all(call)


@pytest.mark.parametrize(
    ("session", "after", "reason"),
    [(UNKNOWN_SESSION, 0, "SESSION_NOT_FOUND"), ("nonsense", 0, "INVALID_REQUEST"), ("", 7, "SEQUENCE_OUT_OF_RANGE")],
    ids=["unknown", "no id", "beyond the end"],
)
async def test_an_invalid_watch_is_refused(
    client: Client, worker: ScriptedWorker, session: str, after: int, reason: str
) -> None:
    """An unknown session, a missing id, and a sequence beyond the log are refused with a reason."""
    call, own = await begin(client)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await watched(watch(client, session or own, after))
    assert reason_of(caught.value) == reason
    await call.done_writing()
    await read_all(call)


async def test_the_number_of_watchers_is_limited(start_streamer: StartStreamer, worker: ScriptedWorker) -> None:
    """A watcher beyond the limit is refused with a retry delay. When one leaves another is accepted."""
    client = await start_streamer(watchers_max=1)
    call, session = await begin(client)
    first = watch(client, session)
    responses = aiter(first)
    await anext(responses)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await watched(watch(client, session))
    assert (caught.value.code(), reason_of(caught.value)) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "TOO_MANY_WATCHERS",
    )
    await call.done_writing()
    await read_all(call)
    assert [response.event.WhichOneof("response") async for response in responses] == ["session_ended"]
    assert await watched(watch(client, session))


async def test_a_watch_of_a_session_that_no_worker_claimed(
    start_streamer: StartStreamer, worker: ScriptedWorker, bus: Bus
) -> None:
    """A watcher of a session that was refused gets the reason."""
    worker.script.claims = False
    client = await start_streamer(claim_seconds_max=0.3)
    call = client.open()
    await call.write(client.config())
    session = await _waiting(bus, client.engine)
    follow = asyncio.create_task(watched(watch(client, session)))
    with pytest.raises(grpc.aio.AioRpcError):
        await read_all(call)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await follow
    assert reason_of(caught.value) == "NO_CAPACITY"


async def test_a_refused_read_does_not_end_a_watch(
    start_streamer: StartStreamer, worker: ScriptedWorker, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read of the session's record that NATS refuses is repeated at a later check."""
    refusals = 0

    async def refused_once(*arguments: Any) -> SessionRecord:
        nonlocal refusals
        refusals += 1
        if refusals == 1:
            raise Rejected("no")
        return await find_session(*arguments)

    monkeypatch.setattr("tiro_streamer.output.watcher.CHECK_SECONDS", 0.1)
    monkeypatch.setattr("tiro_streamer.output.watcher.find_session", refused_once)
    worker.script.claims = False
    client = await start_streamer(claim_seconds_max=0.3)
    call = client.open()
    await call.write(client.config())
    session = await _waiting(bus, client.engine)
    follow = asyncio.create_task(watched(watch(client, session)))
    with pytest.raises(grpc.aio.AioRpcError):
        await read_all(call)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await follow
    assert refusals > 1
    assert reason_of(caught.value) == "NO_CAPACITY"


async def _waiting(bus: Bus, engine: str) -> str:
    """The id of the session that waits for a worker of this engine, once there is one."""
    store = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
    async with store.watch(">") as changes:
        async for change in changes:
            if isinstance(change, Change) and change.value is not None and change.value.recognition.engine == engine:
                return change.value.session_id
    raise AssertionError("unreachable: a watch does not end")
