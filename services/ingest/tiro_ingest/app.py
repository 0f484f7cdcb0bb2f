"""Ingest's object graph: the only place where its parts are put together.

The order at the end: not ready, no new calls; watches and uploads end with SHUTTING_DOWN, for their callers to continue
elsewhere, and what was written is recorded; other calls get their grace period; then the background loops end and the
connections are closed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from aiohttp import ClientSession

from tiro.transcription.v1 import engine_service_pb2_grpc, transcription_service_pb2_grpc, upload_service_pb2_grpc
from tiro.transcription.v1.engine_service_pb2 import DESCRIPTOR as ENGINE
from tiro.transcription.v1.transcription_service_pb2 import DESCRIPTOR as TRANSCRIPTION
from tiro.transcription.v1.upload_service_pb2 import DESCRIPTOR as UPLOAD
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.blobs.factory import open_blob_store
from tiro_core.blobs.interface import BlobStore
from tiro_core.jobs.records import JobRecords
from tiro_core.leases.runner import WorkRunner
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.monitoring.account import AccountMonitor
from tiro_core.messaging.monitoring.monitor import ServerMonitor
from tiro_core.messaging.monitoring.safety import require_safe_server
from tiro_core.messaging.queues.work_queue import WorkQueueConsumer
from tiro_core.messaging.topology import ensure_streams
from tiro_core.routing.resolver import RecognitionResolver
from tiro_core.routing.router import Router
from tiro_core.routing.rules import load_routing
from tiro_core.routing.usage import UsageMirror, open_usage_mirror
from tiro_core.routing.workers import WorkerDirectory, open_worker_directory
from tiro_core.server.auth.factory import open_authenticator
from tiro_core.server.background import keep_running
from tiro_core.server.checks import add_blobs_check, add_store_check, add_streams_check
from tiro_core.server.grpc_server import create_server, serving
from tiro_core.server.lifecycle import unless_stopping
from tiro_core.server.metrics import serve_metrics
from tiro_core.server.readiness import Readiness
from tiro_engines.catalogue import Catalogue, load_catalogue
from tiro_ingest.api.engine_list import EngineList
from tiro_ingest.api.engine_service import EngineService
from tiro_ingest.api.transcription_service import TranscriptionService
from tiro_ingest.api.upload_service import UploadService
from tiro_ingest.callbacks.delivery import CallbackClient
from tiro_ingest.callbacks.enqueuer import CallbackEnqueuer
from tiro_ingest.callbacks.sender import CallbackWork
from tiro_ingest.dispatch.dispatcher import Dispatcher
from tiro_ingest.dispatch.reconciler import Reconciler
from tiro_ingest.fetching.download import Downloader
from tiro_ingest.fetching.enqueuer import FetchEnqueuer
from tiro_ingest.fetching.fetcher import FetchWork
from tiro_ingest.jobs.acceptance import JobAcceptor
from tiro_ingest.jobs.archiver import JobArchiver
from tiro_ingest.jobs.cancellation import JobCanceller
from tiro_ingest.jobs.expiry_entries import ExpiryEntries
from tiro_ingest.jobs.follower import JobFollower, JobObserver
from tiro_ingest.jobs.index import OpenJobs
from tiro_ingest.jobs.retention_policy import RetentionPolicy
from tiro_ingest.jobs.store import Transcriptions
from tiro_ingest.jobs.transcripts import TranscriptReader
from tiro_ingest.jobs.watcher import JobWatcher
from tiro_ingest.outgoing.client import new_session
from tiro_ingest.outgoing.connector import open_connector
from tiro_ingest.resources.idempotency import IdempotencyStore
from tiro_ingest.retention.blob_owners import BlobOwners
from tiro_ingest.retention.blob_sweeper import BlobSweeper, SweepPolicy
from tiro_ingest.retention.expiry import ArchiveExpiry, Expiry
from tiro_ingest.retention.maintenance import Maintenance
from tiro_ingest.retention.orphan_checks import part_check, reference_check, request_check
from tiro_ingest.retention.record_checks import Check, CheckAges, CheckRunner
from tiro_ingest.retention.remover import Remover
from tiro_ingest.retention.upload_checks import upload_checks
from tiro_ingest.settings import IngestSettings
from tiro_ingest.shadows.originals import Originals
from tiro_ingest.shadows.runner import ShadowRunner
from tiro_ingest.uploads.inline import InlineAudioStore
from tiro_ingest.uploads.intake import UploadIntake
from tiro_ingest.uploads.receiver import UploadReceiver
from tiro_ingest.uploads.references import UploadReferences
from tiro_ingest.uploads.spool import SpoolSpace
from tiro_ingest.uploads.storage_guard import StorageGuard
from tiro_ingest.uploads.store import Uploads
from tiro_ingest.uploads.verification import UploadVerifier

HAND_OVER_SECONDS_MAX = 2.0
"""How long a fetch may take to be handed over when the service stops."""

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
"""What ingest cannot do without."""


async def serve(settings: IngestSettings, stopping: asyncio.Event) -> None:
    """Run ingest until `stopping` is set."""
    async with open_ingest(settings, stopping):
        await stopping.wait()


@asynccontextmanager
async def open_ingest(settings: IngestSettings, stopping: asyncio.Event) -> AsyncIterator[int]:
    """Ingest as it serves, and the port it serves on.

    Raises:
        StoppedEarly: `stopping` was set while it waited for NATS, or for the store of blobs.
        CannotStart: NATS may lose what it acknowledges, or the store of blobs cannot be used.
        ServerSettingsError: The settings contradict each other.
        OSError: An address is taken.
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
        parts = _Parts(
            settings,
            bus,
            blobs,
            monitor,
            launcher=launcher,
            workers=workers,
            usage=usage,
            session=session,
            stopping=stopping,
        )
        upload_service_pb2_grpc.add_UploadServiceServicer_to_server(parts.upload_service, server)
        transcription_service_pb2_grpc.add_TranscriptionServiceServicer_to_server(parts.transcription_service, server)
        engine_service_pb2_grpc.add_EngineServiceServicer_to_server(parts.engine_service, server)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        for part in parts.running:
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


