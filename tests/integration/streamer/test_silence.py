"""Clients from which nothing comes: a silent network is a lost connection, and not the end of the audio."""

import asyncio

import grpc

from tests.integration.streamer.conftest import Request, StartStreamer, error_of, read_all, reason_of
from tests.integration.streamer.test_resuming import SECOND, begin, reopened, resume, stored, window
from tests.support.scripted_worker import ScriptedWorker
from tiro_core.messaging.connection import Bus

IDLE_SECONDS = 0.5


async def test_silence_on_a_resumable_session_is_a_lost_connection(
    start_streamer: StartStreamer, worker: ScriptedWorker
) -> None:
    """The session is kept for its client, which resumes it and sends more: no sample is lost or repeated."""
    client = await start_streamer(idle_seconds_max=IDLE_SECONDS)
    call, started = await begin(client)
    await call.write(Request(audio=SECOND))
    await stored(call, 1)
    error = await error_of(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.ABORTED, "SESSION_IDLE")
    call, position = await reopened(client, resume(started))
    assert position.audio_offset.ToMilliseconds() == 1000
    await call.write(Request(audio=SECOND))
    await call.done_writing()
    assert (await read_all(call)).last.HasField("session_ended")
    session = await worker.only_session()
    session.check_contiguous()
    assert session.pcm16 == 2 * SECOND
