"""The transcriber's object graph: the only module that puts its parts together.

The order at the end: the worker takes no new work and deletes its registration; it hands its jobs and sessions over at
once, for other workers to continue; it waits for decodings that still run; then the connections are closed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from tiro_core.audio.launcher import MediaLauncher
from tiro_core.blobs.factory import open_blob_store
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import topology
from tiro_core.messaging.connection import open_bus
from tiro_core.messaging.monitoring.monitor import ServerMonitor
from tiro_core.messaging.monitoring.safety import require_safe_server
from tiro_core.messaging.publishing import PATIENCE_SECONDS
from tiro_core.routing.workers import open_worker_directory
from tiro_core.server.checks import add_blobs_check, add_store_check, add_streams_check
from tiro_core.server.grpc_server import Health, create_health_server
from tiro_core.server.lifecycle import unless_stopping
from tiro_core.server.metrics import serve_metrics, split_address
from tiro_core.server.preflight import check_core, check_folder
from tiro_core.server.readiness import Readiness
from tiro_core.startup import CannotStart
from tiro_engines.errors import SettingsError
from tiro_engines.interface import ModelTooLarge
from tiro_transcriber.engine.choice import choose_engine
from tiro_transcriber.engine.host import open_engine_host
from tiro_transcriber.engine.loading import load_engine
from tiro_transcriber.engine.opening import open_engines
from tiro_transcriber.engine.usage_meter import open_usage_meter
from tiro_transcriber.pipeline.pipeline import Pipelines
from tiro_transcriber.pipeline.stage_threads import open_stage_threads
from tiro_transcriber.pipeline.stage_types import STAGE_TYPES
from tiro_transcriber.sessions.load import export_gauges
from tiro_transcriber.settings import TranscriberSettings
from tiro_transcriber.worker import Worker, WorkerParts, open_worker

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
    choice = choose_engine(settings)
    with _as_refusal():
        choice.kind.jobs_at_once(settings.device)


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
        choice = choose_engine(settings)
        with _as_refusal():
            job_slots = choice.kind.jobs_at_once(settings.device) if settings.job_slots is None else settings.job_slots
            session_threads = settings.session_threads or choice.kind.sessions_at_once(settings.device)
            engine_settings = settings.for_engine(job_slots, session_threads)
            loading = load_engine(choice.kind, choice.engine, choice.model, engine_settings)
            loaded = await unless_stopping(loading, stopping)
        # Opened before the hosts, so that it is closed after the last call of an engine and counts all of them.
        usage = await stack.enter_async_context(open_usage_meter(bus, choice.engine, settings.grace_seconds))
        engines = await stack.enter_async_context(
            open_engines(loaded, choice, engine_settings, idle_seconds=settings.model_idle_seconds, job_slots=job_slots)
        )
        hosts = [
            await stack.enter_async_context(
                open_engine_host(engine, job_slots=job_slots, session_threads=session_threads)
            )
            for engine in engines
        ]
        parts = WorkerParts(
            settings=settings,
            bus=bus,
            blobs=blobs,
            launcher=await stack.enter_async_context(MediaLauncher()),
            workers=await stack.enter_async_context(open_worker_directory(bus)),
            pipelines=Pipelines(await stack.enter_async_context(open_stage_threads()), STAGE_TYPES),
            usage=usage,
            job_slots=job_slots,
        )
        workers = [await stack.enter_async_context(open_worker(parts, host)) for host in hosts]
        export_gauges([worker.load for worker in workers])
        await _run(workers, health, readiness, stopping)


async def _run(workers: Sequence[Worker], health: Health, readiness: Readiness, stopping: asyncio.Event) -> None:
    """Run the workers until `stopping` is set, and be ready meanwhile."""
    async with asyncio.TaskGroup() as tasks:
        answering = tasks.create_task(_answer(workers, health, readiness), name="health")
        for worker in workers:
            tasks.create_task(worker.run(stopping), name="worker")
        await stopping.wait()
        answering.cancel()
        await health.set(serving=False)


async def _answer(workers: Sequence[Worker], health: Health, readiness: Readiness) -> None:
    """Be ready once the records of all workers are written: before that, other services refuse requests."""
    for worker in workers:
        await worker.known.wait()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(health.follow(readiness), name="readiness")
        await readiness.answered.wait()
        log.info(
            "ready",
            engine=workers[0].model.engine,
            model=workers[0].model.model,
            on_demand=[worker.model.model for worker in workers[1:]],
        )


@contextmanager
def _as_refusal() -> Iterator[None]:
    """Raise an engine's fault in the settings as `CannotStart`."""
    try:
        yield
    except (SettingsError, ModelTooLarge) as error:
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
