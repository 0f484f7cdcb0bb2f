"""Fetching the recording of one job: claimed, stored as an upload, probed, and the job queued."""

import asyncio
import time
from datetime import timedelta

import grpc
import structlog
from aiohttp import ClientError, ClientSession
from nats.aio.msg import Msg

from tiro.events.v1.transcription_pb2 import TranscriptionRecord, TranscriptionTask
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.blobs.errors import storage_unavailable
from tiro_core.blobs.interface import BlobStore, StorageUnavailable
from tiro_core.errors import TiroError, from_status
from tiro_core.ids import new_id
from tiro_core.jobs.event_log import JobEventLog
from tiro_core.jobs.states import enter
from tiro_core.leases.claims import Claimed, Deferred, Terminal
from tiro_core.leases.owned_record import OwnedRecord, OwnershipLost, claimable_in, new_lease
from tiro_core.leases.renewal import hold_lease
from tiro_core.logs import get_logger
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.event_log import Fenced
from tiro_core.messaging.publishing import Conflict
from tiro_core.messaging.records import RecordStore
from tiro_core.messaging.work_queue import Slot
from tiro_engines.backoff import backoff
from tiro_ingest.fetching.sources import HttpSource, OpenedSource, S3Source, Source, TransientFetchError
from tiro_ingest.jobs.options import check_audio
from tiro_ingest.settings import IngestSettings
from tiro_ingest.uploads.store import Uploads
from tiro_ingest.uploads.verification import UploadVerifier
from tiro_ingest.uploads.writer import UploadWriter, too_large

LEASE_SECONDS = 15.0
"""How long a fetcher may be silent before its fetch is another's."""
RENEW_SECONDS = 2.0
"""How often it renews; a cancelled fetch ends as soon."""
PROGRESS_SECONDS = 0.5
"""Between two events that tell how much is fetched."""
CLAIMS_MAX = 10
"""How often a fetch may be begun by a service that was then lost or stopped."""
RATE_BYTES_MIN = 1024
"""Bytes a second that a host must send at least, over `fetch_stall_seconds`."""
BACKOFF_SECONDS = 1.0
"""Before the second try; doubled before each further one, half of it at random."""
BACKOFF_SECONDS_MAX = 60.0
STORAGE_REASONS = (reasons.ERROR_REASON_STORAGE_FULL, reasons.ERROR_REASON_STORAGE_UNAVAILABLE)
"""Not the host's fault, and it passes."""
HAND_OVER_SECONDS_MAX = 2.0

log = get_logger()


