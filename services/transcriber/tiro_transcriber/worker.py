"""A worker: one model of this process, as other services see it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.blobs.interface import BlobStore
from tiro_core.clock import duration
from tiro_core.ids import new_id
from tiro_core.leases.notifications import open_owner_notifications
from tiro_core.leases.runner import WorkRunner
from tiro_core.leases.shielding import with_deadline
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.queues.work_queue import Handle, WorkQueueConsumer
from tiro_core.routing.workers import WorkerDirectory
from tiro_engines.interface import Capability, ModelInfo
from tiro_transcriber.engine.host import EngineHost
from tiro_transcriber.engine.suitability import JOB_PATIENCE_SECONDS, SESSION_PATIENCE_SECONDS, Suitability
from tiro_transcriber.engine.usage_meter import UsageMeter
from tiro_transcriber.jobs.claims import JobClaims
from tiro_transcriber.jobs.recognizer import Recognizer
from tiro_transcriber.jobs.splitter import JobSplitter, SplitSettings
from tiro_transcriber.jobs.worker import JobWork
from tiro_transcriber.pipeline.pipeline import Pipelines
from tiro_transcriber.registration import Registration, describe
from tiro_transcriber.sessions.engine_run import EngineRun
from tiro_transcriber.sessions.load import SessionLoad, reserve
from tiro_transcriber.sessions.mover import SessionMover
from tiro_transcriber.sessions.worker import SessionWork
from tiro_transcriber.settings import TranscriberSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerParts:
    """What all workers of the process share."""

    settings: TranscriberSettings
    bus: Bus
    blobs: BlobStore
    launcher: MediaLauncher
    workers: WorkerDirectory
    pipelines: Pipelines
    usage: UsageMeter
    job_slots: int


@asynccontextmanager
async def open_worker(parts: WorkerParts, host: EngineHost) -> AsyncIterator["Worker"]:
    """A worker for the model of a host. It takes no work until it runs."""
    bus, settings = parts.bus, parts.settings
    async with open_owner_notifications(bus, new_id()) as notifications:
        record = describe(
            notifications.worker_id, host.engine, job_slots=parts.job_slots, session_slots=settings.session_slots
        )
        suitability = Suitability(
            record, parts.workers, feature=Capability.CAPABILITY_BATCH, patience_seconds=JOB_PATIENCE_SECONDS
        )
        jobs = JobWork(
            bus,
            parts.blobs,
            _recognizer(parts, host),
            pipelines=parts.pipelines,
            claims=JobClaims(bus, notifications.worker_id, suitability, settings.attempts_max),
            splitter=_splitter(parts, host.engine.model),
            notifications=notifications,
        )
        yield Worker(parts, host, jobs, record)


class Worker:
    """A worker with one model: the consumers of its work queues, and its registration."""

    def __init__(self, parts: WorkerParts, host: EngineHost, jobs: JobWork, record: WorkerRecord) -> None:
        bus, settings = parts.bus, parts.settings
        self._bus = bus
        self._grace_seconds = settings.grace_seconds
        self.model = host.engine.model
        self._jobs: WorkQueueConsumer | None = None
        self._sessions: WorkQueueConsumer | None = None
        self._registration = Registration(bus, record, self._describe_load)
        self.load = SessionLoad(
            host.session_threads.count,
            record.session_slots,
            self._registration.load_changed,
            only_waits=host.engine.capabilities.cloud,
        )
        if record.job_slots:
            self._jobs = self._consumer(
                topology.TASKS,
                topology.ensure_task_consumer,
                record.job_slots,
                WorkRunner(jobs, grace_seconds=settings.grace_seconds).handle,
            )
        if record.session_slots:
            mover = SessionMover(bus, parts.workers)
            engine_run = EngineRun(
                bus,
                host,
                self.load,
                pipelines=parts.pipelines,
                mover=mover,
                usage=parts.usage,
                silence_seconds_max=settings.streamer_silence_seconds_max,
            )
            suitability = Suitability(
                record, parts.workers, feature=Capability.CAPABILITY_LIVE, patience_seconds=SESSION_PATIENCE_SECONDS
            )
            work = SessionWork(
                bus, parts.blobs, record, self.load, suitability=suitability, engine_run=engine_run, mover=mover
            )
            sessions = WorkRunner(work, grace_seconds=settings.grace_seconds)
            self._sessions = self._consumer(
                topology.SESSIONS,
                topology.ensure_session_consumer,
                record.session_slots + reserve(record.session_slots),
                sessions.handle,
            )

    @property
    def known(self) -> asyncio.Event:
        """Set once the worker's record is written: before that, other services refuse requests for its model."""
        return self._registration.known

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set, then hand over the jobs and sessions under way."""
        async with asyncio.TaskGroup() as tasks:
            registering = tasks.create_task(self._registration.keep(), name="registration")
            feeds = [tasks.create_task(feed.run(), name="feed") for feed in (self._jobs, self._sessions) if feed]
            await stopping.wait()
            registering.cancel()
            for feed in feeds:
                feed.cancel()
        await with_deadline(self._grace_seconds, self._registration.end())

    def _describe_load(self, record: WorkerRecord) -> None:
        record.jobs = self._jobs.active if self._jobs else 0
        if record.session_slots:
            record.sessions = self.load.sessions
            record.session_capacity = self.load.capacity
            record.session_lag.CopyFrom(duration(self.load.lag_seconds))
            record.sessions_refused = not self.load.has_capacity

    def _consumer(
        self,
        stream: str,
        ensure_consumer: Callable[..., Awaitable[str]],
        slots: int,
        handle: Handle,
    ) -> WorkQueueConsumer:
        return WorkQueueConsumer(
            self._bus,
            stream=stream,
            ensure_consumer=lambda: ensure_consumer(self._bus, self.model.engine, self.model.model),
            slots=slots,
            handle=handle,
            changed=self._registration.load_changed,
        )


def _recognizer(parts: WorkerParts, host: EngineHost) -> Recognizer:
    return Recognizer(
        host,
        parts.blobs,
        parts.launcher,
        parts.usage,
        limits=_decode_limits(parts.settings),
        window_seconds=parts.settings.window_seconds,
        spool_dir=parts.settings.spool_dir,
    )


def _splitter(parts: WorkerParts, model: ModelInfo) -> JobSplitter:
    settings = parts.settings
    return JobSplitter(
        parts.bus,
        parts.blobs,
        parts.launcher,
        parts.workers,
        model,
        settings=SplitSettings(settings.split_seconds_min, settings.part_seconds),
        limits=_decode_limits(settings),
        spool_dir=settings.spool_dir,
    )


def _decode_limits(settings: TranscriberSettings) -> DecodeLimits:
    return DecodeLimits(duration_seconds_max=settings.audio_seconds_max, timeout_seconds=settings.decode_seconds_max)
