"""Connections that end their session before its time: only while it is theirs, and behind what is under way."""

import asyncio

import grpc

from tests.integration.streamer.conftest import Request, StartStreamer, error_of, read_all, read_until, reason_of
from tests.integration.streamer.test_resuming import FINALIZE, SECOND, begin, reopened, resume, stored
from tests.support.scripted_worker import ScriptedWorker

FLOOD_FINALS = 200
FLOOD_FINAL = "x" * 50_000
"""With as many of them, 10 MB: more than the buffers of HTTP/2 and the kernel take for a client that does not read."""


async def test_a_connection_that_was_replaced_does_not_end_the_session(
    start_streamer: StartStreamer, worker: ScriptedWorker
) -> None:
    """It fails with CLIENT_TOO_SLOW before it notices that another connection has the session, which goes on there."""
    impatient = await start_streamer(write_seconds_max=0.3)
    unread, started = await begin(impatient)
    await unread.write(Request(audio=SECOND))
    await stored(unread, 1)
    other = await start_streamer()
    call, _ = await reopened(other, resume(started))
    worker.script.finals_per_input, worker.script.final_text = FLOOD_FINALS, FLOOD_FINAL
    await call.write(Request(audio=SECOND))
    reading = asyncio.create_task(read_until(call, "audio_ack"))
    await reading
    worker.script.finals_per_input = 0
    error = await error_of(unread)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.ABORTED, "CLIENT_TOO_SLOW")
    await call.write(Request(audio=SECOND))
    await call.done_writing()
    assert (await read_all(call)).last.HasField("session_ended")
    session = await worker.only_session()
    session.check_contiguous()
    assert session.pcm16 == 3 * SECOND
