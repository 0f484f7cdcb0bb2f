"""Jobs over real connections: retries, paging, watching, waiting."""

import asyncio
import errno
import os
import uuid
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.client.servers import AWAY, FULL, Deployment, seconds
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.recognition_pb2 import Replacement
from tiro.speech.v1.transcript_pb2 import Segment, Word
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import WatchTranscriptionResponse
from tiro_client import (
    AsyncClient,
    DeadlineExceeded,
    InvalidRequest,
    JobFailed,
    JobOptions,
    JobProgress,
    JobSegments,
    JobState,
    JobStateChanged,
    Lane,
    NotFound,
    Unavailable,
)
from tiro_client.calls.retrying import CALL_ATTEMPTS_MAX
from tiro_client.jobs import submission
from tiro_client.jobs.submission import INLINE_BYTES_MAX
from tiro_core.errors import invalid_argument, not_found, unavailable

JOB = f"transcriptions/{uuid.uuid4()}"


def state_event(sequence: int, state: "Transcription.State.ValueType", attempt: int = 1) -> WatchTranscriptionResponse:
    """A change of state."""
    job = Transcription(name=JOB, state=state, attempt=attempt)
    return WatchTranscriptionResponse(sequence=sequence, attempt=attempt, state_changed=job)


def progress_event(sequence: int, done: float) -> WatchTranscriptionResponse:
    """Progress."""
    progress = WatchTranscriptionResponse.Progress(transcribed_duration=seconds(done), audio_duration=seconds(10))
    return WatchTranscriptionResponse(sequence=sequence, attempt=1, progress=progress)


def segments_event(sequence: int, *texts: str) -> WatchTranscriptionResponse:
    """Segments."""
    segments = WatchTranscriptionResponse.Segments(segments=[Segment(text=text) for text in texts])
    return WatchTranscriptionResponse(sequence=sequence, attempt=1, segments=segments)


@pytest.fixture
def history() -> list[WatchTranscriptionResponse]:
    """The events of a job that succeeds."""
    return [
        state_event(1, Transcription.STATE_QUEUED, attempt=0),
        state_event(2, Transcription.STATE_RUNNING),
        progress_event(3, 5.0),
        segments_event(4, "one", "two"),
        progress_event(5, 10.0),
        state_event(6, Transcription.STATE_SUCCEEDED),
    ]


async def test_small_recordings_are_sent_inline(client: AsyncClient, deployment: Deployment, tmp_path: Path) -> None:
    """A small file is in the request that creates the job, with its name and the options."""
    path = tmp_path / "talk.wav"
    path.write_bytes(b"RIFF")
    job = await client.submit(
        path, engine="fake", model="words", language="en", hotwords=["Tiro"], replacements={"tyro": "Tiro"}
    )
    (request,) = deployment.jobs.created
    assert request.transcription.content == b"RIFF"
    assert request.transcription.config.hotwords == ["Tiro"]
    assert request.transcription.config.replacements == [Replacement(find="tyro", replace="Tiro")]
    assert request.transcription.config.enable_word_time_offsets
    assert (job.display_name, job.state, job.engine) == ("talk.wav", JobState.QUEUED, "fake")


async def test_large_recordings_are_uploaded(client: AsyncClient, deployment: Deployment) -> None:
    """A recording that is too large for a request is uploaded first."""
    await client.submit(bytes(INLINE_BYTES_MAX + 1))
    (request,) = deployment.jobs.created
    assert request.transcription.upload == deployment.uploads.upload.name
    assert len(deployment.uploads.stored) == INLINE_BYTES_MAX + 1


async def _write_to(pipe: Path, size: int) -> int:
    """Write to a named pipe until all is written or its reader has closed it. Return the number of written bytes."""

    def write() -> int:
        written = 0
        with pipe.open("wb", buffering=0) as file:
            try:
                while written < size:
                    written += file.write(bytes(min(64 * 1024, size - written)))
            except BrokenPipeError:
                return written
        return written

    return await asyncio.to_thread(write)


