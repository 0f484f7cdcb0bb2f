"""Clients that are silent or do not read: for a resumable session that is a lost connection, not its end."""

import asyncio

import grpc
import pytest

from tests.integration.streamer.audio import encoded, tone
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
from tests.integration.streamer.resuming import FINALIZE, SECOND, begin, reopened, resume, stored, window
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


async def test_a_session_survives_the_silence_of_its_client(
    start_streamer: StartStreamer, worker: ScriptedWorker
) -> None:
    """A silent client gets an error, resumes and sends more. No sample is lost or repeated."""
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
    """After the window the session ends, and a client that resumes later gets an error."""
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


async def test_a_session_survives_a_client_that_does_not_read(
    start_streamer: StartStreamer, worker: ScriptedWorker, detached: asyncio.Event
) -> None:
    """A client that does not read is detached, as for a blocked network. Unsent events are sent after a resume."""
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


async def test_a_resumed_session_has_no_lag(client: Client, worker: ScriptedWorker) -> None:
    """A resumed session reports no lag for audio that was processed before."""
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
    """A client that sends audio after the end gets the missed events, and an error instead of SessionEnded."""
    call, position = await reopened(client, resume(complete))
    assert (position.audio_offset.ToMilliseconds(), position.audio_ended) == (1000, True)
    await call.write(Request(audio=SECOND))
    received, error = await read_to_error(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.FAILED_PRECONDITION, "SESSION_AUDIO_ENDED")
    assert received.kinds() == ["final", "utterance_end"]


async def test_session_ended_is_sent_after_the_half_close(client: Client, complete: Response) -> None:
    """A resumed client gets SessionEnded after its half-close. Controls and keep-alives before it are allowed."""
    call, _ = await reopened(client, resume(complete))
    assert (await read_until(call, "utterance_end")).sequence == 3
    await call.write(Request(keep_alive=KeepAlive()))
    await call.write(FINALIZE)
    await call.done_writing()
    assert (await read_all(call)).kinds() == ["session_ended"]


async def test_a_session_whose_audio_has_ended_can_be_cancelled(client: Client, complete: Response) -> None:
    """A cancel of a session whose audio has ended is accepted."""
    call, _ = await reopened(client, resume(complete))
    await call.write(Request(cancel=Cancel()))
    assert reason_of(await error_of(call)) == "SESSION_ABANDONED"


@pytest.mark.parametrize(("more_seconds", "ends_well"), [(0, True), (1, False)])
async def test_compressed_audio_that_is_sent_again(
    client: Client, worker: ScriptedWorker, more_seconds: int, ends_well: bool
) -> None:
    """A client may send the stored audio again from the start, and no more."""
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
    """When the newer connection has ended the session the older one gets an error, as it may have more audio."""
    old, started = await begin(await start_streamer())
    await old.write(Request(audio=SECOND))
    await read_until(old, "final")  # of its pause: from here on it writes only a sign of life now and then
    new, _ = await reopened(await start_streamer(), resume(started))
    await new.done_writing()
    assert (await read_all(new)).last.HasField("session_ended")
    await old.write(Request(audio=SECOND))
    assert reason_of(await error_of(old)) == "SESSION_RESUMED_ELSEWHERE"
    assert (await worker.only_session()).pcm16 == SECOND
