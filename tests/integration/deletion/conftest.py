"""Fixtures of the deletion tests: ingest services, maintenance, interruptions, and the leftovers of a tenant."""

import asyncio
import io
import secrets
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
import pytest

from tests.support.interleaving import Steps, interrupted_bus
from tiro.events.v1.transcription_pb2 import RequestRecord, TranscriptionRecord, UploadUse
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.blobs.interface import PART_BYTES
from tiro_core.blobs.jetstream import JetStreamBlobStore
from tiro_core.jobs.records import JobRecords
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.operations import subjects_in
from tiro_core.messaging.records import RecordStore
from tiro_core.settings import CoreSettings
from tiro_ingest.jobs.expiry_entries import ExpiryEntries
from tiro_ingest.retention.blob_owners import BlobOwners
from tiro_ingest.retention.blob_sweeper import BlobSweeper, SweepPolicy
from tiro_ingest.retention.expiry import Expiry
from tiro_ingest.retention.orphan_checks import part_check, reference_check, request_check
from tiro_ingest.retention.progress import Progress
from tiro_ingest.retention.record_checks import Check, CheckAges, CheckRunner
from tiro_ingest.retention.remover import Remover
from tiro_ingest.retention.session_checks import session_checks
from tiro_ingest.retention.upload_checks import upload_checks
from tiro_ingest.uploads.intake import UploadIntake
from tiro_ingest.uploads.references import UploadReferences
from tiro_ingest.uploads.spool import SpoolSpace
from tiro_ingest.uploads.store import Uploads
from tiro_ingest.uploads.verification import UploadVerifier

STEPS_MAX = 300
"""More steps than any operation here has."""
EVERY_STEP_SECONDS_MAX = 1800
"""How long a test may take that interrupts an operation at every one of its steps, or at every pair of them."""
EVERY_STEP = (pytest.mark.long, pytest.mark.timeout(EVERY_STEP_SECONDS_MAX))
RECORDING_PARTS = 3
TTL_SECONDS = 3600.0
BYTES_MAX = 64 * 1024 * 1024


class Ingest:
    """The parts of an ingest service that receive and delete, without its calls and loops."""

    def __init__(self, bus: Bus, launcher: MediaLauncher) -> None:
        self.bus = bus
        self.blobs = JetStreamBlobStore(bus)
        self.jobs = JobRecords(bus)
        self.uploads = Uploads(bus, self.blobs, ttl_seconds=TTL_SECONDS, ready_ttl_seconds=TTL_SECONDS)
        self.references = UploadReferences(bus)
        self.remover = Remover(
            bus,
            self.blobs,
            self.jobs,
            entries=ExpiryEntries(bus),
            uploads=self.uploads,
            references=self.references,
        )
        verifier = UploadVerifier(self.uploads, self.blobs, launcher, limits=DecodeLimits(), at_once_max=1)
        space = SpoolSpace(None, BYTES_MAX)
        self.intake = UploadIntake(self.uploads, self.blobs, verifier, space, bytes_max=BYTES_MAX)


class Maintainer:
    """Maintenance without minimum ages."""

    def __init__(self, ingest: Ingest) -> None:
        ages = CheckAges(removal_seconds=0, orphan_seconds=0)
        checks: list[Check] = [
            part_check(ingest.bus, ingest.blobs, ingest.jobs, ages),
            reference_check(ingest.bus, ingest.jobs, ingest.references, ages),
            request_check(ingest.bus, ingest.jobs, ages),
            *upload_checks(ingest.bus, ingest.uploads, ingest.references, ingest.remover, ages),
            *session_checks(ingest.bus, ages),
        ]
        self._jobs = ingest.jobs
        self._checks = CheckRunner(checks, interval_seconds=1, confirm_seconds=0)
        self._expiry = Expiry(ingest.jobs, ingest.remover)
        self._owners = BlobOwners(ingest.bus, ingest.jobs)
        self._blobs = ingest.blobs
        self._progress = Progress()

    async def maintain(self, tenant: str) -> None:
        """Finish interrupted removals, check all records that were written since the last run, and sweep the tenant."""
        async for change in self._jobs.open.all(f"{tenant}.>"):
            self._expiry.on_change(change.key, change.value)
        await self._expiry.sweep()
        await self._checks.round(self._progress)
        await self.sweep(tenant)

    async def sweep(self, tenant: str) -> None:
        """Remove the tenant's blobs without a record."""
        sweeper = BlobSweeper(self._blobs, self._owners, SweepPolicy(orphan_seconds=0, confirm_seconds=0))
        await sweeper.sweep(Progress(), below=tenant)