class Runs(Protocol):
    """A part that runs until it is cancelled."""

    async def run(self) -> None:
        """Run."""


class _Parts:
    """What is made of the settings and the open resources. It opens nothing itself."""

    def __init__(
        self,
        settings: IngestSettings,
        bus: Bus,
        blobs: BlobStore,
        monitor: ServerMonitor,
        *,
        launcher: MediaLauncher,
        workers: WorkerDirectory,
        usage: UsageMirror,
        session: ClientSession,
        stopping: asyncio.Event,
    ) -> None:
        uploads = Uploads(
            bus,
            blobs,
            ttl_seconds=settings.upload_ttl_seconds,
            ready_ttl_seconds=settings.audio_ttl_seconds,
        )
        references = UploadReferences(bus)
        records, entries = JobRecords(bus), ExpiryEntries(bus)
        remover = Remover(bus, blobs, records, entries=entries, uploads=uploads, references=references)
        guard = StorageGuard(
            monitor,
            AccountMonitor(bus, settings.nats_replicas),
            settings.storage_reserve_bytes,
            replicas=settings.nats_replicas,
            holds_blobs=settings.blob_store == "jetstream",
        )
        request_ids = IdempotencyStore(bus)
        intake = _intake(settings, uploads, blobs, launcher)
        open_jobs = OpenJobs()
        jobs = Transcriptions(records, open_jobs)
        self.dispatcher = Dispatcher(
            bus, workers, waiting_max=settings.jobs_waiting_max, again_seconds=settings.reconcile_seconds
        )
        self.reconciler = Reconciler(bus, settings.reconcile_seconds)
        self.expiry = Expiry(records, remover)
        archiver = JobArchiver(bus, blobs, records, entries)
        self.callback_offers = CallbackEnqueuer(bus)
        transcripts = TranscriptReader(blobs)
        shadows = ShadowRunner(bus, references, remover, Originals(bus, transcripts))
        fetch_offers = FetchEnqueuer(bus, settings.reconcile_seconds)
        listeners: list[JobObserver] = [
            open_jobs,
            archiver,
            self.dispatcher,
            self.reconciler,
            self.expiry,
            self.callback_offers,
            fetch_offers,
            shadows,
        ]
        self.follower = JobFollower(bus, listeners)
        catalogue = load_catalogue(settings.catalogue)
        resolver = _resolver(settings, catalogue, workers)
        self.engine_service = EngineService(EngineList(catalogue, workers, resolver))
        acceptor = JobAcceptor(
            bus,
            jobs,
            follower=self.follower,
            dispatcher=self.dispatcher,
            uploads=uploads,
            references=references,
            inline_audio=InlineAudioStore(uploads, intake),
            resolver=resolver,
            router=Router(resolver, catalogue, load_routing(settings.routing, catalogue), workers, usage),
            request_ids=request_ids,
            retention=RetentionPolicy(
                settings.transcription_ttl_seconds, settings.audio_ttl_seconds, settings.ttl_seconds_max
            ),
            guard=guard,
            calls_back=bool(settings.callback_secret_list()),
        )
        receiver = UploadReceiver(
            uploads,
            intake,
            guard,
            stopping,
            idle_seconds=settings.upload_idle_seconds,
        )
        self.upload_service = UploadService(
            uploads,
            receiver,
            remover,
            request_ids=request_ids,
            guard=guard,
            bytes_max=settings.upload_bytes_max,
        )
        self.transcription_service = TranscriptionService(
            jobs,
            acceptor,
            JobCanceller(bus, blobs),
            remover,
            watcher=JobWatcher(bus, jobs, stopping, check_seconds=settings.watch_check_seconds),
            transcripts=transcripts,
            workers=workers,
            send_seconds_max=settings.watch_send_seconds_max,
        )
        maintenance = _maintenance(
            settings, bus, blobs, records, uploads=uploads, references=references, remover=remover
        )
        self.running: list[Runs] = [
            self.follower,
            self.dispatcher,
            self.reconciler,
            self.expiry,
            ArchiveExpiry(records, remover, entries),
            archiver,
            maintenance,
            self.callback_offers,
            fetch_offers,
            shadows,
            _fetches(
                bus,
                FetchWork(bus, blobs, Downloader(settings, session, uploads=uploads, intake=intake), remover),
                settings.fetches_max,
            ),
        ]
        if settings.callback_secret_list():
            self.running.append(_callbacks(settings, bus, session))


