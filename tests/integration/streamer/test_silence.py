"""Clients that are silent, or do not read: for a session that can be resumed that is a lost connection, not its end."""

import asyncio

import grpc
import pytest

from tests.integration.streamer.conftest import (
    Client,
    Request,
    Response,
    StartStreamer,
    error_of,
    pieces,
    read_all,
    read_to_error,
    read_until,
    reason_of,
)
from tests.integration.streamer.test_conversation import encoded, tone
from tests.integration.streamer.test_resuming import FINALIZE, SECOND, begin, reopened, resume, stored, window
from tests.support.scripted_worker import ScriptedWorker
from tiro.events.v1.live_pb2 import SessionRecord
from tiro.speech.v1.audio_pb2 import AudioEncoding, AudioFormat
from tiro.streaming.v1.streaming_pb2 import Cancel, KeepAlive
from tiro_streamer.audio_log.writer import AudioLogWriter
from tiro_streamer.context.detached import DetachedSessions

IDLE_SECONDS = 0.5
FLOOD_FINALS = 200
FLOOD_FINAL = "x" * 50_000
"""With as many of them, 10 MB: more than the buffers of HTTP/2 and the kernel take for a client that does not read."""
FLAC = AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_FLAC, sample_rate_hertz=16_000)


async def test_a_session_outlives_the_silence_of_its_client(
    start_streamer: StartStreamer, worker: ScriptedWorker
) -> None:
    """The client learns of it, resumes and sends more: no sample is lost or repeated."""
    client = await start_streamer(idle_seconds_max=IDLE_SECONDS)
    call, started = await begin(client)
    await call.write(Request(audio=SECOND))
    await stored(call, 1)
    error = await error_of(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.ABORTED, "SESSION_IDLE")
    call, position = await reopened(client, resume(started))
    assert (position.audio_offset.ToMilliseconds(), position.audio_ended) == (1000, False)
    await call.write(Request(audio=SECOND))
    await call.done_writing()
    assert (await read_all(call)).last.HasField("session_ended")
    session = await worker.only_session()
    session.check_contiguous()
    assert session.pcm16 == 2 * SECOND


async def test_a_client_that_stays_silent_loses_its_session(
    start_streamer: StartStreamer, worker: ScriptedWorker
) -> None:
    """When the window is over as well, the session ends, and a client that comes later gets no clean end."""
    client = await start_streamer(idle_seconds_max=IDLE_SECONDS)
    call = client.open()
    await call.write(client.config(resume_window=window(0.3)))
    started = await call.read()
    await call.write(Request(audio=SECOND))
    assert reason_of(await error_of(call)) == "SESSION_IDLE"
    session = await worker.only_session()
    await session.ended.wait()
    call, position = await reopened(client, resume(started))
    assert position.audio_ended
    assert reason_of(await error_of(call)) == "SESSION_ABANDONED"


