"""Fetching the recordings of jobs, as owned work: a fetch is claimed and run, then its job is queued or fails."""

import asyncio
from contextlib import AbstractAsyncContextManager

import grpc

from tiro.events.v1.transcription_pb2 import TranscriptionRecord, TranscriptionTask
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.blobs.interface import BlobStore
from tiro_core.errors import TiroError
from tiro_core.ids import new_id
from tiro_core.jobs import transitions
from tiro_core.jobs.event_log import JobEventLog
from tiro_core.jobs.records import JobRecords
from tiro_core.jobs.removal import purge_job_data
from tiro_core.leases.claims import Claimed, Refusal, Terminal, claim_record
from tiro_core.leases.owned_record import OwnedRecord, OwnershipLost
from tiro_core.leases.renewal import hold_lease
from tiro_core.leases.runner import Retry, Task
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.queues.work_queue import Slot, TaskMessage
from tiro_core.server.caller_errors import for_caller
from tiro_ingest.fetching.download import Download, Downloader
from tiro_ingest.jobs.options import check_audio
from tiro_ingest.retention.remover import Remover
from tiro_ingest.uploads.references import needs_upload

LEASE_SECONDS = 15.0
"""The lease of a fetch: how long its owner may be silent before another service may claim it."""
RENEWAL_SECONDS = 2.0
"""How often the lease is renewed. A fetch whose job is cancelled ends within this time."""
CLAIMS_MAX = 10
"""The most claims of one fetch: each further one follows a service that was lost or stopped."""

log = get_logger()

Owned = OwnedRecord[TranscriptionRecord]


class FetchWork:
    """The fetches of one ingest service."""

    kind = "job"

    def __init__(self, bus: Bus, blobs: BlobStore, downloader: Downloader, remover: Remover) -> None:
        self._bus = bus
        self._blobs = blobs
        self._downloader = downloader
        self._remover = remover
        self._store = JobRecords(bus)
        self._id = f"fetcher-{new_id()}"

    def task_of(self, data: bytes) -> Task:
        """Read a task message."""
        task = TranscriptionTask.FromString(data)
        return Task(task.tenant, task.transcription_id)

    async def claim(self, key: str) -> Claimed[Owned] | Refusal[TranscriptionRecord]:
        """Claim a fetch, or return why not."""
        return await claim_record(
            self._bus, self._store.open, key, self, worker_id=self._id, lease_seconds=LEASE_SECONDS
        )

    def refusal(self, record: TranscriptionRecord) -> Refusal[TranscriptionRecord] | None:
        """Refuse a job that is not FETCHING: it needs no fetch."""
        is_wanted = record.state == Transcription.STATE_FETCHING and not record.removing
        return None if is_wanted else Terminal(record)

    def begin(self, record: TranscriptionRecord) -> bool:
        """Change the job's record for its new owner."""
        transitions.begin_fetching(record)
        return True

    def attempt(self, claim: Owned, slot: Slot) -> "FetchAttempt":  # noqa: ARG002 - a fetch keeps its slot
        """Make an attempt to fetch one recording."""
        return FetchAttempt(self._bus, self._downloader, claim)

    async def finish(self, record: TranscriptionRecord | None) -> None:
        """Do nothing: a job that is not FETCHING needs nothing from here."""

    async def redirect(self, record: TranscriptionRecord) -> None:
        """Do nothing: any ingest service may fetch any recording."""

    async def tidy(self, key: str) -> None:
        """Remove the upload of a job that was deleted meanwhile, or whose recording was.

        The deletion may have come before the upload was created, and so have missed it.
        """
        tenant, _, job = key.partition(".")
        stored = await self._store.get(key)
        if stored is None or stored.value.removing:
            await purge_job_data(self._bus, self._blobs, tenant, job)
        if stored is None or not needs_upload(stored.value):
            await self._remover.remove_unneeded_upload(tenant, job)


class FetchAttempt:
    """One fetch, owned by this service."""

    def __init__(self, bus: Bus, downloader: Downloader, owned: Owned) -> None:
        self._owned = owned
        self._seconds_max = downloader.settings.fetch_seconds_max
        self._log = JobEventLog(bus, owned.value.tenant, owned.value.transcription_id)
        self._download = Download(downloader, owned.value, self._log.append_fetched_size)
        self._upload: UploadRecord | None = None

    def holding(self, message: TaskMessage) -> AbstractAsyncContextManager[None]:
        """Hold the lease, and write the fetched size with each renewal."""

        def note(record: TranscriptionRecord) -> None:
            record.fetched_size = self._download.size

        return hold_lease(self._owned, message, note, interval_seconds=RENEWAL_SECONDS)

    async def run(self) -> None:
        """Fetch and verify the recording.

        Raises:
            TiroError: The recording cannot be fetched; the error says why.
        """
        record = self._owned.value
        await self._log.take_over(record)
        if record.epoch > CLAIMS_MAX:
            message = f"the fetch was given up after {CLAIMS_MAX} services were lost or stopped"
            raise TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_WORKER_CRASHED, message)
        try:
            async with asyncio.timeout(self._seconds_max):
                self._upload = await self._download.run()
        except TimeoutError:
            message = f"not fetched within {self._seconds_max:g} s"
            raise TiroError(grpc.StatusCode.DEADLINE_EXCEEDED, reasons.ERROR_REASON_URI_STALLED, message) from None
        except TiroError as error:
            if error.reason == reasons.ERROR_REASON_UPLOAD_BUSY:
                raise OwnershipLost(record.transcription_id) from error
            raise
        check_audio(record.options, self._upload.audio)

    async def commit(self) -> None:
        """Queue the job for a worker."""
        upload = self._upload
        if upload is None:
            raise AssertionError("a fetch is committed only with its upload")
        record = await self._owned.update(lambda value: transitions.finish_fetching(value, upload))
        await self._log.append_state(record)
        log.info("fetch_ended", size_bytes=record.fetched_size)

    async def fail(self, cause: BaseException) -> Retry | None:
        """Fail the job with the reason why its recording cannot be fetched."""
        error = for_caller(cause)
        record = await self._owned.update(lambda value: transitions.fail_fetching(value, error.to_status()))
        await self._log.append_state(record)
        log.info("fetch_failed", error=error.message)
        return None

    async def hand_over(self) -> None:
        """Let another service continue at once."""
        await self._owned.update(transitions.hand_over_fetching)
