"""Ingest's object graph: the only module that puts its parts together. It opens nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from aiohttp import ClientSession

from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.blobs.interface import BlobStore
from tiro_core.jobs.records import JobRecords
from tiro_core.leases.runner import WorkRunner
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.monitoring.account import AccountMonitor
from tiro_core.messaging.monitoring.monitor import ServerMonitor
from tiro_core.messaging.queues.work_queue import WorkQueueConsumer
from tiro_core.routing.resolver import RecognitionResolver
from tiro_core.routing.router import Router
from tiro_core.routing.rules import load_routing
from tiro_core.routing.usage import UsageMirror
from tiro_core.routing.workers import WorkerDirectory
from tiro_engines.catalogue import load_catalogue
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
from tiro_ingest.jobs.follower import JobFollower
from tiro_ingest.jobs.index import OpenJobs
from tiro_ingest.jobs.retention_policy import RetentionPolicy
from tiro_ingest.jobs.store import Transcriptions
from tiro_ingest.jobs.transcripts import TranscriptReader
from tiro_ingest.jobs.watcher import JobWatcher
from tiro_ingest.resources.idempotency import IdempotencyStore
from tiro_ingest.retention.blob_owners import BlobOwners
from tiro_ingest.retention.blob_sweeper import BlobSweeper, SweepPolicy
from tiro_ingest.retention.expiry import ArchiveExpiry, Expiry
from tiro_ingest.retention.maintenance import Maintenance
from tiro_ingest.retention.orphan_checks import part_check, reference_check, request_check
from tiro_ingest.retention.record_checks import Check, CheckAges, CheckRunner
from tiro_ingest.retention.remover import Remover
from tiro_ingest.retention.session_checks import session_checks
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
"""How long the hand-over of a fetch may take when the service stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The resources that are open while ingest serves."""

    settings: IngestSettings
    bus: Bus
    blobs: BlobStore
    monitor: ServerMonitor
    launcher: MediaLauncher
    workers: WorkerDirectory
    usage: UsageMirror
    session: ClientSession
    stopping: asyncio.Event
    """Set when the service is asked to stop."""


class Runs(Protocol):
    """A part that runs until it is cancelled."""

    async def run(self) -> None:
        """Run until cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The gRPC services and background parts of ingest."""

    uploads: UploadService
    transcriptions: TranscriptionService
    engines: EngineService
    follower: JobFollower
    """The follower of jobs. It is complete once it has read every open job."""
    background: Sequence[Runs]
    """The parts that run until ingest stops, the follower included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Storage:
    """The parts that read, write and remove records and recordings."""

    records: JobRecords
    entries: ExpiryEntries
    uploads: Uploads
    references: UploadReferences
    request_ids: IdempotencyStore
    remover: Remover
    guard: StorageGuard
    intake: UploadIntake


@dataclass(frozen=True, slots=True, kw_only=True)
class _Jobs:
    """The parts that follow the changes of jobs."""

    open: OpenJobs
    transcriptions: Transcriptions
    transcripts: TranscriptReader
    dispatcher: Dispatcher
    follower: JobFollower
    background: Sequence[Runs]


def build(resources: Resources) -> Parts:
    """Put ingest together."""
    settings = resources.settings
    storage = _storage(resources)
    jobs = _jobs(resources, storage)
    catalogue = load_catalogue(settings.catalogue)
    resolver = RecognitionResolver(
        catalogue,
        resources.workers,
        default_engine=settings.default_engine,
        default_model=settings.default_model,
    )
    rules = load_routing(settings.routing, catalogue)
    router = Router(resolver, catalogue, rules, resources.workers, resources.usage)
    return Parts(
        uploads=_upload_service(resources, storage),
        transcriptions=_transcription_service(resources, storage, jobs, resolver, router),
        engines=EngineService(EngineList(catalogue, resources.workers, resolver)),
        follower=jobs.follower,
        background=[*jobs.background, *_queues(resources, storage), _maintenance(resources, storage)],
    )


