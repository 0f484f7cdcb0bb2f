"""Sessions that are resumed over another connection."""

import asyncio
from typing import Any

import grpc
import pytest

from tests.integration.streamer.conftest import (
    UNKNOWN_SESSION,
    Client,
    Conversation,
    Request,
    Response,
    StartStreamer,
    connected,
    error_of,
    pieces,
    read_all,
    read_until,
    reason_of,
)
from tests.integration.streamer.resuming import FINALIZE, SECOND, begin, reopened, resume, stored, window
from tests.support.nats import NatsServer
from tests.support.processes import running_async
from tests.support.scripted_worker import ScriptedWorker
from tiro.events.v1.live_pb2 import SessionRecord
from tiro.speech.v1.audio_pb2 import AudioEncoding, AudioFormat
from tiro.streaming.v1 import streaming_pb2 as streaming
from tiro_core.ids import new_id
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore


async def test_a_session_is_resumed_after_a_lost_connection(client: Client, worker: ScriptedWorker) -> None:
    """After a cancelled call another one resumes. No audio, control or event is lost or repeated."""
    call, started = await begin(client)
    await call.write(Request(audio=SECOND))
    await call.write(FINALIZE)
    end = await read_until(call, "utterance_end")
    call.cancel()
    call, position = await reopened(client, resume(started, after_sequence=end.sequence))
    assert (position.audio_offset.ToMilliseconds(), position.control_count) == (1000, 1)
    await call.write(Request(audio=SECOND))
    await call.write(FINALIZE)
    await call.done_writing()
    conversation = await read_all(call)
    assert [item.sequence for item in conversation.numbered()] == [4, 5, 6]
    assert conversation.kinds() == ["final", "utterance_end", "session_ended"]
    received = await worker.only_session()
    received.check_contiguous()
    assert received.pcm16 == 2 * SECOND


async def test_missed_events_are_sent_again(client: Client, worker: ScriptedWorker) -> None:
    """A client that has only the first event gets all later ones, once."""
    call, started = await begin(client)
    for _ in range(3):
        await call.write(Request(audio=SECOND))
        await call.write(FINALIZE)
    await stored(call, 3)
    call.cancel()
    call, _ = await reopened(client, resume(started, after_sequence=1))
    await call.done_writing()
    conversation = await read_all(call)
    assert [item.sequence for item in conversation.numbered()] == list(range(2, 9))


async def test_the_old_connection_is_ended(client: Client, worker: ScriptedWorker) -> None:
    """If both connections are open the newer one owns the session. The older one gets an error, and has no effect."""
    old, started = await begin(client)
    await old.write(Request(audio=SECOND))
    await stored(old, 1)
    new, _ = await reopened(client, resume(started))
    await old.write(Request(audio=SECOND))
    error = await error_of(old)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.ABORTED, "SESSION_RESUMED_ELSEWHERE")
    await new.write(Request(audio=SECOND))
    await new.done_writing()
    assert (await read_all(new)).last.HasField("session_ended")
    assert (await worker.only_session()).pcm16 == 2 * SECOND


async def test_the_rest_of_a_complete_session_can_be_read(client: Client, worker: ScriptedWorker) -> None:
    """A connection that was lost between half-close and the last events can be resumed for the rest."""
    call, started = await begin(client)
    await call.write(Request(audio=SECOND))
    await call.done_writing()
    await read_until(call, "session_ended")
    call, position = await reopened(client, resume(started))
    assert position.audio_offset.ToMilliseconds() == 1000
    await call.done_writing()
    assert (await read_all(call)).kinds() == ["final", "session_ended"]


async def test_flac_is_sent_again_from_its_start(client: Client, worker: ScriptedWorker) -> None:
    """A compressed stream is sent again from its start, and stored samples are skipped."""
    mulaw = AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_MULAW, sample_rate_hertz=8000)
    call, started = await begin(client, audio_format=mulaw)
    data = bytes(range(256)) * 50
    await call.write(Request(audio=data[:8000]))
    await stored(call, 1)
    call.cancel()
    call, _ = await reopened(client, resume(started, audio_from_start=True))
    for request in pieces(data, 3000):
        await call.write(request)
    await call.done_writing()
    await read_all(call)
    received = await worker.only_session()
    received.check_contiguous()
    assert len(received.pcm16) == 2 * len(data)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"resume_token": "x" * 32}, "RESUME_TOKEN_INVALID"),
        ({"session_id": UNKNOWN_SESSION}, "SESSION_NOT_FOUND"),
        ({"after_sequence": 99}, "SEQUENCE_OUT_OF_RANGE"),
        ({"session_id": "not an id"}, "INVALID_REQUEST"),
    ],
)
async def test_an_invalid_resume_is_refused(
    client: Client, worker: ScriptedWorker, changes: dict[str, Any], reason: str
) -> None:
    """A wrong token, id or sequence is refused with its field, and the session continues."""
    call, started = await begin(client)
    await call.write(Request(audio=SECOND))
    error = await client.be_refused(resume(started, **changes))
    assert reason_of(error) == reason
    await call.done_writing()
    assert (await read_all(call)).last.HasField("session_ended")


async def test_a_session_that_cannot_be_resumed(client: Client, worker: ScriptedWorker) -> None:
    """Without a window there is no token, and the session ends with its connection."""
    call = await client.start()
    await call.write(Request(audio=SECOND))
    call.cancel()
    received = await worker.only_session()
    await received.ended.wait()
    assert received.inputs[-1].end.HasField("error")