@pytest.mark.parametrize("size", [5, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, 3 * INLINE_BYTES_MAX + 5])
async def test_a_pipe_is_read_to_its_end(
    client: AsyncClient, deployment: Deployment, tmp_path: Path, size: int
) -> None:
    """A pipe, as of a shell's process substitution, has no known size. A large recording in it is uploaded."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_write_to(pipe, size))
        await client.submit(pipe)
    (request,) = deployment.jobs.created
    sent = request.transcription.content or deployment.uploads.stored
    assert len(sent) == size
    assert bool(request.transcription.upload) == (size > INLINE_BYTES_MAX)


async def test_an_endless_pipe_is_refused(
    client: AsyncClient, deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe with more bytes than `PIPE_BYTES_MAX` is refused, and not read to its end."""
    monkeypatch.setattr(submission, "PIPE_BYTES_MAX", 2 * INLINE_BYTES_MAX)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = asyncio.create_task(_write_to(pipe, 16 * INLINE_BYTES_MAX))
    with pytest.raises(OSError, match="from a pipe") as raised:
        await client.submit(pipe)
    assert (raised.value.errno, raised.value.filename) == (errno.EFBIG, str(pipe))
    assert await writing < 8 * INLINE_BYTES_MAX
    assert deployment.jobs.created == []


async def test_a_file_name_may_be_any_bytes(client: AsyncClient, deployment: Deployment, old_name: Path) -> None:
    """A name that is no UTF-8 is shown with replacement characters."""
    await client.submit(old_name)
    assert deployment.jobs.created[0].transcription.display_name == "Jos\N{REPLACEMENT CHARACTER}.wav"


async def test_a_job_may_name_an_upload(client: AsyncClient, deployment: Deployment) -> None:
    """A string with the name of an upload is not taken as a path."""
    await client.submit(deployment.uploads.upload.name)
    assert deployment.jobs.created[0].transcription.upload == deployment.uploads.upload.name


@pytest.mark.parametrize(
    "uri", ["https://example.com/talk.mp3?signed=1", "http://example.com/a b.wav", "s3://talks/one.flac"]
)
async def test_a_job_may_name_a_uri(client: AsyncClient, deployment: Deployment, uri: str) -> None:
    """A URI is sent unchanged, and not read by the client."""
    await client.submit(uri)
    assert deployment.jobs.created[0].transcription.uri == uri


async def test_options_are_sent_with_the_job(client: AsyncClient, deployment: Deployment) -> None:
    """Set options are converted to the contract's fields. Without options there is no options message."""
    options = JobOptions(
        start_seconds=1.5,
        end_seconds=4,
        temperature=0.0,
        separate_channels=True,
        audio_track=2,
        lane=Lane.DEFERRED,
        ttl=timedelta(hours=1),
        callback="https://example.com/hook",
    )
    await client.submit(b"RIFF", options=options)
    await client.submit(b"RIFF")
    asked, plain = [request.transcription for request in deployment.jobs.created]
    assert asked.options.audio_start.ToMilliseconds() == 1500
    assert asked.options.audio_end.seconds == 4
    assert asked.options.HasField("temperature")
    assert asked.options.separate_channels
    assert asked.options.audio_track == 2
    assert (asked.lane, asked.ttl.seconds) == (Transcription.LANE_DEFERRED, 3600)
    assert asked.callback.uri == "https://example.com/hook"
    for field in ("options", "callback", "ttl"):
        assert not plain.HasField(field)


async def test_a_failed_creation_is_repeated_with_the_same_id(client: AsyncClient, deployment: Deployment) -> None:
    """A creation with a transient error is repeated with the same `request_id`, so that there is one job."""
    deployment.jobs.failures = [AWAY, FULL]
    await client.submit(b"RIFF")
    ids = [request.request_id for request in deployment.jobs.created]
    assert len(ids) == 3
    assert len(set(ids)) == 1


async def test_the_caller_may_choose_the_id(client: AsyncClient, deployment: Deployment) -> None:
    """The caller's `request_id` is sent unchanged."""
    await client.submit(b"RIFF", request_id="mine")
    assert deployment.jobs.created[0].request_id == "mine"


async def test_retries_are_limited(client: AsyncClient, deployment: Deployment) -> None:
    """A call to an unavailable service is made `CALL_ATTEMPTS_MAX` times."""
    deployment.jobs.failures = [AWAY] * 100
    with pytest.raises(Unavailable):
        await client.get(JOB)
    assert deployment.jobs.calls == CALL_ATTEMPTS_MAX


async def test_a_permanent_error_is_not_repeated(client: AsyncClient, deployment: Deployment) -> None:
    """An invalid request is sent once, and the error has its violations."""
    deployment.jobs.failures = [
        invalid_argument(reasons.ERROR_REASON_UNKNOWN_MODEL, "no such model", field_path="transcription.config.model")
    ]
    with pytest.raises(InvalidRequest) as raised:
        await client.submit(b"RIFF", model="none")
    assert raised.value.reason == "UNKNOWN_MODEL"
    assert raised.value.violations[0].field == "transcription.config.model"
    assert deployment.jobs.calls == 1