class Fetcher:
    """Fetches what is offered."""

    def __init__(
        self,
        settings: IngestSettings,
        bus: Bus,
        blobs: BlobStore,
        session: ClientSession,
        *,
        uploads: Uploads,
        finisher: UploadVerifier,
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._blobs = blobs
        self._session = session
        self._uploads = uploads
        self._finisher = finisher
        self._store = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
        self._id = f"fetcher-{new_id()}"

    async def handle(self, message: Msg, slot: Slot) -> None:  # noqa: ARG002 - a feed gives it
        """Fetch one recording and settle its message."""
        task = TranscriptionTask.FromString(message.data)
        with structlog.contextvars.bound_contextvars(tenant=task.tenant, job=task.transcription_id):
            match await self._claim(subjects.record(task.tenant, task.transcription_id)):
                case Claimed(owned):
                    await self._work(owned, message)
                case Deferred(retry_in):
                    await message.nak(delay=retry_in.total_seconds())
                case Terminal():
                    await message.ack()

    async def _claim(self, key: str) -> Claimed[TranscriptionRecord] | Deferred | Terminal[TranscriptionRecord]:
        while True:
            stored = await self._store.get(key)
            if stored is None or stored.value.removing or stored.value.state != Transcription.STATE_FETCHING:
                return Terminal(stored.value if stored else None)
            left = claimable_in(self._bus, stored.value, LEASE_SECONDS)
            if stored.value.HasField("lease") and left > 0:
                return Deferred(timedelta(seconds=left))
            record = TranscriptionRecord()
            record.CopyFrom(stored.value)
            record.epoch += 1
            record.lease.CopyFrom(new_lease(self._id, LEASE_SECONDS))
            try:
                written = await self._store.update(key, record, stored.revision)
            except Conflict:
                continue
            return Claimed(OwnedRecord(self._store, key, written, worker_id=self._id, lease_seconds=LEASE_SECONDS))

    async def _work(self, owned: OwnedRecord[TranscriptionRecord], message: Msg) -> None:
        fetch = _Fetch(owned)
        history = JobEventLog(self._bus, owned.value.tenant, owned.value.transcription_id)
        try:
            try:
                async with hold_lease(owned, message, RENEW_SECONDS, fetch.note):
                    await history.take_over(owned.value)
                    await self._settle(owned, history, await self._outcome(fetch, history))
            except* (OwnershipLost, Fenced):
                log.info("fetch_lost")
        except asyncio.CancelledError:
            await self._hand_over(owned, message)
            raise
        await message.ack()

    async def _outcome(self, fetch: "_Fetch", history: JobEventLog) -> UploadRecord | TiroError:
        record = fetch.owned.value
        try:
            if record.epoch > CLAIMS_MAX:
                raise TiroError(  # noqa: TRY301 - told like all else
                    grpc.StatusCode.ABORTED, reasons.ERROR_REASON_WORKER_CRASHED, "every fetcher of it was lost"
                )
            async with asyncio.timeout(self._settings.fetch_seconds_max):
                upload = await self._fetched(fetch, history)
            check_audio(record.options, upload.audio)
        except TimeoutError:
            message = f"not fetched within {self._settings.fetch_seconds_max:g} s"
            return TiroError(grpc.StatusCode.DEADLINE_EXCEEDED, reasons.ERROR_REASON_URI_STALLED, message)
        except TiroError as error:
            if error.reason == reasons.ERROR_REASON_UPLOAD_BUSY:
                raise OwnershipLost(record.transcription_id) from error
            return error
        return upload

    async def _settle(
        self, owned: OwnedRecord[TranscriptionRecord], history: JobEventLog, outcome: UploadRecord | TiroError
    ) -> None:
        def end(record: TranscriptionRecord) -> None:
            if isinstance(outcome, TiroError):
                record.error.CopyFrom(outcome.to_status())
                enter(record, Transcription.STATE_FAILED)
            else:
                record.audio_duration.CopyFrom(outcome.audio.duration)
                record.fetched_size = outcome.committed_size
                enter(record, Transcription.STATE_QUEUED)

        record = await owned.update(end)
        await history.append_state(record)
        log.info("fetch_ended", state=Transcription.State.Name(record.state), error=record.error.message)

    async def _fetched(self, fetch: "_Fetch", history: JobEventLog) -> UploadRecord:
        record = fetch.owned.value
        tenant, upload_id = record.tenant, record.upload_id
        upload = await self._uploads.create(tenant, upload_id, display_name=record.display_name, size_bytes=0)
        if upload.state == Upload.STATE_READY:
            return upload
        if upload.state == Upload.STATE_FAILED:
            raise from_status(upload.error)
        source = self._source(record.uri)
        attempt = 1
        while True:
            try:
                return await self._try(fetch, history, source)
            except TiroError as error:
                passes = isinstance(error, TransientFetchError) or error.reason in STORAGE_REASONS
                if not passes or attempt >= self._settings.fetch_attempts_max:
                    raise
                log.info("fetch_tried", attempt=attempt, error=str(error))
                delay = backoff(attempt, first_seconds=BACKOFF_SECONDS, seconds_max=BACKOFF_SECONDS_MAX)
                asked = error.wait_seconds if isinstance(error, TransientFetchError) else 0.0
                await asyncio.sleep(max(asked, delay))
                attempt += 1

    def _source(self, uri: str) -> Source:
        return S3Source(self._settings, uri) if uri.startswith("s3://") else HttpSource(self._session, uri)

    async def _try(self, fetch: "_Fetch", history: JobEventLog, source: Source) -> UploadRecord:
        try:
            return await self._store_all(fetch, history, source)
        except StorageUnavailable as error:
            raise storage_unavailable() from error

    async def _store_all(self, fetch: "_Fetch", history: JobEventLog, source: Source) -> UploadRecord:
        record = fetch.owned.value
        upload = await self._uploads.begin_writing(record.tenant, record.upload_id, None)
        async with self._uploads.refusing(upload), source.open(upload.committed_size, fetch.tag) as opened:
            if opened.size is not None and opened.size > self._settings.upload_bytes_max:
                raise too_large(self._settings.upload_bytes_max)
            if opened.offset != upload.committed_size:
                upload = await self._uploads.commit(upload, opened.offset)
            fetch.tag = opened.tag
            async with UploadWriter(
                self._uploads, self._blobs, upload, bytes_max=self._settings.upload_bytes_max
            ) as writer:
                await self._copy(fetch, history, opened, writer)
                await writer.finish()
        async with self._uploads.refusing(writer.record):
            return await self._finisher.finish(writer.record, writer.size, "")

    async def _copy(self, fetch: "_Fetch", history: JobEventLog, opened: OpenedSource, writer: UploadWriter) -> None:
        stall = self._settings.fetch_stall_seconds
        begun, received, told = time.monotonic(), 0, 0.0
        while True:
            try:
                async with asyncio.timeout(stall):
                    chunk = await anext(opened.chunks, None)
            except TimeoutError:
                raise _stalled(f"the host sent nothing for {stall:g} s") from None
            except (ClientError, OSError) as error:
                message = "the connection was cut before the end"
                reason = reasons.ERROR_REASON_URI_LENGTH_MISMATCH
                raise TransientFetchError(grpc.StatusCode.FAILED_PRECONDITION, reason, message) from error
            if chunk is None:
                break
            received += len(chunk)
            await writer.write(chunk)
            fetch.size = writer.size
            now = time.monotonic()
            if now - begun >= stall:
                if received < RATE_BYTES_MIN * (now - begun):
                    raise _stalled(f"the host sends less than {RATE_BYTES_MIN} bytes a second")
                begun, received = now, 0
            if now - told >= PROGRESS_SECONDS:
                await history.append_fetched_size(writer.size)
                told = now
        if opened.size is not None and writer.size != opened.size:
            message = f"the host announced {opened.size} bytes and sent {writer.size}"
            raise TransientFetchError(
                grpc.StatusCode.FAILED_PRECONDITION, reasons.ERROR_REASON_URI_LENGTH_MISMATCH, message
            )

    async def _hand_over(self, owned: OwnedRecord[TranscriptionRecord], message: Msg) -> None:
        """Let another service go on at once. Where that fails, the lease runs out."""
        try:
            async with asyncio.timeout(HAND_OVER_SECONDS_MAX):
                await owned.update(lambda record: record.ClearField("lease"))
                await message.nak()
        except Exception as error:  # noqa: BLE001 - stopping goes on
            log.warning("fetch_not_handed_over", error=repr(error))


class _Fetch:
    """How far a fetch is."""

    def __init__(self, owned: OwnedRecord[TranscriptionRecord]) -> None:
        self.owned = owned
        self.size = 0
        self.tag = ""

    def note(self, record: TranscriptionRecord) -> None:
        """Write it into the record."""
        record.fetched_size = self.size


def _stalled(message: str) -> TransientFetchError:
    return TransientFetchError(grpc.StatusCode.FAILED_PRECONDITION, reasons.ERROR_REASON_URI_STALLED, message)