async def test_a_later_resume_message_is_refused(client: Client, worker: ScriptedWorker) -> None:
    """A resume must be the first message."""
    _, started = await begin(client)
    error = await client.be_refused(client.config(), resume(started))
    assert reason_of(error) == "CONFIG_REPEATED"


async def test_a_session_ends_after_its_resume_window(client: Client, worker: ScriptedWorker, bus: Bus) -> None:
    """A session whose client does not return ends after the window, and its record has the reason."""
    call = client.open()
    await call.write(client.config(resume_window=window(0.3)))
    started = await call.read()
    await call.write(Request(audio=SECOND))
    await stored(call, 1)
    call.cancel()
    received = await worker.only_session()
    await received.ended.wait()
    assert received.inputs[-1].end.error.message == "the client has disconnected"
    call = client.open()
    await call.write(resume(started))
    assert (await call.read()).HasField("session_resumed")
    error = await error_of(call)
    assert reason_of(error) == "SESSION_ABANDONED"


async def test_a_cancelled_session_does_not_wait(client: Client, worker: ScriptedWorker) -> None:
    """A cancel ends a session at once, whatever its window."""
    call, _ = await begin(client)
    await call.write(Request(audio=SECOND))
    await stored(call, 1)
    await call.write(Request(cancel=streaming.Cancel()))
    error = await error_of(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.CANCELLED, "SESSION_ABANDONED")
    received = await worker.only_session()
    await received.ended.wait()


async def test_the_number_of_detached_sessions_is_limited(
    start_streamer: StartStreamer, worker: ScriptedWorker
) -> None:
    """Beyond the limit of detached sessions, one that loses its client ends with its connection."""
    client = await start_streamer(detached_max=0)
    call, _ = await begin(client)
    await call.write(Request(audio=SECOND))
    call.cancel()
    received = await worker.only_session()
    await received.ended.wait()


async def test_another_tenants_session_is_not_found(
    nats_server: NatsServer, start_streamer: StartStreamer, worker: ScriptedWorker, bus: Bus, client: Client
) -> None:
    """The tenant is in the key: a request for another one's session is for one that does not exist."""
    call, started = await begin(client)
    record = await RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord).get(
        subjects.record("default", started.session_started.session_id)
    )
    assert record is not None
    foreign = SessionRecord()
    foreign.CopyFrom(record.value)
    foreign.tenant, foreign.session_id = "other", new_id()
    await RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord).create(
        subjects.record(foreign.tenant, foreign.session_id), foreign
    )
    error = await client.be_refused(resume(started, session_id=foreign.session_id))
    assert reason_of(error) == "SESSION_NOT_FOUND"
    call.cancel()


async def test_clients_of_a_stopping_streamer_resume_at_another(
    nats_server: NatsServer, start_streamer: StartStreamer, worker: ScriptedWorker, engine: str
) -> None:
    """On SIGTERM clients of resumable sessions get an error at once, and resume at another streamer."""
    other = await start_streamer()
    environment = _environment(nats_server)
    async with (
        running_async("tiro_streamer", environment, ready="listening") as process,
        connected(str(process.wait_for("listening")["address"]), engine) as client,
    ):
        call, started = await _begin_when_known(client)
        await call.write(Request(audio=SECOND))
        await stored(call, 1)
        stopping = asyncio.create_task(asyncio.to_thread(process.stop))
        error = await error_of(call)
        assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
        assert await stopping == 0
    await _finish_elsewhere(other, started, worker)


async def test_a_streamer_that_is_killed_loses_nothing(
    nats_server: NatsServer, start_streamer: StartStreamer, worker: ScriptedWorker, engine: str
) -> None:
    """After kill -9 a session is resumed at another streamer. No audio and no event is lost or repeated."""
    other = await start_streamer()
    async with (
        running_async("tiro_streamer", _environment(nats_server), ready="listening") as process,
        connected(str(process.wait_for("listening")["address"]), engine) as client,
    ):
        call, started = await _begin_when_known(client)
        await call.write(Request(audio=SECOND))
        await stored(call, 1)
        await call.write(Request(audio=SECOND))
        await asyncio.to_thread(process.kill)
        assert (await error_of(call)).code() == grpc.StatusCode.UNAVAILABLE
    await _finish_elsewhere(other, started, worker)


async def _begin_when_known(client: Client) -> tuple[Any, Response]:
    call = client.open()
    await call.write(client.config(resume_window=window()))
    return call, await call.read()


async def _finish_elsewhere(other: Client, started: Response, worker: ScriptedWorker) -> None:
    """Send the unstored rest of two seconds and a third second, and check that each sample is stored once."""
    call, position = await reopened(other, resume(started))
    audio = 3 * SECOND
    await call.write(Request(audio=audio[position.audio_offset.ToMilliseconds() * 32 :]))
    await call.write(FINALIZE)
    await call.done_writing()
    conversation: Conversation = await read_all(call)
    assert [item.sequence for item in conversation.numbered()] == [2, 3, 4]
    received = await worker.only_session()
    received.check_contiguous()
    assert received.pcm16 == audio


def _environment(nats: NatsServer) -> dict[str, str]:
    return {
        "TIRO_NATS_URL": nats.url,
        "TIRO_NATS_MONITOR_URL": nats.monitor_url,
        "TIRO_AUTH": "off",
        "TIRO_STREAMER_ADDRESS": "127.0.0.1:0",
        "TIRO_STREAMER_METRICS_ADDRESS": "",
    }
