"""A job is deleted at every moment of fetching its recording."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web

from tests.integration.deletion.conftest import STEPS_MAX, NewTenant, Stage, ended, leftovers
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
"""Of the pairs of moments at which a fetcher is interrupted and dies, `make test` tries one in so many."""
DELIVERY_SECONDS_MAX = 10.0


@pytest.fixture
async def url(recording: bytes) -> AsyncIterator[str]:
    """Where the recording is."""

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
    """A client that may connect to this machine."""
    settings = settings_for(nats_server, outgoing_networks="127.0.0.0/8")
    async with new_session(open_connector(settings.outgoing_policy()), stall_seconds=5) as session:
        yield session


class Scene:
    """A job, a service that fetches its recording and is interrupted, and one that deletes it."""

    def __init__(self, stage: Stage, url: str, session: ClientSession, settings: IngestSettings) -> None:
        self._stage = stage
        self._url = url
        self._session = session
        self._settings = settings
        self.tenant = self.job = ""
        self.fetching: asyncio.Task[BaseException | None] | None = None

    async def begin(self, tenant: str) -> None:
        """Accept a job of a tenant of its own, as `CreateTranscription` does."""
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
        """Fetch the recording. Returns how that failed."""
        message = await self._message()
        async with self._stage.interrupted(steps) as ingest:
            downloader = Downloader(self._settings, self._session, uploads=ingest.uploads, intake=ingest.intake)
            work = FetchWork(ingest.bus, ingest.blobs, downloader, ingest.remover)
            return await ended(WorkRunner(work, grace_seconds=10).handle(message, Slot(lambda: None)))

    async def delete(self) -> None:
        """Delete the job, as its caller does."""
        await self._stage.other.remover.remove_job(self.tenant, self.job)

    async def delete_interrupted(self, steps: Steps) -> BaseException | None:
        """Delete the job in a service that is interrupted. Returns how that failed."""
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
        """The task message of the job, as its consumer delivers it, over a connection that nothing interrupts."""
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


async def test_deleted_at_every_step_of_being_fetched(scene: Scene, bus: Bus, new_tenant: NewTenant) -> None:
    """Once fetcher and remover have ended nothing is left, without any sweep: no upload either that it began later."""
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


async def test_its_recording_is_deleted_at_every_step_of_being_fetched(
    scene: Scene, bus: Bus, new_tenant: NewTenant
) -> None:
    """The job is cancelled and stays; nothing of its recording does."""
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


async def test_fetched_at_every_step_of_being_deleted(scene: Scene, bus: Bus, new_tenant: NewTenant) -> None:
    """A fetch that begins while the deletion is under way leaves nothing."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=lambda: scene.fetch(Steps()))
        assert await scene.delete_interrupted(steps) is None
        if not steps.has_interrupted:
            break
        left = await leftovers(bus, scene.tenant)
        assert not left, f"fetched at step {number}: {left}"


@pytest.mark.parametrize("share", [SAMPLE, pytest.param(1, marks=pytest.mark.long)])
async def test_deleted_at_any_step_before_a_fetcher_dies_at_any_other(
    scene: Scene, stage: Stage, bus: Bus, new_tenant: NewTenant, share: int
) -> None:
    """The maintenance finds the upload and the bytes that it has left."""
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


async def test_a_recording_that_is_fetched_is_never_removed(scene: Scene, stage: Stage, new_tenant: NewTenant) -> None:
    """However slowly it comes: the maintenance, for which everything is old enough, runs at every step."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=lambda: stage.maintainer.maintain(scene.tenant))
        assert await scene.fetch(steps) is None
        record = await scene.record()
        assert record is not None
        assert record.state == Transcription.STATE_QUEUED, f"swept at step {number}"
        if not steps.has_interrupted:
            break


async def test_a_deletion_that_dies_at_any_step_is_finished(
    scene: Scene, stage: Stage, bus: Bus, new_tenant: NewTenant
) -> None:
    """Once the job is marked. Before, nothing has happened to it."""
    finished = 0
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        assert await scene.fetch(Steps()) is None
        steps = Steps(die_at=number)
        await scene.delete_interrupted(steps)
        await stage.maintainer.maintain(scene.tenant)
        if await scene.record() is not None:
            assert not finished, "a deletion that had begun was forgotten"
        else:
            finished += 1
            left = await leftovers(bus, scene.tenant)
            assert not left, f"died at step {number}: {left}"
        if not steps.has_died:
            break
    assert finished > number / 2


async def test_deleted_at_every_step_of_being_deleted(scene: Scene, bus: Bus, new_tenant: NewTenant) -> None:
    """Two deletions at once do what one does."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        assert await scene.fetch(Steps()) is None
        steps = Steps(interrupt_at=number, interruption=lambda: ended(scene.delete()))
        await scene.delete_interrupted(steps)
        if not steps.has_interrupted:
            break
        left = await leftovers(bus, scene.tenant)
        assert not left, f"deleted again at step {number}: {left}"


async def test_the_same_request_again_at_every_step_of_a_second_deletion(
    scene: Scene, stage: Stage, bus: Bus, new_tenant: NewTenant
) -> None:
    """A job is deleted twice at once, and asked for again behind the first deletion: the second takes nothing of it."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        first = scene.job

        async def delete_and_ask_again() -> None:
            if await scene.record() is not None:
                await scene.delete()
            await scene.begin(scene.tenant)

        steps = Steps(interrupt_at=number, interruption=delete_and_ask_again)
        async with stage.interrupted(steps) as ingest:
            await ended(ingest.remover.remove_job(scene.tenant, first))
        if not steps.has_interrupted:
            break
        asked = idempotent_request(scene.tenant, "CreateTranscription", "mine", TranscriptionTask())
        assert scene.job != first
        assert await IdempotencyStore(bus).find(asked) == scene.job, f"asked again at step {number}"
        assert await scene.record() is not None


async def test_a_cancelled_fetch_cleans_up_behind_a_deletion(
    scene: Scene, stage: Stage, bus: Bus, new_tenant: NewTenant
) -> None:
    """A service that is told to stop removes what it wrote of a job that was deleted, at every step."""
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


async def test_a_refused_deletion_of_its_upload_does_not_disturb_a_fetch(
    scene: Scene, stage: Stage, new_tenant: NewTenant
) -> None:
    """Whenever it begins while the deletion is under way: an upload that a job needs is not hidden."""
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


async def test_a_deletion_of_the_recording_that_dies_at_any_step_is_finished(
    scene: Scene, stage: Stage, bus: Bus, new_tenant: NewTenant
) -> None:
    """Once the job says when its recording was deleted. Before, nothing has happened to it."""
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
        assert record.audio_deleted >= bool(finished), "a deletion that had begun was forgotten"
        finished += record.audio_deleted
        if not steps.has_died:
            break
    assert finished > number / 2
