"""Deletions and cancellations of a job at every step of its transcription, whole and split."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.integration.deletion.conftest import EVERY_STEP, STEPS_MAX, Ingest, NewTenant, Stage, ended, leftovers
from tests.integration.transcriber.conftest import recording as markers
from tests.support.interleaving import Steps
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.speech.v1.transcript_pb2 import Transcript
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.audio.limits import DecodeLimits
from tiro_core.blobs.keys import upload_key
from tiro_core.blobs.writer import BlobWriter
from tiro_core.clock import duration, now
from tiro_core.ids import new_id
from tiro_core.jobs.event_log import JobEventLog
from tiro_core.jobs.transitions import accept, begin_attempt, succeed
from tiro_core.leases.notifications import OwnerNotifications, open_owner_notifications
from tiro_core.leases.runner import WorkRunner
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.queues.tasks import enqueue_job
from tiro_core.messaging.queues.work_queue import Slot, TaskMessage
from tiro_core.messaging.records import Change, RecordStore
from tiro_core.routing.workers import WorkerDirectory, open_worker_directory
from tiro_engines.interface import Capability, EngineSettings
from tiro_engines.registry import find_engine
from tiro_ingest.jobs.archiver import JobArchiver
from tiro_ingest.jobs.cancellation import JobCanceller
from tiro_ingest.jobs.expiry_entries import ExpiryEntries
from tiro_transcriber.engine.host import EngineHost, open_engine_host
from tiro_transcriber.engine.suitability import Suitability
from tiro_transcriber.engine.usage_meter import UsageMeter, open_usage_meter
from tiro_transcriber.jobs.claims import JobClaims
from tiro_transcriber.jobs.recognizer import Recognizer
from tiro_transcriber.jobs.splitter import JobSplitter, SplitSettings
from tiro_transcriber.jobs.worker import JobWork
from tiro_transcriber.pipeline.pipeline import Pipelines
from tiro_transcriber.pipeline.stage_threads import open_stage_threads
from tiro_transcriber.pipeline.stage_types import STAGE_TYPES
from tiro_transcriber.registration import describe

WORDS = 120
GAP_MS = 600
"""With these gaps each word is a segment, which makes several pages of segments."""
SECONDS = WORDS * 0.8
PART_SECONDS = 30
SAMPLE = 4
"""`make test` tries every fourth step of long operations."""
PAIRS_SAMPLE = 41
"""`make test` tries every 41st pair of steps."""
DELIVERY_SECONDS_MAX = 10.0


@dataclass
class Machine:
    """Resources that the workers of these tests share."""

    host: EngineHost
    usage: UsageMeter
    workers: WorkerDirectory
    notifications: OwnerNotifications
    pipelines: Pipelines


@pytest.fixture
async def machine(bus: Bus) -> AsyncIterator[Machine]:
    """Resources of workers with the fake engine."""
    engine = find_engine("fake").load("markers", EngineSettings(models_dir="", catalogue=None, device="cpu"))
    async with AsyncExitStack() as stack:
        yield Machine(
            host=await stack.enter_async_context(open_engine_host(engine, job_slots=1, session_threads=1)),
            usage=await stack.enter_async_context(open_usage_meter(bus, "fake", 1.0)),
            workers=await stack.enter_async_context(open_worker_directory(bus)),
            notifications=await stack.enter_async_context(open_owner_notifications(bus, new_id())),
            pipelines=Pipelines(await stack.enter_async_context(open_stage_threads()), STAGE_TYPES),
        )


class Scene:
    """A job, a worker whose transcription is interrupted, and an ingest service that deletes the job."""

    def __init__(self, stage: Stage, machine: Machine) -> None:
        self._stage = stage
        self._machine = machine
        self._model = f"model-{new_id()}"
        self._audio = markers(range(WORDS), gap_ms=GAP_MS)
        self.other = stage.other
        self.tenant = self.job = ""
        self.working: asyncio.Task[BaseException | None] | None = None

    async def begin(self, tenant: str, *, split: bool) -> None:
        """Create a job with its recording."""
        self.tenant, self.job = tenant, new_id()
        writer = BlobWriter(self.other.blobs, upload_key(tenant, self.job))
        await writer.write(self._audio)
        await writer.finish()
        upload = UploadRecord(
            tenant=tenant,
            upload_id=self.job,
            state=Upload.STATE_READY,
            committed_size=len(self._audio),
            needs_job=True,
        )
        record = TranscriptionRecord(
            tenant=tenant,
            transcription_id=self.job,
            upload_id=self.job,
            audio_duration=duration(SECONDS),
            config=RecognitionConfig(engine="fake", model=self._model, enable_word_time_offsets=True),
            lane=Transcription.LANE_STANDARD,
            ttl=duration(3600),
            audio_ttl=duration(3600),
            create_time=now(),
            split=split,
        )
        accept(record, has_audio=True)
        await self.other.jobs.create(self.key, record)
        await RecordStore(self._stage.bus, topology.UPLOADS_BUCKET, UploadRecord).create(self.key, upload)
        await JobEventLog(self._stage.bus, tenant, self.job).begin(record)

    async def transcribe(self, steps: Steps) -> BaseException | None:
        """Transcribe the job, whose parts other workers do. Return the exception, if any."""
        message = await self._message()
        async with self._stage.interrupted(steps) as ingest, self._parts_done():
            return await ended(WorkRunner(self._work(ingest), grace_seconds=10).handle(message, Slot(lambda: None)))

    async def delete(self) -> None:
        """Delete the job, as its caller does."""
        await self.other.remover.remove_job(self.tenant, self.job)

    async def delete_and_stop(self) -> None:
        """Delete the job, and stop the worker that transcribes it."""
        await self.delete()
        assert self.working is not None
        self.working.cancel()

    async def cancel(self) -> None:
        """Cancel the job, as its caller does."""
        await JobCanceller(self.other.bus, self.other.blobs).cancel(self.tenant, self.job)

    async def move(self, ingest: Ingest) -> None:
        """Move the job to the archive, as any ingest service does."""
        await JobArchiver(ingest.bus, ingest.blobs, ingest.jobs, ExpiryEntries(ingest.bus)).move(self.key)

    async def record(self) -> TranscriptionRecord | None:
        """The job's record."""
        stored = await self.other.jobs.get(self.key)
        return stored.value if stored else None

    @property
    def key(self) -> str:
        """The key of the job's record."""
        return subjects.record(self.tenant, self.job)

    def _work(self, ingest: Ingest) -> JobWork:
        machine, launcher = self._machine, self._stage.launcher
        recognizer = Recognizer(
            machine.host,
            ingest.blobs,
            launcher,
            machine.usage,
            limits=DecodeLimits(),
            window_seconds=PART_SECONDS,
            spool_dir=None,
        )
        splitter = JobSplitter(
            ingest.bus,
            ingest.blobs,
            launcher,
            machine.workers,
            machine.host.engine.model,
            settings=SplitSettings(seconds_min=0, part_seconds=PART_SECONDS),
            limits=DecodeLimits(),
            spool_dir=None,
        )
        worker = describe(machine.notifications.worker_id, machine.host.engine, job_slots=1, session_slots=0)
        suitability = Suitability(
            worker, machine.workers, feature=Capability.CAPABILITY_BATCH, patience_seconds=DELIVERY_SECONDS_MAX
        )
        return JobWork(
            ingest.bus,
            ingest.blobs,
            recognizer,
            pipelines=machine.pipelines,
            claims=JobClaims(ingest.bus, machine.notifications.worker_id, suitability, attempts_max=3),
            splitter=splitter,
            notifications=machine.notifications,
        )

    async def _message(self) -> TaskMessage:
        """The task message of the job, read over a connection that is not interrupted."""
        bus, record = self._stage.bus, await self.record()
        assert record is not None
        await enqueue_job(bus, record)
        name = await topology.ensure_task_consumer(bus, "fake", self._model)
        subscription = await bus.jetstream.pull_subscribe_bind(name, topology.TASKS)
        try:
            [message] = await subscription.fetch(1, timeout=DELIVERY_SECONDS_MAX)
        finally:
            await subscription.unsubscribe()
        return TaskMessage(message)

    @asynccontextmanager
    async def _parts_done(self) -> AsyncIterator[None]:
        """Let other workers do every part at once, without finding speech."""
        async with asyncio.TaskGroup() as tasks:
            doing = tasks.create_task(self._do_parts())
            yield
            doing.cancel()

    async def _do_parts(self) -> None:
        records = self.other.jobs.open
        async with records.watch(f"{self.tenant}.{self.job}.*") as changes:
            async for change in changes:
                if isinstance(change, Change) and change.value and change.value.state == Transcription.STATE_QUEUED:
                    try:
                        await records.mutate(change.key, _do_part)
                    except (KeyError, _NotQueued):  # it was removed
                        continue