def _callbacks(settings: IngestSettings, bus: Bus, session: ClientSession) -> WorkQueueConsumer:
    client = CallbackClient(session, settings.callback_secret_list())
    work = CallbackWork(bus, client, seconds_max=settings.callback_seconds_max)
    return WorkQueueConsumer(
        bus,
        stream=topology.CALLBACKS,
        ensure_consumer=lambda: topology.ensure_callback_consumer(bus),
        slots=settings.callbacks_max,
        handle=WorkRunner(work, grace_seconds=HAND_OVER_SECONDS_MAX).handle,
        changed=lambda: None,
    )


def _fetches(bus: Bus, work: FetchWork, at_once_max: int) -> WorkQueueConsumer:
    return WorkQueueConsumer(
        bus,
        stream=topology.FETCHES,
        ensure_consumer=lambda: topology.ensure_fetch_consumer(bus),
        slots=at_once_max,
        handle=WorkRunner(work, grace_seconds=HAND_OVER_SECONDS_MAX).handle,
        changed=lambda: None,
    )


def _intake(settings: IngestSettings, uploads: Uploads, blobs: BlobStore, launcher: MediaLauncher) -> UploadIntake:
    verifier = UploadVerifier(
        uploads,
        blobs,
        launcher,
        limits=DecodeLimits(
            duration_seconds_max=settings.audio_seconds_max, timeout_seconds=settings.probe_seconds_max
        ),
        at_once_max=settings.probes_max,
    )
    space = SpoolSpace(settings.spool_dir, settings.spool_bytes_max)
    return UploadIntake(uploads, blobs, verifier, space, bytes_max=settings.upload_bytes_max)


def _maintenance(
    settings: IngestSettings,
    bus: Bus,
    blobs: BlobStore,
    records: JobRecords,
    *,
    uploads: Uploads,
    references: UploadReferences,
    remover: Remover,
) -> Maintenance:
    ages = CheckAges()
    # The record of a request goes before the upload that it leads to: a repeated request then begins anew.
    checks: list[Check] = [
        part_check(bus, blobs, records, ages),
        reference_check(bus, records, references, ages),
        request_check(bus, records, ages),
        *upload_checks(bus, uploads, references, remover, ages),
    ]
    runner = CheckRunner(checks, interval_seconds=settings.janitor_interval_seconds)
    return Maintenance(bus, runner, BlobSweeper(blobs, BlobOwners(bus, records), SweepPolicy()))


def _resolver(settings: IngestSettings, catalogue: Catalogue, workers: WorkerDirectory) -> RecognitionResolver:
    return RecognitionResolver(
        catalogue,
        workers,
        default_engine=settings.default_engine,
        default_model=settings.default_model,
    )
