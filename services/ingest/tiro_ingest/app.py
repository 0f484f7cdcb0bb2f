"""Ingest from its start to its end.

The order at the end: not ready, no new calls; watches and uploads end with SHUTTING_DOWN, so that their callers
continue with another service, and the committed size of uploads is recorded; other calls get their grace period; then
the background loops end and the connections are closed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tiro.transcription.v1 import engine_service_pb2_grpc, transcription_service_pb2_grpc, upload_service_pb2_grpc
from tiro.transcription.v1.engine_service_pb2 import DESCRIPTOR as ENGINE
from tiro.transcription.v1.transcription_service_pb2 import DESCRIPTOR as TRANSCRIPTION
from tiro.transcription.v1.upload_service_pb2 import DESCRIPTOR as UPLOAD
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.blobs.factory import open_blob_store
from tiro_core.messaging import topology
from tiro_core.messaging.connection import open_bus
from tiro_core.messaging.monitoring.monitor import ServerMonitor
from tiro_core.messaging.monitoring.safety import require_safe_server
from tiro_core.messaging.topology import ensure_streams
from tiro_core.routing.usage import open_usage_mirror
from tiro_core.routing.workers import open_worker_directory
from tiro_core.server.auth.factory import open_authenticator
from tiro_core.server.background import keep_running
from tiro_core.server.checks import add_blobs_check, add_store_check, add_streams_check
from tiro_core.server.grpc_server import create_server, serving
from tiro_core.server.lifecycle import unless_stopping
from tiro_core.server.metrics import serve_metrics
from tiro_core.server.preflight import check_core, check_folder, check_server
from tiro_core.server.readiness import Readiness
from tiro_ingest.outgoing.client import new_session
from tiro_ingest.outgoing.connector import open_connector
from tiro_ingest.parts import Resources, build
from tiro_ingest.settings import IngestSettings

SERVICES = (
    UPLOAD.services_by_name["UploadService"].full_name,
    TRANSCRIPTION.services_by_name["TranscriptionService"].full_name,
    ENGINE.services_by_name["EngineService"].full_name,
)

STREAMS = (
    topology.TASKS,
    topology.CALLBACKS,
    topology.FETCHES,
    topology.JOB_EVENTS,
    topology.BLOBS,
    *map(
        topology.bucket_stream,
        (
            topology.JOBS_BUCKET,
            topology.JOB_ARCHIVE_BUCKET,
            topology.JOB_ARCHIVE_MARKS_BUCKET,
            topology.EXPIRY_BUCKET,
            topology.UPLOADS_BUCKET,
            topology.UPLOAD_REFERENCES_BUCKET,
            topology.REQUESTS_BUCKET,
            topology.WORKERS_BUCKET,
            topology.API_KEYS_BUCKET,
            topology.USAGE_BUCKET,
        ),
    ),
)
"""The streams that ingest needs."""


def check(settings: IngestSettings) -> None:
    """Check what ingest can check before it asks NATS.

    Raises:
        CannotStart: A setting, or a file that one names, cannot be used.
    """
    check_core(settings, metrics_address=settings.ingest_metrics_address)
    check_server(settings, settings.ingest_address)
    check_folder("spool_dir", settings.spool_dir)


async def serve(settings: IngestSettings, stopping: asyncio.Event) -> None:
    """Run ingest until `stopping` is set."""
    async with open_ingest(settings, stopping):
        await stopping.wait()


@asynccontextmanager
async def open_ingest(settings: IngestSettings, stopping: asyncio.Event) -> AsyncIterator[int]:
    """Ingest, serving while the context lasts. Yields its port.

    Raises:
        StoppedEarly: `stopping` was set while ingest waited for NATS, or for the blob store.
        CannotStart: NATS may lose acknowledged messages, or the blob store cannot be used.
        ServerSettingsError: The settings contradict each other.
        OSError: An address is in use.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(serve_metrics(settings.ingest_metrics_address))
        readiness = Readiness()
        bus = await unless_stopping(stack.enter_async_context(open_bus(settings, "ingest")), stopping)
        monitor = ServerMonitor(settings.nats_monitor_url)
        await require_safe_server(settings, monitor)
        add_store_check(readiness, monitor, settings)
        await unless_stopping(ensure_streams(bus, settings.nats_replicas), stopping)
        add_streams_check(readiness, bus, STREAMS)
        blobs = await unless_stopping(stack.enter_async_context(open_blob_store(settings, bus)), stopping)
        if settings.blob_store == "s3":
            add_blobs_check(readiness, blobs)
        workers = await stack.enter_async_context(open_worker_directory(bus))
        launcher = await stack.enter_async_context(MediaLauncher(processes_max=settings.probes_max))
        authenticator = await stack.enter_async_context(open_authenticator(settings, bus))
        server, health, port = create_server(settings, settings.ingest_address, authenticator, SERVICES)
        connector = open_connector(settings.outgoing_policy())
        session = new_session(connector, stall_seconds=settings.fetch_stall_seconds)
        await stack.enter_async_context(session)
        usage = await stack.enter_async_context(open_usage_mirror(bus))
        resources = Resources(
            settings=settings,
            bus=bus,
            blobs=blobs,
            monitor=monitor,
            launcher=launcher,
            workers=workers,
            usage=usage,
            session=session,
            stopping=stopping,
        )
        parts = build(resources)
        upload_service_pb2_grpc.add_UploadServiceServicer_to_server(parts.uploads, server)
        transcription_service_pb2_grpc.add_TranscriptionServiceServicer_to_server(parts.transcriptions, server)
        engine_service_pb2_grpc.add_EngineServiceServicer_to_server(parts.engines, server)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        for part in parts.background:
            stack.callback(
                tasks.create_task(keep_running(type(part).__name__, part.run), name=type(part).__name__).cancel
            )
        await unless_stopping(parts.follower.complete(), stopping)
        await stack.enter_async_context(
            serving(
                server,
                health,
                readiness,
                address=settings.ingest_address,
                port=port,
                grace_seconds=settings.grace_seconds,
            )
        )
        yield port