async def test_a_missing_service_is_unavailable(unused_address: str) -> None:
    """Without a service the error is `Unavailable`, within seconds."""
    async with AsyncClient(unused_address) as client:
        with pytest.raises(Unavailable):
            await client.get(JOB)


async def test_the_api_key_is_sent_with_every_call(client: AsyncClient, deployment: Deployment) -> None:
    """The API key is sent in the `authorization` metadata."""
    with pytest.raises(NotFound):
        await client.get(uuid.uuid4().hex)
    assert deployment.jobs.metadata[0]["authorization"] == "Bearer tiro_test"


async def test_lists_read_all_pages(client: AsyncClient, deployment: Deployment) -> None:
    """A list yields the jobs of all pages, in order."""
    names = [f"transcriptions/{uuid.uuid4()}" for _ in range(7)]
    deployment.jobs.jobs = [Transcription(name=name) for name in names]
    assert [job.name async for job in client.list(page_size=3)] == names
    assert deployment.jobs.calls == 3


async def test_a_job_may_be_given_by_its_bare_id(client: AsyncClient, deployment: Deployment) -> None:
    """A bare id is accepted instead of a job's name."""
    deployment.jobs.jobs = [Transcription(name=JOB)]
    assert (await client.get(JOB.removeprefix("transcriptions/"))).name == JOB


async def test_watching_yields_all_events(
    client: AsyncClient, deployment: Deployment, history: list[WatchTranscriptionResponse]
) -> None:
    """A watch yields each event once, in order, as its own type, and ends with the job."""
    deployment.jobs.events = history
    events = [event async for event in client.watch(JOB)]
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5, 6]
    assert isinstance(events[0], JobStateChanged)
    assert events[2] == JobProgress(3, 1, 5.0, 10.0)
    assert isinstance(events[3], JobSegments)
    assert [segment.text for segment in events[3].segments] == ["one", "two"]


async def test_watching_yields_the_progress_of_a_fetch(client: AsyncClient, deployment: Deployment) -> None:
    """Progress of a job with a URI has the number of fetched bytes."""
    progress = WatchTranscriptionResponse.Progress(fetched_size=1_000_000)
    fetched = WatchTranscriptionResponse(sequence=2, progress=progress)
    ended = state_event(3, Transcription.STATE_SUCCEEDED)
    deployment.jobs.events = [state_event(1, Transcription.STATE_FETCHING, attempt=0), fetched, ended]
    events = [event async for event in client.watch(JOB)]
    assert events[1] == JobProgress(2, 0, 0.0, 0.0, fetched_bytes=1_000_000)


async def test_a_broken_watch_is_resumed(
    client: AsyncClient, deployment: Deployment, history: list[WatchTranscriptionResponse]
) -> None:
    """A broken watch continues after its last event, without a missing or repeated one."""
    deployment.jobs.events = history
    deployment.jobs.watch_break_after = [2, 0, 1]
    events = [event async for event in client.watch(JOB)]
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5, 6]
    assert deployment.jobs.watched_after == [0, 2, 2, 3]


async def test_a_watch_survives_a_restart(deployment: Deployment, history: list[WatchTranscriptionResponse]) -> None:
    """A watch continues after its last event when the service is restarted at the same address."""
    deployment.jobs.events, rest = history[:2], history[2:]
    deployment.jobs.watch_holds = True
    async with AsyncExitStack() as first, AsyncExitStack() as resources:
        address = await first.enter_async_context(deployment.serving())
        client = await resources.enter_async_context(AsyncClient(address))
        events = await resources.enter_async_context(aclosing(client.watch(JOB)))
        seen = [(await anext(events)).sequence, (await anext(events)).sequence]
        await first.aclose()
        deployment.jobs.events += rest
        deployment.jobs.watch_holds = False
        await resources.enter_async_context(deployment.serving(address))
        seen += [event.sequence async for event in events]
    assert seen == [1, 2, 3, 4, 5, 6]


async def test_a_watch_that_is_refused_is_not_repeated(client: AsyncClient, deployment: Deployment) -> None:
    """A job that does not exist raises NotFound without a retry."""
    deployment.jobs.watch_refusal = not_found(reasons.ERROR_REASON_TRANSCRIPTION_NOT_FOUND, "no such job")
    with pytest.raises(NotFound, match="no such job"):
        await anext(client.watch(JOB))
    assert deployment.jobs.watched_after == [0]


