"""Deletions of a job at every step of the fetch of its recording."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web

from tests.integration.deletion.conftest import EVERY_STEP, STEPS_MAX, NewTenant, Stage, ended, leftovers
from tests.integration.ingest.conftest import settings_for
from tests.support.interleaving import Steps
from tests.support.nats import NatsServer
from tiro.events.v1.transcription_pb2 import TranscriptionRecord, TranscriptionTask
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.clock import duration, now
from tiro_core.errors import TiroError
from tiro_core.ids import new_id
from tiro_core.jobs.event_log import JobEventLog
from tiro_core.jobs.transitions import accept
from tiro_core.leases.runner import WorkRunner
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.queues.tasks import enqueue
from tiro_core.messaging.queues.work_queue import Slot, TaskMessage
from tiro_ingest.fetching.download import Downloader
from tiro_ingest.fetching.fetcher import FetchWork
from tiro_ingest.jobs.cancellation import JobCanceller
from tiro_ingest.outgoing.client import new_session
from tiro_ingest.outgoing.connector import open_connector
from tiro_ingest.resources.idempotency import IdempotencyStore, idempotent_request
from tiro_ingest.settings import IngestSettings

SAMPLE = 7
"""`make test` tries every seventh of the pairs of steps at which a fetch is interrupted and its process dies."""
DELIVERY_SECONDS_MAX = 10.0


@pytest.fixture
async def url(recording: bytes) -> AsyncIterator[str]:
    """The URL of the recording."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=recording)

    app = web.Application()
    app.router.add_get("/audio", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}/audio"
    await runner.cleanup()


@pytest.fixture
async def session(nats_server: NatsServer) -> AsyncIterator[ClientSession]:
    """An HTTP session that may connect to this machine."""
    settings = settings_for(nats_server, outgoing_networks="127.0.0.0/8")
    async with new_session(open_connector(settings.outgoing_policy()), stall_seconds=5) as session:
        yield session


class Scene:
    """A job, a service whose fetch of the recording is interrupted, and one that deletes the job."""

    def __init__(self, stage: Stage, url: str, session: ClientSession, settings: IngestSettings) -> None:
        self._stage = stage
        self._url = url
        self._session = session
        self._settings = settings
        self.tenant = self.job = ""
        self.fetching: asyncio.Task[BaseException | None] | None = None

    async def begin(self, tenant: str) -> None:
        """Create a job of a new tenant, as `CreateTranscription` does."""
        bus, jobs = self._stage.bus, self._stage.other.jobs
        asked = idempotent_request(tenant, "CreateTranscription", "mine", TranscriptionTask())
        self.tenant, self.job = tenant, await IdempotencyStore(bus).reserve(asked)
        record = TranscriptionRecord(
            tenant=tenant,
            transcription_id=self.job,
            upload_id=self.job,
            uri=self._url,
            config=RecognitionConfig(engine="none", model=new_id()),
            ttl=duration(3600),
            audio_ttl=duration(3600),
            create_time=now(),
            request_key=asked.key,
        )
        accept(record, has_audio=False)
        await jobs.create(subjects.record(tenant, self.job), record)
        await JobEventLog(bus, tenant, self.job).begin(record)

    async def fetch(self, steps: Steps) -> BaseException | None:
        """Fetch the recording. Return the exception, if any."""
        message = await self._message()
        async with self._stage.interrupted(steps) as ingest:
            downloader = Downloader(self._settings, self._session, uploads=ingest.uploads, intake=ingest.intake)
            work = FetchWork(ingest.bus, ingest.blobs, downloader, ingest.remover)
            return await ended(WorkRunner(work, grace_seconds=10).handle(message, Slot(lambda: None)))

    async def delete(self) -> None:
        """Delete the job, as its caller does."""
        await self._stage.other.remover.remove_job(self.tenant, self.job)

    async def delete_interrupted(self, steps: Steps) -> BaseException | None:
        """Delete the job in a service that is interrupted. Return the exception, if any."""
        async with self._stage.interrupted(steps) as ingest:
            return await ended(ingest.remover.remove_job(self.tenant, self.job))

    async def cancel(self) -> None:
        """Cancel the job."""
        await JobCanceller(self._stage.bus, self._stage.other.blobs).cancel(self.tenant, self.job)

    async def cancel_and_delete_audio(self) -> None:
        """Cancel the job and delete its recording."""
        await self.cancel()
        await self._stage.other.remover.remove_audio(self.tenant, self.job)

    async def delete_and_stop(self) -> None:
        """Delete the job, and stop the service that fetches."""
        await self.delete()
        assert self.fetching is not None
        self.fetching.cancel()

    async def record(self) -> TranscriptionRecord | None:
        """The job's record."""
        stored = await self._stage.other.jobs.get(subjects.record(self.tenant, self.job))
        return stored.value if stored else None

    async def _message(self) -> TaskMessage:
        """The task message of the job, read over a connection that is not interrupted."""
        bus, subject = self._stage.bus, subjects.fetch(self.tenant, self.job)
        task = TranscriptionTask(tenant=self.tenant, transcription_id=self.job)
        await enqueue(bus, subject, task.SerializeToString())
        name = await topology.ensure_fetch_consumer(bus)
        subscription = await bus.jetstream.pull_subscribe_bind(name, topology.FETCHES)
        try:
            while True:
                [message] = await subscription.fetch(1, timeout=DELIVERY_SECONDS_MAX)
                if message.subject == subject:
                    return TaskMessage(message)
                await message.term()  # left by another test
        finally:
            await subscription.unsubscribe()