@dataclass
class Leftovers:
    """Data of a tenant that is left."""

    blobs: list[str]
    records: list[str]
    messages: list[str]
    """Subjects in the streams of events, tasks and dead letters."""

    def __bool__(self) -> bool:
        return bool(self.blobs or self.records or self.messages)


async def leftovers(bus: Bus, tenant: str) -> Leftovers:
    """All data of a tenant. Markers of deleted records do not count."""
    blobs = [one async for one in subjects_in(bus, topology.BLOBS, f"tiro.blob.{tenant}.>")]
    records: list[str] = []
    for bucket, kind in (
        (topology.UPLOADS_BUCKET, UploadRecord),
        (topology.UPLOAD_REFERENCES_BUCKET, UploadUse),
        (topology.REQUESTS_BUCKET, RequestRecord),
        (topology.JOBS_BUCKET, TranscriptionRecord),
        (topology.JOB_ARCHIVE_BUCKET, TranscriptionRecord),
    ):
        store = RecordStore(bus, bucket, kind)
        records += [f"{bucket}: {change.key}" async for change in store.all(f"{tenant}.>")]
    messages: list[str] = []
    for stream, subject in (
        (topology.JOB_EVENTS, f"tiro.event.{tenant}.>"),
        (topology.TASKS, f"tiro.task.*.*.*.{tenant}.>"),
        (topology.FETCHES, f"tiro.fetch.{tenant}.>"),
        (topology.DEAD, f"tiro.dead.{tenant}.>"),
    ):
        messages += [one async for one in subjects_in(bus, stream, subject)]
    return Leftovers(blobs, records, messages)


async def ended(work: Awaitable[object]) -> BaseException | None:
    """Wait until work has ended, and return its exception, if any."""
    try:
        await work
    except asyncio.CancelledError:
        raise
    except BaseException as failure:  # noqa: BLE001 - `Killed` among them, alone or in a group
        return failure
    return None


NewTenant = Callable[[], str]


@pytest.fixture
def new_tenant(tenant: str) -> NewTenant:
    """A function that returns a new tenant at each call."""
    return lambda: f"{tenant}-{secrets.token_hex(3)}"


class Stage:
    """Runs operations of an ingest service that is interrupted, beside another one that is not."""

    def __init__(
        self, settings: CoreSettings, monkeypatch: pytest.MonkeyPatch, launcher: MediaLauncher, bus: Bus
    ) -> None:
        self.settings = settings
        self.launcher = launcher
        self.bus = bus
        self.other = Ingest(bus, launcher)
        self.maintainer = Maintainer(self.other)
        self._monkeypatch = monkeypatch

    @asynccontextmanager
    async def interrupted(self, steps: Steps) -> AsyncIterator[Ingest]:
        """An ingest service whose operation is interrupted."""
        async with interrupted_bus(self.settings, self._monkeypatch, steps) as bus:
            yield Ingest(bus, self.launcher)


@pytest.fixture
async def launcher() -> AsyncIterator[MediaLauncher]:
    """A launcher of decoders."""
    async with MediaLauncher() as launcher:
        yield launcher


@pytest.fixture
def stage(core_settings: CoreSettings, monkeypatch: pytest.MonkeyPatch, launcher: MediaLauncher, bus: Bus) -> Stage:
    """The stage of a test."""
    return Stage(core_settings, monkeypatch, launcher, bus)


@pytest.fixture(scope="session")
def recording() -> bytes:
    """A WAV file of `RECORDING_PARTS` parts."""
    samples = np.random.default_rng(1).integers(-3000, 3000, RECORDING_PARTS * PART_BYTES // 2 - 1000, dtype=np.int16)
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())
    return sink.getvalue()