@pytest.fixture
def detached(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set once a session is kept for its client."""
    kept = asyncio.Event()
    keep = DetachedSessions.keep

    def keep_and_note(sessions: DetachedSessions, record: SessionRecord, audio_log: AudioLogWriter) -> None:
        keep(sessions, record, audio_log)
        kept.set()

    monkeypatch.setattr(DetachedSessions, "keep", keep_and_note)
    return kept


async def test_a_session_outlives_a_client_that_does_not_read(
    start_streamer: StartStreamer, worker: ScriptedWorker, detached: asyncio.Event
) -> None:
    """A network that takes nothing looks the same. What was not sent comes once the client has resumed."""
    client = await start_streamer(write_seconds_max=0.5)
    call, started = await begin(client)
    worker.script.finals_per_input, worker.script.final_text = FLOOD_FINALS, FLOOD_FINAL
    await call.write(Request(audio=SECOND))
    await detached.wait()
    worker.script.finals_per_input = 0
    received, error = await read_to_error(call)
    assert reason_of(error) == "CLIENT_TOO_SLOW"
    last = received.numbered()[-1].sequence
    assert last < FLOOD_FINALS
    call, position = await reopened(client, resume(started, after_sequence=last))
    assert position.audio_offset.ToMilliseconds() == 1000
    await call.done_writing()
    rest = (await read_all(call)).numbered()
    assert [response.sequence for response in rest] == list(range(last + 1, FLOOD_FINALS + 3))
    assert rest[-1].HasField("session_ended")


async def test_a_resumed_session_is_not_behind(client: Client, worker: ScriptedWorker) -> None:
    """What was processed before is no lag, although the new connection has not seen any progress yet."""
    worker.script.reports_progress = False
    call, started = await begin(client)
    await call.write(Request(audio=5 * SECOND))
    await stored(call, 5)
    call.cancel()
    call, _ = await reopened(client, resume(started))
    await call.write(Request(audio=SECOND))
    await stored(call, 6)
    await call.done_writing()
    assert "lag" not in [response.WhichOneof("response") for response in (await read_all(call)).responses]


@pytest.fixture
async def complete(client: Client, worker: ScriptedWorker) -> Response:
    """A session whose audio has ended: how it started."""
    call, started = await begin(client)
    await call.write(Request(audio=SECOND))
    await call.write(FINALIZE)
    await call.done_writing()
    await read_until(call, "session_ended")
    return started


async def test_audio_for_a_session_whose_audio_has_ended(client: Client, complete: Response) -> None:
    """Its client gets the events that it has missed, and an error instead of the end: the audio was not taken."""
    call, position = await reopened(client, resume(complete))
    assert (position.audio_offset.ToMilliseconds(), position.audio_ended) == (1000, True)
    await call.write(Request(audio=SECOND))
    received, error = await read_to_error(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.FAILED_PRECONDITION, "SESSION_AUDIO_ENDED")
    assert received.kinds() == ["final", "utterance_end"]


async def test_the_end_comes_once_the_client_has_half_closed(client: Client, complete: Response) -> None:
    """Until then it may have more to send. Controls and signs of life are no audio."""
    call, _ = await reopened(client, resume(complete))
    assert (await read_until(call, "utterance_end")).sequence == 3
    await call.write(Request(keep_alive=KeepAlive()))
    await call.write(FINALIZE)
    await call.done_writing()
    assert (await read_all(call)).kinds() == ["session_ended"]


async def test_a_session_whose_audio_has_ended_can_be_cancelled(client: Client, complete: Response) -> None:
    """There is nothing left to end."""
    call, _ = await reopened(client, resume(complete))
    await call.write(Request(cancel=Cancel()))
    assert reason_of(await error_of(call)) == "SESSION_ABANDONED"


@pytest.mark.parametrize(("more_seconds", "ends_well"), [(0, True), (1, False)])
async def test_compressed_audio_that_is_sent_again(
    client: Client, worker: ScriptedWorker, more_seconds: int, ends_well: bool
) -> None:
    """A client that sends it from the start may repeat what is stored, and no more."""
    audio = encoded(tone(1.0, 16_000), 16_000, codec="flac", container="flac")
    call, started = await begin(client, audio_format=FLAC)
    await call.write(Request(audio=audio))
    await call.done_writing()
    await read_until(call, "session_ended")
    call, position = await reopened(client, resume(started, audio_from_start=True))
    assert position.audio_ended
    again = encoded(tone(1.0 + more_seconds, 16_000), 16_000, codec="flac", container="flac")
    for request in pieces(again, 4000):
        await call.write(request)
    await call.done_writing()
    if ends_well:
        assert (await read_all(call)).last.HasField("session_ended")
    else:
        assert reason_of(await error_of(call)) == "SESSION_AUDIO_ENDED"


async def test_an_old_connection_gets_no_clean_end(start_streamer: StartStreamer, worker: ScriptedWorker) -> None:
    """The newer one has ended the session. The older one has sent nothing since, and has more to say."""
    old, started = await begin(await start_streamer())
    await old.write(Request(audio=SECOND))
    await read_until(old, "final")  # of its pause: from here on it writes only a sign of life now and then
    new, _ = await reopened(await start_streamer(), resume(started))
    await new.done_writing()
    assert (await read_all(new)).last.HasField("session_ended")
    await old.write(Request(audio=SECOND))
    assert reason_of(await error_of(old)) == "SESSION_RESUMED_ELSEWHERE"
    assert (await worker.only_session()).pcm16 == SECOND
