"""Jobs of a worker, on a real NATS server."""

import asyncio

import pytest

from tests.integration.transcriber.conftest import Jobs, Start, recording, workers_alive
from tests.integration.transcriber.transcripts import reason_of, words_published, words_stored
from tests.support.nats import NatsServer
from tests.support.processes import running_async
from tiro.events.v1.transcription_pb2 import DeadLetter, TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.blobs.keys import upload_key
from tiro_core.jobs.transcript_pages import SEGMENTS_PER_PAGE
from tiro_core.leases.owned_record import new_lease
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.operations import StoredMessage
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer

SUCCEEDED = Transcription.STATE_SUCCEEDED
FAILED = Transcription.STATE_FAILED
RUNNING = Transcription.STATE_RUNNING


@pytest.mark.usefixtures("worker")
async def test_a_job_becomes_a_transcript(jobs: Jobs) -> None:
    """A queued job becomes SUCCEEDED, with every word once in its events and in its transcript."""
    job = await jobs.submit(recording(range(40)))
    events = await jobs.events(job)
    record = await jobs.record(job)
    expected = [f"w{number}" for number in range(40)]
    assert record.state == SUCCEEDED
    assert words_published(events) == expected
    assert await words_stored(jobs, record) == expected
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert record.transcript.engine == "fake"
    assert record.transcript.model_digest.startswith("sha256:")
    assert record.transcript.audio_duration.ToMilliseconds() == 40 * 300
    assert len(record.attempts) == 1
    assert not record.HasField("lease")


@pytest.mark.usefixtures("worker")
async def test_a_transcript_has_the_tag_that_was_asked_for(jobs: Jobs) -> None:
    """The engine gets its own language; transcript and segments have the request's tag."""
    job = await jobs.submit(recording(range(3)), language="en-GB")
    events = await jobs.events(job)
    record = await jobs.record(job)
    assert record.state == SUCCEEDED
    assert record.transcript.language_code == "en-GB"
    assert {segment.language_code for event in events for segment in event.segments.segments} == {"en-GB"}


@pytest.mark.usefixtures("worker")
async def test_a_long_transcript_has_several_pages(jobs: Jobs) -> None:
    """More segments than a page has are stored in several pages without a loss."""
    audio = b"".join([recording([0])[:44], *(recording([n])[44:] + bytes(2 * 16_000) for n in range(130))])
    header = bytearray(audio[:44])
    header[4:8] = (len(audio) - 8).to_bytes(4, "little")
    header[40:44] = (len(audio) - 44).to_bytes(4, "little")
    job = await jobs.submit(bytes(header) + audio[44:])
    await jobs.events(job)
    record = await jobs.record(job)
    assert record.transcript.segment_count > SEGMENTS_PER_PAGE
    assert await words_stored(jobs, record) == [f"w{n}" for n in range(130)]


@pytest.mark.usefixtures("worker")
async def test_silence_is_an_empty_transcript_with_a_warning(jobs: Jobs) -> None:
    """A recording without speech has an empty transcript with a warning."""
    job = await jobs.submit(recording([])[:44] + bytes(32_000))
    await jobs.events(job)
    record = await jobs.record(job)
    assert record.state == SUCCEEDED
    assert record.transcript.segment_count == 0
    assert [warning.message for warning in record.transcript.warnings] == ["no speech was found"]


@pytest.mark.usefixtures("worker")
async def test_undecodable_audio_fails_at_once_and_is_parked(jobs: Jobs) -> None:
    """Undecodable audio fails after one attempt with its reason, and leaves a dead letter."""
    job = await jobs.submit(b"this is not a recording" * 100)
    await jobs.events(job)
    record = await jobs.record(job)
    assert record.state == FAILED
    assert reason_of(record) == "NOT_AUDIO"
    assert len(record.attempts) == 1
    async with OrderedConsumer(jobs.bus, topology.DEAD, subjects.dead(jobs.tenant, job)) as consumer:
        async for entry in consumer:
            assert isinstance(entry, StoredMessage)
            assert DeadLetter.FromString(entry.data).record.transcription_id == job
            break