class _NotQueued(Exception):  # noqa: N818 - control flow
    """The part needs no worker any more."""


def _do_part(record: TranscriptionRecord) -> None:
    if record.removing or record.state != Transcription.STATE_QUEUED:
        raise _NotQueued
    begin_attempt(record, "another")
    succeed(record, Transcript(engine="fake", model="markers"))


@pytest.fixture
def scene(stage: Stage, machine: Machine) -> Scene:
    """The scene of these tests."""
    return Scene(stage, machine)


def steps_of(share: int) -> range:
    """Every `share`-th step."""
    return range(0, STEPS_MAX, share)


sampled = pytest.mark.parametrize("share", [SAMPLE, pytest.param(1, marks=EVERY_STEP)])
whole_and_split = pytest.mark.parametrize("split", [False, True], ids=["whole", "split"])


@sampled
@whole_and_split
async def test_a_deletion_at_every_step_of_a_transcription(
    scene: Scene, bus: Bus, new_tenant: NewTenant, split: bool, share: int
) -> None:
    """After a deletion during a transcription nothing is left, without a sweep."""
    for number in steps_of(share):
        await scene.begin(new_tenant(), split=split)
        steps = Steps(interrupt_at=number, interruption=scene.delete)
        assert await scene.transcribe(steps) is None
        if not steps.has_interrupted:
            break
        left = await leftovers(bus, scene.tenant)
        assert not left, f"deleted at step {number}: {left}"
    record = await scene.record()
    assert record is not None
    assert record.state == Transcription.STATE_SUCCEEDED