def _storage(resources: Resources) -> _Storage:
    settings, bus, blobs = resources.settings, resources.bus, resources.blobs
    uploads = Uploads(
        bus,
        blobs,
        ttl_seconds=settings.upload_ttl_seconds,
        ready_ttl_seconds=settings.audio_ttl_seconds,
    )
    records, entries, references = JobRecords(bus), ExpiryEntries(bus), UploadReferences(bus)
    return _Storage(
        records=records,
        entries=entries,
        uploads=uploads,
        references=references,
        request_ids=IdempotencyStore(bus),
        remover=Remover(bus, blobs, records, entries=entries, uploads=uploads, references=references),
        guard=StorageGuard(
            resources.monitor,
            AccountMonitor(bus, settings.nats_replicas),
            settings.storage_reserve_bytes,
            replicas=settings.nats_replicas,
            holds_blobs=settings.blob_store == "jetstream",
        ),
        intake=_intake(settings, uploads, blobs, resources.launcher),
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


def _jobs(resources: Resources, storage: _Storage) -> _Jobs:
    settings, bus = resources.settings, resources.bus
    open_jobs = OpenJobs()
    transcripts = TranscriptReader(resources.blobs)
    dispatcher = Dispatcher(
        bus, resources.workers, waiting_max=settings.jobs_waiting_max, again_seconds=settings.reconcile_seconds
    )
    archiver = JobArchiver(bus, resources.blobs, storage.records, storage.entries)
    reconciler = Reconciler(bus, settings.reconcile_seconds)
    expiry = Expiry(storage.records, storage.remover)
    callbacks = CallbackEnqueuer(bus)
    fetches = FetchEnqueuer(bus, settings.reconcile_seconds)
    shadows = ShadowRunner(bus, storage.references, storage.remover, Originals(bus, transcripts))
    follower = JobFollower(bus, [open_jobs, archiver, dispatcher, reconciler, expiry, callbacks, fetches, shadows])
    archive_expiry = ArchiveExpiry(storage.records, storage.remover, storage.entries)
    return _Jobs(
        open=open_jobs,
        transcriptions=Transcriptions(storage.records, open_jobs),
        transcripts=transcripts,
        dispatcher=dispatcher,
        follower=follower,
        background=[follower, dispatcher, reconciler, expiry, archive_expiry, archiver, callbacks, fetches, shadows],
    )


def _upload_service(resources: Resources, storage: _Storage) -> UploadService:
    settings = resources.settings
    receiver = UploadReceiver(
        storage.uploads,
        storage.intake,
        storage.guard,
        resources.stopping,
        idle_seconds=settings.upload_idle_seconds,
    )
    return UploadService(
        storage.uploads,
        receiver,
        storage.remover,
        request_ids=storage.request_ids,
        guard=storage.guard,
        bytes_max=settings.upload_bytes_max,
    )


def _transcription_service(
    resources: Resources, storage: _Storage, jobs: _Jobs, resolver: RecognitionResolver, router: Router
) -> TranscriptionService:
    settings, bus = resources.settings, resources.bus
    acceptor = JobAcceptor(
        bus,
        jobs.transcriptions,
        follower=jobs.follower,
        dispatcher=jobs.dispatcher,
        uploads=storage.uploads,
        references=storage.references,
        inline_audio=InlineAudioStore(storage.uploads, storage.intake),
        resolver=resolver,
        router=router,
        request_ids=storage.request_ids,
        retention=RetentionPolicy(
            settings.transcription_ttl_seconds, settings.audio_ttl_seconds, settings.ttl_seconds_max
        ),
        guard=storage.guard,
        calls_back=bool(settings.callback_secret_list()),
    )
    return TranscriptionService(
        jobs.transcriptions,
        acceptor,
        JobCanceller(bus, resources.blobs),
        storage.remover,
        watcher=JobWatcher(bus, jobs.transcriptions, resources.stopping, check_seconds=settings.watch_check_seconds),
        transcripts=jobs.transcripts,
        workers=resources.workers,
        send_seconds_max=settings.watch_send_seconds_max,
    )


def _queues(resources: Resources, storage: _Storage) -> Sequence[Runs]:
    """The consumers of work queues: fetches, and callbacks if the deployment has secrets for them."""
    settings, bus, session = resources.settings, resources.bus, resources.session
    downloader = Downloader(settings, session, uploads=storage.uploads, intake=storage.intake)
    fetches = _fetches(bus, FetchWork(bus, resources.blobs, downloader, storage.remover), settings.fetches_max)
    return [fetches, _callbacks(settings, bus, session)] if settings.callback_secret_list() else [fetches]


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


def _maintenance(resources: Resources, storage: _Storage) -> Maintenance:
    bus, blobs, records, ages = resources.bus, resources.blobs, storage.records, CheckAges()
    # The record of a request is removed before the upload that it names, so that a repeated request creates a new one.
    checks: list[Check] = [
        part_check(bus, blobs, records, ages),
        reference_check(bus, records, storage.references, ages),
        request_check(bus, records, ages),
        *upload_checks(bus, storage.uploads, storage.references, storage.remover, ages),
        *session_checks(bus, ages),
    ]
    runner = CheckRunner(checks, interval_seconds=resources.settings.maintenance_interval_seconds)
    return Maintenance(bus, runner, BlobSweeper(blobs, BlobOwners(bus, records), SweepPolicy()))
