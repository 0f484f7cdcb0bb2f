"""Split jobs: a long recording on several workers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import grpc
import numpy as np
import pytest

from tests.integration.transcriber.conftest import Jobs, Start, recording
from tests.integration.transcriber.replacements import NO_REPLACEMENTS
from tests.integration.transcriber.transcripts import reason_of, words_published, words_stored
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.transcript_pb2 import Transcript
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.blobs.interface import PartMissing
from tiro_core.blobs.keys import upload_key
from tiro_core.errors import TiroError
from tiro_core.jobs.transitions import begin_attempt, cancel, give_up, succeed
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.records import CAUGHT_UP, Change, RecordStore, Stored
from tiro_core.routing.workers import open_worker_directory
from tiro_ingest.dispatch.dispatcher import Dispatcher
from tiro_ingest.dispatch.reconciler import Reconciler
from tiro_ingest.jobs.cancellation import JobCanceller
from tiro_ingest.jobs.follower import JobFollower
from tiro_transcriber.jobs.chunks import AudioChunk
from tiro_transcriber.jobs.parts import PartsDiffer, open_parts
from tiro_transcriber.settings import TranscriberSettings

MODEL = "markers-30x"
WORDS = 300
GAP_MS = 400
"""Gaps that are long enough for a split."""
WORD_SECONDS = 0.6
SECONDS = WORDS * WORD_SECONDS
DEADLINE_SECONDS = 20.0


@pytest.fixture
def settings(settings: TranscriberSettings) -> TranscriberSettings:
    """Settings of slow workers, which split recordings over a minute into parts of 30 s."""
    return settings.model_copy(update={"model": MODEL, "split_seconds_min": 60.0, "part_seconds": 30})


@pytest.fixture(autouse=True)
async def dispatching(jobs: Jobs) -> AsyncIterator[None]:
    """A dispatcher that enqueues waiting jobs, as ingest does."""
    async with open_worker_directory(jobs.bus) as workers, asyncio.TaskGroup() as tasks:
        dispatcher = Dispatcher(jobs.bus, workers, waiting_max=1000, again_seconds=30)
        follower = JobFollower(jobs.bus, [dispatcher, Reconciler(jobs.bus, 1.0)])
        running = [tasks.create_task(part.run()) for part in (follower, dispatcher)]
        yield
        for task in running:
            task.cancel()


async def submit(jobs: Jobs, replacements: Mapping[str, str] = NO_REPLACEMENTS) -> str:
    """Submit a long job."""
    audio = recording(range(WORDS), gap_ms=GAP_MS)
    return await jobs.submit(audio, model=MODEL, seconds=SECONDS, replacements=replacements)


async def parts_of(jobs: Jobs, job: str) -> list[TranscriptionRecord]:
    """The parts of a job."""
    keys = sorted(await jobs.records.keys(f"{jobs.tenant}.{job}"))
    found = [await jobs.records.get(key) for key in keys]
    return [stored.value for stored in found if stored is not None]


async def until_parts_ended(jobs: Jobs, job: str, ended: int) -> None:
    """Wait until this number of parts of a job has succeeded."""
    over = set()
    async with jobs.records.watch(f"{jobs.tenant}.{job}.*") as changes:
        async for change in changes:
            if isinstance(change, Change) and change.value is not None:
                if change.value.state == Transcription.STATE_SUCCEEDED:
                    over.add(change.key)
                if len(over) >= ended:
                    return


async def until_no_parts(jobs: Jobs, job: str) -> None:
    """Wait until a job has no parts."""
    present: set[str] | None = None
    found: set[str] = set()
    async with jobs.records.watch(f"{jobs.tenant}.{job}.*") as changes:
        async for change in changes:
            if change is CAUGHT_UP:
                present = found
            elif isinstance(change, Change):
                (found.add if change.value else found.discard)(change.key)
            if present is not None and not found:
                return


async def start(jobs: Jobs, start_worker: Start, count: int) -> list[Callable[[], Awaitable[None]]]:
    """Start workers, and wait until all are registered."""
    stops = [await start_worker() for _ in range(count)]
    alive = set()
    workers = RecordStore(jobs.bus, topology.WORKERS_BUCKET, WorkerRecord)
    async with workers.watch(">") as changes:
        async for change in changes:
            if isinstance(change, Change) and change.value is not None and change.value.model == MODEL:
                alive.add(change.key)
            if len(alive) == count:
                break
    return stops


async def test_a_long_job_is_split(jobs: Jobs, start_worker: Start) -> None:
    """Two workers transcribe the parts: every word is there once, in order, at its time. The parts are removed."""
    await start(jobs, start_worker, 2)
    job = await submit(jobs)
    events = await jobs.events(job)
    record = await jobs.record(job)
    expected = [f"w{number}" for number in range(WORDS)]
    assert record.state == Transcription.STATE_SUCCEEDED
    assert record.split
    assert words_published(events) == expected
    assert await words_stored(jobs, record) == expected
    segments = [segment for event in events for segment in event.segments.segments]
    starts = [word.start_offset.ToNanoseconds() / 1e9 for segment in segments for word in segment.words]
    assert starts == pytest.approx([number * WORD_SECONDS for number in range(WORDS)], abs=0.02)
    assert record.transcript.audio_duration.ToTimedelta().total_seconds() == pytest.approx(SECONDS, abs=0.2)
    assert (record.transcript.engine, record.transcript.language_code) == ("fake", "en")
    assert not record.transcript.warnings
    await until_no_parts(jobs, job)
    with pytest.raises(PartMissing):
        await jobs.blobs.get_part(upload_key(jobs.tenant, f"{job}.00000"), 0)


async def test_stages_process_a_part_once(jobs: Jobs, start_worker: Start) -> None:
    """Stages run on the worker of a part. Their output is not processed again in the merge."""
    await start(jobs, start_worker, 2)
    job = await submit(jobs, {"w10": "w11", "w11": "w12", "w290": "two hundred ninety"})
    events = await jobs.events(job)
    record = await jobs.record(job)
    expected = [f"w{number}" for number in range(WORDS)]
    expected[10:12] = ["w11", "w12"]
    expected[290:291] = ["two", "hundred", "ninety"]
    assert record.split
    assert words_published(events) == expected
    assert await words_stored(jobs, record) == expected


async def test_a_lone_worker_does_not_split(jobs: Jobs, start_worker: Start) -> None:
    """A job is not split if there is only one worker."""
    await start(jobs, start_worker, 1)
    job = await submit(jobs)
    await jobs.events(job)
    record = await jobs.record(job)
    assert (record.state, record.split) == (Transcription.STATE_SUCCEEDED, False)


async def test_another_worker_continues_a_split(jobs: Jobs, start_worker: Start) -> None:
    """When the splitting worker is stopped another one continues, and every word is there once."""
    stops = await start(jobs, start_worker, 3)
    job = await submit(jobs)
    await until_parts_ended(jobs, job, ended=1)
    owner = (await jobs.record(job)).lease.worker_id
    assert owner
    for stop in stops[:2]:
        await stop()
    await start_worker()
    await jobs.events(job)
    record = await jobs.record(job)
    assert record.state == Transcription.STATE_SUCCEEDED
    assert await words_stored(jobs, record) == [f"w{number}" for number in range(WORDS)]


async def test_cancellation_removes_the_parts(jobs: Jobs, start_worker: Start) -> None:
    """The parts of a cancelled job are removed, also running ones."""
    await start(jobs, start_worker, 2)
    job = await submit(jobs)
    await until_parts_ended(jobs, job, ended=1)
    await JobCanceller(jobs.bus, jobs.blobs).cancel(jobs.tenant, job)
    assert (await jobs.events(job))[-1].state_changed.state == Transcription.STATE_CANCELLED
    following = await jobs.submit(recording(range(3)), model=MODEL)
    await jobs.events(following)
    assert (await jobs.record(following)).state == Transcription.STATE_SUCCEEDED
    await until_no_parts(jobs, job)


async def test_a_part_that_fails_for_good_fails_the_job(jobs: Jobs, start_worker: Start) -> None:
    """The job fails with the reason of the part, and all parts are removed."""
    await start(jobs, start_worker, 2)
    job = await submit(jobs)
    await until_parts_ended(jobs, job, ended=1)
    last = (await parts_of(jobs, job))[-1]
    refusal = TiroError(grpc.StatusCode.INTERNAL, reasons.ERROR_REASON_ENGINE_FAILED, "it cannot be transcribed")

    def fail(record: TranscriptionRecord) -> None:
        give_up(record, refusal.to_status())

    await jobs.records.mutate(subjects.record(jobs.tenant, last.transcription_id), fail)
    await jobs.events(job)
    record = await jobs.record(job)
    assert (record.state, record.error.message) == (Transcription.STATE_FAILED, "it cannot be transcribed")
    assert reason_of(record) == "ENGINE_FAILED"
    await until_no_parts(jobs, job)


def chunk(begin: int, samples: int = 16_000) -> AudioChunk:
    """A chunk of silence at a sample."""
    return AudioChunk(np.zeros(samples, np.int16), begin)


async def test_two_owners_create_each_part_once(jobs: Jobs) -> None:
    """While an old and a new owner split a job, each part is created once, and none is missing."""
    job = await submit(jobs)
    record = await jobs.record(job)
    async with (
        open_parts(jobs.bus, jobs.blobs, record) as old,
        open_parts(jobs.bus, jobs.blobs, record) as new,
    ):
        for begin in range(0, 64_000, 16_000):
            await old.make(chunk(begin))
            await new.make(chunk(begin))
        assert (old.count, new.count) == (4, 4)
        await old.make(chunk(64_000))
        with pytest.raises(PartsDiffer):
            await new.make(chunk(64_000, samples=8_000))
    parts = await parts_of(jobs, job)
    assert [part.part.offset for part in parts] == [0, 16_000, 32_000, 48_000, 64_000]


async def test_a_part_may_end_before_its_maker_gets_the_answer(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that is over before the write of its record is answered stays over."""
    record = await jobs.record(await submit(jobs))
    create = RecordStore.create

    def end(part: TranscriptionRecord) -> None:
        begin_attempt(part, "another")
        succeed(part, Transcript())

    async with open_parts(jobs.bus, jobs.blobs, record) as parts:

        async def answer_late(
            store: RecordStore[TranscriptionRecord], key: str, value: TranscriptionRecord
        ) -> Stored[TranscriptionRecord]:
            written = await create(store, key, value)
            await store.mutate(key, end)
            await parts.ended(0)
            return written

        monkeypatch.setattr(RecordStore, "create", answer_late)
        async with asyncio.timeout(DEADLINE_SECONDS):
            await parts.make(chunk(0))
            part = await parts.ended(0)
        assert part is not None
        assert part.state == Transcription.STATE_SUCCEEDED


async def test_parts_of_an_ended_job_are_removed(jobs: Jobs, start_worker: Start) -> None:
    """Parts that an ended job has left are removed by the worker that gets its message."""
    job = await submit(jobs)
    async with open_parts(jobs.bus, jobs.blobs, await jobs.record(job)) as parts:
        await parts.make(chunk(0))

    def end(record: TranscriptionRecord) -> None:
        record.split = True
        cancel(record)

    await jobs.records.mutate(subjects.record(jobs.tenant, job), end)
    await start(jobs, start_worker, 1)
    await until_no_parts(jobs, job)