@sampled
async def test_a_cancellation_at_every_step_of_a_split(
    scene: Scene, bus: Bus, new_tenant: NewTenant, share: int
) -> None:
    """All parts of a cancelled job are removed. The job and its recording stay."""
    for number in steps_of(share):
        await scene.begin(new_tenant(), split=True)
        steps = Steps(interrupt_at=number, interruption=lambda: ended(scene.cancel()))
        assert await scene.transcribe(steps) is None
        if not steps.has_interrupted:
            break
        left = await leftovers(bus, scene.tenant)
        kept = f"tiro.blob.{upload_key(scene.tenant, scene.job)}."
        assert not [one for one in left.blobs if not one.startswith(kept)], f"cancelled at step {number}: {left}"
        parts = f"{scene.tenant}.{scene.job}."
        assert not [one for one in left.records if parts in one], f"cancelled at step {number}: {left}"


@sampled
@whole_and_split
async def test_a_stopped_worker_of_a_deleted_job_leaves_nothing(
    scene: Scene, bus: Bus, new_tenant: NewTenant, split: bool, share: int
) -> None:
    """A worker that is stopped after a deletion, at any step, removes the data that it wrote."""
    for number in steps_of(share):
        await scene.begin(new_tenant(), split=split)
        steps = Steps(interrupt_at=number, interruption=scene.delete_and_stop)
        scene.working = asyncio.create_task(scene.transcribe(steps))
        await asyncio.wait((scene.working,))
        if not steps.has_interrupted:
            assert scene.working.result() is None
            break
        left = await leftovers(bus, scene.tenant)
        assert not left, f"stopped at step {number}: {left}"


@pytest.mark.parametrize("share", [PAIRS_SAMPLE, pytest.param(SAMPLE, marks=EVERY_STEP)])
@whole_and_split
async def test_a_deletion_before_the_death_of_a_worker(
    scene: Scene, stage: Stage, new_tenant: NewTenant, split: bool, share: int
) -> None:
    """Maintenance removes parts, pages and audio of a worker that died after a deletion."""
    deaths = 0
    steps = Steps()
    for interrupted_at in steps_of(SAMPLE):
        for died_at in range(interrupted_at + 1 + interrupted_at % share, STEPS_MAX, share):
            await scene.begin(new_tenant(), split=split)
            steps = Steps(interrupt_at=interrupted_at, interruption=scene.delete, die_at=died_at)
            await scene.transcribe(steps)
            if not steps.has_died:
                break
            deaths += 1
            await stage.maintainer.maintain(scene.tenant)
            left = await leftovers(stage.bus, scene.tenant)
            assert not left.blobs + left.records, f"deleted at {interrupted_at}, died at {died_at}: {left}"
        if not steps.has_interrupted:
            break
    assert deaths


@sampled
@whole_and_split
async def test_maintenance_does_not_remove_data_of_a_running_job(
    scene: Scene, stage: Stage, new_tenant: NewTenant, split: bool, share: int
) -> None:
    """Maintenance without minimum ages may run at any step of a transcription."""
    for number in steps_of(share):
        await scene.begin(new_tenant(), split=split)
        steps = Steps(interrupt_at=number, interruption=lambda: stage.maintainer.maintain(scene.tenant))
        assert await scene.transcribe(steps) is None
        record = await scene.record()
        assert record is not None
        assert record.state == Transcription.STATE_SUCCEEDED, f"swept at step {number}: {record.error}"
        assert len(record.attempts) == 1
        if not steps.has_interrupted:
            break


async def test_a_deletion_at_every_step_of_archiving(
    scene: Scene, stage: Stage, bus: Bus, new_tenant: NewTenant
) -> None:
    """A job that is deleted while it is archived is neither open nor in the archive."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant(), split=False)
        assert await scene.transcribe(Steps()) is None
        steps = Steps(interrupt_at=number, interruption=lambda: ended(scene.delete()))
        async with stage.interrupted(steps) as ingest:
            await scene.move(ingest)
        if not steps.has_interrupted:
            break
        left = await leftovers(bus, scene.tenant)
        assert not left, f"deleted at step {number}: {left}"
    assert await scene.record() is not None


async def test_archiving_at_every_step_of_archiving(scene: Scene, stage: Stage, new_tenant: NewTenant) -> None:
    """A job that two services archive at once is in the archive, and not among open jobs."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant(), split=False)
        assert await scene.transcribe(Steps()) is None
        steps = Steps(interrupt_at=number, interruption=lambda: scene.move(stage.other))
        async with stage.interrupted(steps) as ingest:
            await scene.move(ingest)
        if not steps.has_interrupted:
            break
        assert await scene.record() is not None, f"moved at step {number}"
        assert await stage.other.jobs.open.get(scene.key) is None, f"moved at step {number}"