@pytest.fixture
def scene(stage: Stage, url: str, session: ClientSession, nats_server: NatsServer) -> Scene:
    """The scene of these tests."""
    return Scene(stage, url, session, settings_for(nats_server, fetch_attempts_max=1))


async def test_a_deletion_at_every_step_of_a_fetch(scene: Scene, bus: Bus, new_tenant: NewTenant) -> None:
    """After a deletion during a fetch nothing is left, without a sweep. An upload that it creates later is removed."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=scene.delete)
        failure = await scene.fetch(steps)
        assert failure is None
        if not steps.has_interrupted:
            break
        left = await leftovers(bus, scene.tenant)
        assert not left, f"deleted at step {number}: {left}"
    record = await scene.record()
    assert record is not None
    assert record.state == Transcription.STATE_QUEUED


async def test_a_deletion_of_the_recording_at_every_step_of_its_fetch(
    scene: Scene, bus: Bus, new_tenant: NewTenant
) -> None:
    """The cancelled job stays, and no byte of its recording is left."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=lambda: ended(scene.cancel_and_delete_audio()))
        assert await scene.fetch(steps) is None
        if not steps.has_interrupted:
            break
        record = await scene.record()
        assert record is not None
        assert (record.state, record.audio_deleted) == (Transcription.STATE_CANCELLED, True)
        left = await leftovers(bus, scene.tenant)
        assert not left.blobs, f"deleted at step {number}: {left}"
        assert not [one for one in left.records if topology.UPLOADS_BUCKET in one], f"deleted at step {number}: {left}"


async def test_a_fetch_at_every_step_of_a_deletion(scene: Scene, bus: Bus, new_tenant: NewTenant) -> None:
    """A fetch during a deletion leaves nothing."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=lambda: scene.fetch(Steps()))
        assert await scene.delete_interrupted(steps) is None
        if not steps.has_interrupted:
            break
        left = await leftovers(bus, scene.tenant)
        assert not left, f"fetched at step {number}: {left}"


@pytest.mark.parametrize("share", [SAMPLE, pytest.param(1, marks=EVERY_STEP)])
async def test_a_deletion_before_the_death_of_a_fetching_process(
    scene: Scene, stage: Stage, bus: Bus, new_tenant: NewTenant, share: int
) -> None:
    """Maintenance removes upload and bytes of a process that died after a deletion during its fetch."""
    deaths = 0
    steps = Steps()
    for interrupted_at in range(STEPS_MAX):
        for died_at in range(interrupted_at + 1 + interrupted_at % share, STEPS_MAX, share):
            await scene.begin(new_tenant())
            steps = Steps(interrupt_at=interrupted_at, interruption=scene.delete, die_at=died_at)
            await scene.fetch(steps)
            if not steps.has_died:
                break
            deaths += 1
            await stage.maintainer.maintain(scene.tenant)
            left = await leftovers(bus, scene.tenant)
            assert not left.blobs + left.records, f"deleted at {interrupted_at}, died at {died_at}: {left}"
        if not steps.has_interrupted:
            break
    assert deaths


async def test_maintenance_does_not_remove_a_recording_that_is_fetched(
    scene: Scene, stage: Stage, new_tenant: NewTenant
) -> None:
    """Maintenance without minimum ages may run at any step of a fetch."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=lambda: stage.maintainer.maintain(scene.tenant))
        assert await scene.fetch(steps) is None
        record = await scene.record()
        assert record is not None
        assert record.state == Transcription.STATE_QUEUED, f"swept at step {number}"
        if not steps.has_interrupted:
            break


