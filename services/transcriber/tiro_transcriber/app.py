"""The transcriber's object graph: the only module that puts its parts together.

The order at the end: the worker takes no new work and deletes its registration; it hands its jobs and sessions over at
once, for other workers to continue; it waits for decodings that still run; then the connections are closed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.blobs.factory import open_blob_store
from tiro_core.blobs.interface import BlobStore
from tiro_core.clock import duration
from tiro_core.ids import new_id
from tiro_core.leases.notifications import open_owner_notifications
from tiro_core.leases.runner import WorkRunner
from tiro_core.leases.shielding import with_deadline
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.monitoring.monitor import ServerMonitor
from tiro_core.messaging.monitoring.safety import require_safe_server
from tiro_core.messaging.publishing import PATIENCE_SECONDS
from tiro_core.messaging.queues.work_queue import Handle, WorkQueueConsumer
from tiro_core.routing.workers import WorkerDirectory, open_worker_directory
from tiro_core.server.checks import add_blobs_check, add_store_check, add_streams_check
from tiro_core.server.grpc_server import Health, create_health_server
from tiro_core.server.lifecycle import unless_stopping
from tiro_core.server.metrics import serve_metrics, split_address
from tiro_core.server.preflight import check_core, check_folder, read_catalogue
from tiro_core.server.readiness import Readiness
from tiro_core.startup import CannotStart
from tiro_engines.errors import SettingsError
from tiro_engines.interface import Capability, EngineType, ModelInfo
from tiro_engines.registry import find_engine
from tiro_transcriber.engine.host import EngineHost, open_engine_host
from tiro_transcriber.engine.loading import load_engine
from tiro_transcriber.engine.suitability import JOB_PATIENCE_SECONDS, SESSION_PATIENCE_SECONDS, Suitability
from tiro_transcriber.engine.usage_meter import UsageMeter, open_usage_meter
from tiro_transcriber.jobs.claims import JobClaims
from tiro_transcriber.jobs.recognizer import Recognizer
from tiro_transcriber.jobs.splitter import JobSplitter, SplitSettings
from tiro_transcriber.jobs.worker import JobWork
from tiro_transcriber.pipeline.pipeline import Pipelines
from tiro_transcriber.pipeline.stage_threads import open_stage_threads
from tiro_transcriber.pipeline.stage_types import STAGE_TYPES
from tiro_transcriber.registration import Registration, describe
from tiro_transcriber.sessions.engine_run import EngineRun
from tiro_transcriber.sessions.load import SessionLoad, export_gauges, reserve
from tiro_transcriber.sessions.mover import SessionMover
from tiro_transcriber.sessions.worker import SessionWork
from tiro_transcriber.settings import TranscriberSettings

STREAMS = (
    topology.TASKS,
    topology.SESSIONS,
    topology.JOB_EVENTS,
    topology.LIVE_AUDIO,
    topology.LIVE_EVENTS,
    topology.BLOBS,
    *map(
        topology.bucket_stream,
        (
            topology.JOBS_BUCKET,
            topology.UPLOADS_BUCKET,
            topology.LIVE_SESSIONS_BUCKET,
            topology.WORKERS_BUCKET,
            topology.USAGE_BUCKET,
        ),
    ),
)
"""The streams that a worker needs."""

log = get_logger()


def check(settings: TranscriberSettings) -> None:
    """Check what a transcriber can check before it asks NATS.

    Raises:
        CannotStart: A setting, or a file that one names, cannot be used.
    """
    check_core(settings, metrics_address=settings.transcriber_metrics_address)
    split_address(settings.transcriber_health_address)
    check_folder("spool_dir", settings.spool_dir)
    kind, _, _ = _engine_of(settings)
    with _as_refusal():
        kind.jobs_at_once(settings.device)


async def serve(settings: TranscriberSettings, stopping: asyncio.Event) -> None:
    """Run the transcriber until `stopping` is set."""
    async with AsyncExitStack() as stack:
        stack.enter_context(serve_metrics(settings.transcriber_metrics_address))
        health = await stack.enter_async_context(_health(settings))
        bus = await unless_stopping(
            stack.enter_async_context(open_bus(settings, "transcriber", read_patience_seconds=PATIENCE_SECONDS)),
            stopping,
        )
        readiness = Readiness()
        monitor = ServerMonitor(settings.nats_monitor_url)
        await require_safe_server(settings, monitor)
        add_store_check(readiness, monitor, settings)
        await unless_stopping(topology.ensure_streams(bus, settings.nats_replicas), stopping)
        add_streams_check(readiness, bus, STREAMS)
        blobs = await unless_stopping(stack.enter_async_context(open_blob_store(settings, bus)), stopping)
        if settings.blob_store == "s3":
            add_blobs_check(readiness, blobs)
        kind, engine, model = _engine_of(settings)
        job_slots = kind.jobs_at_once(settings.device) if settings.job_slots is None else settings.job_slots
        session_threads = settings.session_threads or kind.sessions_at_once(settings.device)
        engine_settings = settings.for_engine(job_slots, session_threads)
        with _as_refusal():
            loaded = await unless_stopping(load_engine(kind, engine, model, engine_settings), stopping)
        # Opened before the host, so that it is closed after the last call of the engine and counts all of them.
        usage = await stack.enter_async_context(open_usage_meter(bus, engine, settings.grace_seconds))
        host = await stack.enter_async_context(
            open_engine_host(loaded, job_slots=job_slots, session_threads=session_threads)
        )
        launcher = await stack.enter_async_context(MediaLauncher())
        notifications = await stack.enter_async_context(open_owner_notifications(bus, new_id()))
        workers = await stack.enter_async_context(open_worker_directory(bus))
        pipelines = Pipelines(await stack.enter_async_context(open_stage_threads()), STAGE_TYPES)
        record = describe(
            notifications.worker_id, host.engine, job_slots=job_slots, session_slots=settings.session_slots
        )
        suitability = Suitability(
            record, workers, feature=Capability.CAPABILITY_BATCH, patience_seconds=JOB_PATIENCE_SECONDS
        )
        jobs = JobWork(
            bus,
            blobs,
            _recognizer(settings, blobs, host, launcher, usage),
            pipelines=pipelines,
            claims=JobClaims(bus, notifications.worker_id, suitability, settings.attempts_max),
            splitter=_splitter(settings, bus, blobs, launcher, workers=workers, model=host.engine.model),
            notifications=notifications,
        )
        worker = Worker(
            settings, bus, blobs, host, jobs=jobs, pipelines=pipelines, workers=workers, usage=usage, record=record
        )
        await worker.run(health, readiness, stopping)


def _engine_of(settings: TranscriberSettings) -> tuple[EngineType, str, str]:
    """The engine to run, its name, and the model to load.

    Raises:
        CannotStart: There is no such engine, or it has no such model.
    """
    catalogue = read_catalogue(settings.catalogue)
    try:
        name = settings.engine or catalogue.default_engine
        kind = find_engine(name)
        # An engine of another package need not be in the catalogue: then the engine itself knows its models.
        known = catalogue.engines.get(name)
        return kind, name, known.model(settings.model).name if known else settings.model
    except LookupError as error:
        raise CannotStart(str(error)) from error


@contextmanager
def _as_refusal() -> Iterator[None]:
    """Raise an engine's fault in the settings as `CannotStart`."""
    try:
        yield
    except SettingsError as error:
        raise CannotStart(str(error)) from error