async def test_unknown_kinds_of_events_are_skipped(
    client: AsyncClient, deployment: Deployment, history: list[WatchTranscriptionResponse]
) -> None:
    """An event of a later service whose kind is unknown is skipped."""
    deployment.jobs.events = [history[0], WatchTranscriptionResponse(sequence=2), history[5]]
    assert [event.sequence async for event in client.watch(JOB)] == [1, 6]


async def test_waiting_ends_with_the_job(
    client: AsyncClient, deployment: Deployment, history: list[WatchTranscriptionResponse]
) -> None:
    """A wait ends with the terminal event, even if the service keeps the watch open."""
    deployment.jobs.events = history
    deployment.jobs.watch_holds = True
    job = await client.wait(JOB)
    assert job.state is JobState.SUCCEEDED


async def test_waiting_for_a_job_that_fails(client: AsyncClient, deployment: Deployment) -> None:
    """A wait for a failed job raises JobFailed with the job and the reason."""
    failed = state_event(2, Transcription.STATE_FAILED)
    error = invalid_argument(reasons.ERROR_REASON_AUDIO_UNDECODABLE, "nothing in it could be decoded")
    failed.state_changed.error.CopyFrom(error.to_status())
    deployment.jobs.events = [state_event(1, Transcription.STATE_QUEUED), failed]
    with pytest.raises(JobFailed) as raised:
        await client.wait(JOB)
    assert raised.value.reason == "AUDIO_UNDECODABLE"
    assert raised.value.job.name == JOB


async def test_waiting_has_a_limit(
    client: AsyncClient, deployment: Deployment, history: list[WatchTranscriptionResponse]
) -> None:
    """A wait that reaches its limit raises `DeadlineExceeded`."""
    deployment.jobs.events = history[:2]
    deployment.jobs.watch_holds = True
    with pytest.raises(DeadlineExceeded, match=JOB):
        await client.wait(JOB, timeout_seconds=0.2)


async def test_a_transcript_is_joined_from_its_pages(client: AsyncClient, deployment: Deployment) -> None:
    """A transcript has the segments of all pages in order, with words, and times in seconds."""
    word = Word(text="w", start_offset=seconds(1.25), end_offset=seconds(1.5), confidence=0.5)
    deployment.jobs.segments = [Segment(text=f"s{index}", words=[word]) for index in range(450)]
    transcript = await client.get_transcript(JOB)
    assert [segment.text for segment in transcript.segments] == [f"s{index}" for index in range(450)]
    assert transcript.segments[0].words[0].start_seconds == 1.25
    assert transcript.segments[0].words[0].confidence == 0.5
    assert deployment.jobs.calls == 3


async def test_a_transcript_as_text(client: AsyncClient, deployment: Deployment) -> None:
    """A transcript in a text format is a string."""
    deployment.jobs.segments = [Segment(text="Hello.", end_offset=seconds(1.5))]
    assert await client.get_transcript(JOB, format="txt") == "Hello.\n"
    assert "00:00:00,000 --> 00:00:01,500" in await client.get_transcript(JOB, format="srt")


async def test_transcribe_returns_the_transcript(
    client: AsyncClient, deployment: Deployment, history: list[WatchTranscriptionResponse]
) -> None:
    """`transcribe` submits a recording, waits, and returns the transcript."""
    deployment.jobs.events = history
    deployment.jobs.segments = [Segment(text="one"), Segment(text="two")]
    assert (await client.transcribe(b"RIFF")).text == "one two"


async def test_a_call_without_an_answer_times_out(address: str, deployment: Deployment) -> None:
    """A call without an answer in time raises `DeadlineExceeded`."""
    deployment.jobs.holds = True
    async with AsyncClient(address, timeout_seconds=0.2) as client:
        with pytest.raises(DeadlineExceeded):
            await client.get(JOB)


async def test_the_last_error_has_the_delay_of_the_service(client: AsyncClient, deployment: Deployment) -> None:
    """The error after the last attempt has the service's retry delay."""
    delay = timedelta(milliseconds=20)
    deployment.jobs.failures = [
        unavailable(reasons.ERROR_REASON_NO_WORKER, "no worker", retry_after=delay)
    ] * CALL_ATTEMPTS_MAX
    with pytest.raises(Unavailable) as raised:
        await client.get(JOB)
    assert (raised.value.reason, raised.value.retry_after) == ("NO_WORKER", delay)
