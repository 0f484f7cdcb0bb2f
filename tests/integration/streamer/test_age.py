"""Sessions that last as long as the deployment lets them, by the clock: what NATS keeps of them expires."""

import grpc

from tests.integration.streamer.conftest import Request, StartStreamer, error_of, read_all, read_until, reason_of
from tests.integration.streamer.resuming import SECOND, begin, reopened, resume, stored
from tests.support.scripted_worker import ScriptedWorker

TOO_LONG = (grpc.StatusCode.RESOURCE_EXHAUSTED, "AUDIO_TOO_LONG")


async def test_a_session_ends_at_its_age(start_streamer: StartStreamer, worker: ScriptedWorker) -> None:
    """Although its client goes on, and however little audio it has. What it has is transcribed."""
    client = await start_streamer(session_age_seconds_max=1.0)
    call, _ = await begin(client)
    await call.write(Request(audio=SECOND))
    assert (await read_until(call, "final")).final.segment.text == "16000"
    error = await error_of(call)
    assert (error.code(), reason_of(error)) == TOO_LONG
    assert error.details() == "a session lasts 1 s at most"
    await (await worker.only_session()).ended.wait()


async def test_resuming_makes_no_session_younger(start_streamer: StartStreamer, worker: ScriptedWorker) -> None:
    """Its age counts from its first connection."""
    client = await start_streamer()
    call, started = await begin(client)
    await call.write(Request(audio=SECOND))
    await stored(call, 1)
    call.cancel()
    stricter = await start_streamer(session_age_seconds_max=0.001)
    call, position = await reopened(stricter, resume(started))
    assert position.audio_offset.ToMilliseconds() == 1000
    assert (await read_until(call, "final")).final.segment.text == "16000"
    error = await error_of(call)
    assert (error.code(), reason_of(error)) == TOO_LONG


async def test_the_end_of_an_old_session_can_be_fetched(start_streamer: StartStreamer, worker: ScriptedWorker) -> None:
    """Its audio ended in time: its client lost the connection after that, and gets the rest."""
    client = await start_streamer()
    call, started = await begin(client)
    await call.write(Request(audio=SECOND))
    await call.done_writing()
    await read_all(call)
    stricter = await start_streamer(session_age_seconds_max=0.001)
    call, _ = await reopened(stricter, resume(started))
    await call.done_writing()
    assert (await read_all(call)).kinds() == ["final", "session_ended"]
