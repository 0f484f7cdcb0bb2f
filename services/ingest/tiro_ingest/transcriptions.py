"""Jobs: accepted once, durably; read; listed."""

import asyncio
from collections.abc import Sequence

import structlog

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import CreateTranscriptionRequest
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.bus import topology
from tiro_core.bus.connection import Bus
from tiro_core.bus.publishing import Conflict
from tiro_core.bus.records import RecordStore
from tiro_core.bus.subjects import record as record_key
from tiro_core.clock import now
from tiro_core.errors import TiroError, failed_precondition, invalid_argument, not_found
from tiro_core.logs import get_logger
from tiro_core.recognition import RecognitionResolver
from tiro_ingest.announcing import JobAnnouncer, waits
from tiro_ingest.idempotency import RequestIds, repeatable
from tiro_ingest.inline_audio import InlineAudio
from tiro_ingest.metrics import JOBS_CREATED
from tiro_ingest.names import transcription_name, upload_id, upload_name
from tiro_ingest.paging import page_token, position_of
from tiro_ingest.storage_guard import StorageGuard
from tiro_ingest.uploads import Uploads

JOB_BYTES = 1024 * 1024
"""Room in the store asked for a job's records, events and transcript."""
PAGE_SIZE_DEFAULT = 50
READS_AT_ONCE = 32
"""Records read at the same time while a page is put together."""

log = get_logger()


class Transcriptions:
    """The jobs of all tenants."""

    def __init__(
        self,
        bus: Bus,
        *,
        uploads: Uploads,
        inline_audio: InlineAudio,
        resolver: RecognitionResolver,
        request_ids: RequestIds,
        guard: StorageGuard,
    ) -> None:
        self._records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
        self._uploads = uploads
        self._inline_audio = inline_audio
        self._resolver = resolver
        self._request_ids = request_ids
        self._guard = guard
        self._announcer = JobAnnouncer(bus)

    async def create(self, tenant: str, request: CreateTranscriptionRequest) -> TranscriptionRecord:
        """Accept a job, or return the one that the same request created before.

        The order makes a death at any point harmless: the request's record, the upload of inline audio, the job's
        record (from here on the job is accepted), its first event, the hint. A repeated request does what is missing.

        Raises:
            TiroError: What is wrong with the request; nothing was accepted.
        """
        asked = repeatable(tenant, "CreateTranscription", request.request_id, request)
        known = await self._request_ids.find(asked)
        stored = await self._records.get(record_key(tenant, known)) if known else None
        if stored is not None:
            record = stored.value
        else:
            _require_supported(request.transcription)
            config = self._resolver.resolve(request.transcription.config, "transcription.config")
            await self._guard.require(JOB_BYTES + len(request.transcription.content))
            if request.transcription.upload:
                await self._require_ready(tenant, request.transcription.upload)
            job_id = await self._request_ids.reserve(asked)
            record = await self._accept(tenant, job_id, request.transcription, config)
        structlog.contextvars.bind_contextvars(job=record.transcription_id)
        if waits(record):
            await self._announcer.announce(record)
        return record

    async def get(self, tenant: str, job_id: str) -> TranscriptionRecord:
        """Read a job.

        Raises:
            TiroError: NOT_FOUND.
        """
        stored = await self._records.get(record_key(tenant, job_id))
        if stored is None:
            message = f"there is no transcription {transcription_name(job_id)!r}"
            raise not_found(reasons.ERROR_REASON_TRANSCRIPTION_NOT_FOUND, message)
        return stored.value

    async def list(self, tenant: str, page_size: int, token: str) -> tuple[Sequence[TranscriptionRecord], str]:
        """A page of a tenant's jobs, the newest first, and the token of the next page, empty on the last.

        Raises:
            TiroError: INVALID_ARGUMENT; the token is not one of ours.
        """
        scope = f"transcriptions/{tenant}"
        before = position_of(token, scope) if token else None
        keys = await self._records.keys(tenant)
        # The ids are UUIDv7: their order is that of creation.
        ids = sorted((key.removeprefix(f"{tenant}.") for key in keys), reverse=True)
        left = [job_id for job_id in ids if before is None or job_id < before]
        page = left[: page_size or PAGE_SIZE_DEFAULT]
        records = await self._read(tenant, page)
        return records, page_token(scope, page[-1]) if len(left) > len(page) else ""

    async def _read(self, tenant: str, ids: Sequence[str]) -> Sequence[TranscriptionRecord]:
        found: list[TranscriptionRecord] = []
        for first in range(0, len(ids), READS_AT_ONCE):
            some = ids[first : first + READS_AT_ONCE]
            stored = await asyncio.gather(*(self._records.get(record_key(tenant, job_id)) for job_id in some))
            found.extend(item.value for item in stored if item is not None)
        return found

    async def _accept(
        self, tenant: str, job_id: str, job: Transcription, config: RecognitionConfig
    ) -> TranscriptionRecord:
        upload = await self._upload_of(tenant, job_id, job)
        record = TranscriptionRecord(
            tenant=tenant,
            transcription_id=job_id,
            display_name=job.display_name,
            config=config,
            upload_id=upload.upload_id,
            state=Transcription.STATE_QUEUED,
            audio_duration=upload.audio.duration,
            create_time=now(),
        )
        try:
            stored = await self._records.create(record_key(tenant, job_id), record)
        except Conflict:  # the same request came twice at once
            return await self.get(tenant, job_id)
        JOBS_CREATED.labels(config.engine, config.model).inc()
        log.info("job_accepted", job=job_id, upload=upload.upload_id, engine=config.engine, model=config.model)
        return stored.value

    async def _upload_of(self, tenant: str, job_id: str, job: Transcription) -> UploadRecord:
        if job.upload:
            return await self._require_ready(tenant, job.upload)
        # The upload has the job's own id, so that a repeated request finds what it stored before.
        return await self._inline_audio.store(tenant, job_id, job.display_name, job.content)

    async def _require_ready(self, tenant: str, name: str) -> UploadRecord:
        upload = await self._uploads.get(tenant, upload_id(name))
        if upload.state != Upload.STATE_READY:
            raise _not_ready(upload)
        return upload


def _require_supported(job: Transcription) -> None:
    """Refuse what the contract has and this service does not do yet."""
    for option in ("uri", "options", "callback"):
        if job.HasField(option):
            raise _unsupported(option)
    if job.lane not in (Transcription.LANE_UNSPECIFIED, Transcription.LANE_STANDARD):
        raise _unsupported("lane")


def _unsupported(option: str) -> TiroError:
    return invalid_argument(
        reasons.ERROR_REASON_UNSUPPORTED_OPTION, f"{option} is not supported yet", field_path=f"transcription.{option}"
    )


def _not_ready(upload: UploadRecord) -> TiroError:
    name = upload_name(upload.upload_id)
    if upload.state == Upload.STATE_FAILED:
        message = f"{name} was refused: {upload.error.message}"
    else:
        message = f"{name} is not finished: write its last bytes with finish_write"
    return failed_precondition(
        reasons.ERROR_REASON_UPLOAD_NOT_READY, message, state=Upload.State.Name(upload.state).removeprefix("STATE_")
    )