@asynccontextmanager
async def _health(settings: TranscriberSettings) -> AsyncIterator[Health]:
    """Answer health checks from the start of the process: NOT_SERVING until the engine is loaded."""
    server, health, port = create_health_server(settings.transcriber_health_address)
    await health.set(serving=False)
    await server.start()
    log.info("health_listening", port=port)
    try:
        yield health
    finally:
        await server.stop(0)


class Worker:
    """A worker with a loaded engine: the consumers of its work queues, and its registration."""

    def __init__(
        self,
        settings: TranscriberSettings,
        bus: Bus,
        blobs: BlobStore,
        host: EngineHost,
        *,
        jobs: JobWork,
        pipelines: Pipelines,
        workers: WorkerDirectory,
        usage: UsageMeter,
        record: WorkerRecord,
    ) -> None:
        self._bus = bus
        self._grace_seconds = settings.grace_seconds
        self._model = host.engine.model
        self._jobs: WorkQueueConsumer | None = None
        self._sessions: WorkQueueConsumer | None = None
        self._registration = Registration(bus, record, self._describe_load)
        self._load = SessionLoad(
            host.session_threads.count,
            record.session_slots,
            self._registration.load_changed,
            only_waits=host.engine.capabilities.cloud,
        )
        export_gauges(self._load)
        if record.job_slots:
            self._jobs = self._consumer(
                topology.TASKS,
                topology.ensure_task_consumer,
                record.job_slots,
                WorkRunner(jobs, grace_seconds=settings.grace_seconds).handle,
            )
        if record.session_slots:
            mover = SessionMover(bus, workers)
            engine_run = EngineRun(
                bus,
                host,
                self._load,
                pipelines=pipelines,
                mover=mover,
                usage=usage,
                silence_seconds_max=settings.streamer_silence_seconds_max,
            )
            suitability = Suitability(
                record, workers, feature=Capability.CAPABILITY_LIVE, patience_seconds=SESSION_PATIENCE_SECONDS
            )
            work = SessionWork(
                bus, blobs, record, self._load, suitability=suitability, engine_run=engine_run, mover=mover
            )
            sessions = WorkRunner(work, grace_seconds=settings.grace_seconds)
            self._sessions = self._consumer(
                topology.SESSIONS,
                topology.ensure_session_consumer,
                record.session_slots + reserve(record.session_slots),
                sessions.handle,
            )

    async def run(self, health: Health, readiness: Readiness, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set, then hand over the jobs and sessions under way."""
        async with asyncio.TaskGroup() as tasks:
            registering = tasks.create_task(self._registration.keep(), name="registration")
            feeds = [tasks.create_task(feed.run(), name="feed") for feed in (self._jobs, self._sessions) if feed]
            answering = tasks.create_task(self._answer(health, readiness), name="health")
            await stopping.wait()
            answering.cancel()
            registering.cancel()
            await health.set(serving=False)
            for feed in feeds:
                feed.cancel()
        await with_deadline(self._grace_seconds, self._registration.end())

    async def _answer(self, health: Health, readiness: Readiness) -> None:
        """Be ready once the worker's record is written: before that, other services refuse requests for its model."""
        await self._registration.known.wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(health.follow(readiness), name="readiness")
            await readiness.answered.wait()
            log.info("ready", engine=self._model.engine, model=self._model.model)

    def _describe_load(self, record: WorkerRecord) -> None:
        record.jobs = self._jobs.active if self._jobs else 0
        if record.session_slots:
            record.sessions = self._load.sessions
            record.session_capacity = self._load.capacity
            record.session_lag.CopyFrom(duration(self._load.lag_seconds))
            record.sessions_refused = not self._load.has_capacity

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
            ensure_consumer=lambda: ensure_consumer(self._bus, self._model.engine, self._model.model),
            slots=slots,
            handle=handle,
            changed=self._registration.load_changed,
        )


def _recognizer(
    settings: TranscriberSettings, blobs: BlobStore, host: EngineHost, launcher: MediaLauncher, usage: UsageMeter
) -> Recognizer:
    return Recognizer(
        host,
        blobs,
        launcher,
        usage,
        limits=_decode_limits(settings),
        window_seconds=settings.window_seconds,
        spool_dir=settings.spool_dir,
    )


def _splitter(
    settings: TranscriberSettings,
    bus: Bus,
    blobs: BlobStore,
    launcher: MediaLauncher,
    *,
    workers: WorkerDirectory,
    model: ModelInfo,
) -> JobSplitter:
    return JobSplitter(
        bus,
        blobs,
        launcher,
        workers,
        model,
        settings=SplitSettings(settings.split_seconds_min, settings.part_seconds),
        limits=_decode_limits(settings),
        spool_dir=settings.spool_dir,
    )


def _decode_limits(settings: TranscriberSettings) -> DecodeLimits:
    return DecodeLimits(duration_seconds_max=settings.audio_seconds_max, timeout_seconds=settings.decode_seconds_max)