async def test_maintenance_finishes_a_deletion_whose_process_died(
    scene: Scene, stage: Stage, bus: Bus, new_tenant: NewTenant
) -> None:
    """A deletion is finished if the job was marked. Before that the job is unchanged."""
    finished = 0
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        assert await scene.fetch(Steps()) is None
        steps = Steps(die_at=number)
        await scene.delete_interrupted(steps)
        await stage.maintainer.maintain(scene.tenant)
        if await scene.record() is not None:
            assert not finished, "a deletion that had begun was not finished"
        else:
            finished += 1
            left = await leftovers(bus, scene.tenant)
            assert not left, f"died at step {number}: {left}"
        if not steps.has_died:
            break
    assert finished > number / 2


async def test_a_deletion_at_every_step_of_another_deletion(scene: Scene, bus: Bus, new_tenant: NewTenant) -> None:
    """Two concurrent deletions leave nothing."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        assert await scene.fetch(Steps()) is None
        steps = Steps(interrupt_at=number, interruption=lambda: ended(scene.delete()))
        await scene.delete_interrupted(steps)
        if not steps.has_interrupted:
            break
        left = await leftovers(bus, scene.tenant)
        assert not left, f"deleted again at step {number}: {left}"


async def test_a_repeated_request_at_every_step_of_a_second_deletion(
    scene: Scene, stage: Stage, bus: Bus, new_tenant: NewTenant
) -> None:
    """A job that a repeated request creates after a first deletion is not affected by a second one."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        first = scene.job

        async def delete_and_create_again() -> None:
            if await scene.record() is not None:
                await scene.delete()
            await scene.begin(scene.tenant)

        steps = Steps(interrupt_at=number, interruption=delete_and_create_again)
        async with stage.interrupted(steps) as ingest:
            await ended(ingest.remover.remove_job(scene.tenant, first))
        if not steps.has_interrupted:
            break
        asked = idempotent_request(scene.tenant, "CreateTranscription", "mine", TranscriptionTask())
        assert scene.job != first
        assert await IdempotencyStore(bus).find(asked) == scene.job, f"requested again at step {number}"
        assert await scene.record() is not None


async def test_a_cancelled_fetch_of_a_deleted_job_leaves_nothing(
    scene: Scene, stage: Stage, bus: Bus, new_tenant: NewTenant
) -> None:
    """A service that is stopped after a deletion, at any step of its fetch, removes the data that it wrote."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=scene.delete_and_stop)
        scene.fetching = asyncio.create_task(scene.fetch(steps))
        await asyncio.wait((scene.fetching,))
        if not steps.has_interrupted:
            assert scene.fetching.result() is None
            break
        left = await leftovers(bus, scene.tenant)
        assert not left, f"stopped at step {number}: {left}"


async def test_a_refused_deletion_of_the_upload_does_not_affect_a_fetch(
    scene: Scene, stage: Stage, new_tenant: NewTenant
) -> None:
    """A fetch at any step of the refused deletion succeeds: an upload that a job needs is not hidden."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=lambda: scene.fetch(Steps()))
        async with stage.interrupted(steps) as ingest:
            failure = await ended(ingest.remover.remove_upload(scene.tenant, scene.job))
        assert isinstance(failure, TiroError)
        assert failure.reason == reasons.ERROR_REASON_UPLOAD_IN_USE
        if not steps.has_interrupted:
            break
        record = await scene.record()
        assert record is not None
        assert record.state == Transcription.STATE_QUEUED, f"fetched at step {number}: {record.error}"


async def test_maintenance_finishes_a_deletion_of_the_recording(
    scene: Scene, stage: Stage, bus: Bus, new_tenant: NewTenant
) -> None:
    """A deletion whose process died is finished if the job was marked. Before that the recording is unchanged."""
    finished = 0
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        assert await scene.fetch(Steps()) is None
        await scene.cancel()
        steps = Steps(die_at=number)
        async with stage.interrupted(steps) as ingest:
            await ended(ingest.remover.remove_audio(scene.tenant, scene.job))
        await stage.maintainer.maintain(scene.tenant)
        record = await scene.record()
        assert record is not None
        left = await leftovers(bus, scene.tenant)
        assert bool(left.blobs) != record.audio_deleted, f"died at step {number}: {left}"
        assert record.audio_deleted >= bool(finished), "a deletion that had begun was not finished"
        finished += record.audio_deleted
        if not steps.has_died:
            break
    assert finished > number / 2