async def test_a_transient_fault_is_retried(jobs: Jobs, start_worker: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording with a missing part is attempted up to the limit, and each attempt has its error."""
    monkeypatch.setattr("tiro_transcriber.jobs.worker.BACKOFF_SECONDS", 0.05)
    job = await jobs.submit(recording(range(5)))
    await jobs.blobs.delete(upload_key(jobs.tenant, (await jobs.record(job)).upload_id))
    await start_worker()
    await jobs.events(job)
    record = await jobs.record(job)
    assert record.state == FAILED
    assert reason_of(record) == "ENGINE_FAILED"
    assert [attempt.HasField("error") for attempt in record.attempts] == [True, True, True]


@pytest.mark.usefixtures("worker")
async def test_a_task_message_of_an_ended_job_changes_nothing(jobs: Jobs) -> None:
    """A job that is enqueued after its end keeps its record and events."""
    job = await jobs.submit(recording(range(3)))
    events = await jobs.events(job)
    before = await jobs.record(job)
    await jobs.enqueue(job)
    other = await jobs.submit(recording(range(3)))
    await jobs.events(other)
    assert await jobs.record(job) == before
    assert await jobs.events(job) == events


async def test_a_job_of_a_lost_worker_is_claimed(jobs: Jobs, start_worker: Start) -> None:
    """A job whose lease has expired is claimed with the next epoch, as its second attempt."""
    audio = recording(range(10))
    job = await jobs.submit(audio)
    key = subjects.record(jobs.tenant, job)

    def lost(record: TranscriptionRecord) -> None:
        record.state = RUNNING
        record.epoch = 1
        record.attempts.add(worker_id="gone")
        record.lease.CopyFrom(new_lease("gone", -1))

    await jobs.records.mutate(key, lost)
    await start_worker()
    events = await jobs.events(job)
    record = await jobs.record(job)
    assert record.state == SUCCEEDED
    assert record.epoch == 2
    assert events[-1].attempt == 2
    assert words_published(events) == [f"w{n}" for n in range(10)]


@pytest.mark.parametrize(("ended", "reason"), [(0, "WORKER_CRASHED"), (1, "ATTEMPTS_EXHAUSTED")])
async def test_a_job_with_too_many_attempts_fails(jobs: Jobs, start_worker: Start, *, ended: int, reason: str) -> None:
    """A job that has reached the limit of attempts is FAILED without another attempt.

    The reason is WORKER_CRASHED if no counted attempt has an end, else ATTEMPTS_EXHAUSTED.
    """
    job = await jobs.submit(recording(range(3)))

    def broken(record: TranscriptionRecord) -> None:
        record.state = RUNNING
        for number in range(3):
            attempt = record.attempts.add(worker_id="gone")
            if number < ended:
                attempt.end_time.GetCurrentTime()
        record.attempts.add(worker_id="stopped", handed_over=True).end_time.GetCurrentTime()
        record.lease.CopyFrom(new_lease("gone", -1))

    await jobs.records.mutate(subjects.record(jobs.tenant, job), broken)
    await start_worker()
    await jobs.events(job)
    record = await jobs.record(job)
    assert record.state == FAILED
    assert reason_of(record) == reason
    assert len(record.attempts) == 4


async def test_a_missing_terminal_event_is_appended(jobs: Jobs, start_worker: Start) -> None:
    """The terminal event of a worker that died after the commit is appended when its message is redelivered."""
    job = await jobs.submit(recording(range(3)))

    def committed(record: TranscriptionRecord) -> None:
        record.state = SUCCEEDED

    await jobs.records.mutate(subjects.record(jobs.tenant, job), committed)
    await start_worker()
    events = await jobs.events(job)
    assert [event.state_changed.state for event in events] == [SUCCEEDED]


async def test_a_stopped_worker_leaves_the_registry(jobs: Jobs, start_worker: Start) -> None:
    """A worker is registered while it runs, and not after it was stopped."""
    others = await workers_alive(jobs.bus)
    stop = await start_worker()
    job = await jobs.submit(recording(range(3)))
    await jobs.events(job)
    own = await workers_alive(jobs.bus) - others
    assert len(own) == 1
    await stop()
    assert not own & await workers_alive(jobs.bus)


async def test_killed_workers_lose_no_job(jobs: Jobs, nats_server: NatsServer) -> None:
    """A real worker process is killed while jobs run: another one ends every job once, with all its words."""
    environment = {
        "TIRO_NATS_URL": nats_server.url,
        "TIRO_NATS_MONITOR_URL": nats_server.monitor_url,
        "TIRO_ENGINE": "fake",
        "TIRO_TRANSCRIBER_HEALTH_ADDRESS": "127.0.0.1:0",
        "TIRO_TRANSCRIBER_METRICS_ADDRESS": "",
    }
    async with running_async("tiro_transcriber", environment, ready="ready") as first:
        submitted = [await jobs.submit(recording(range(50))) for _ in range(10)]
        await asyncio.to_thread(first.wait_for, "job_started")
        first.kill()
        async with running_async("tiro_transcriber", environment, ready="ready"):
            for job in submitted:
                events = await jobs.events(job)
                record = await jobs.record(job)
                assert record.state == SUCCEEDED
                assert await words_stored(jobs, record) == [f"w{n}" for n in range(50)]
                assert sum(event.state_changed.state == SUCCEEDED for event in events) == 1
