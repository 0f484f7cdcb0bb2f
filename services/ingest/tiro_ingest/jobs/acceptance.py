"""Accepting jobs: exactly once and durably, also when the service dies in between."""

from dataclasses import dataclass

import structlog

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.transcription.v1.transcription_pb2 import Callback, Transcription
from tiro.transcription.v1.transcription_service_pb2 import CreateTranscriptionRequest, RetryTranscriptionRequest
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.clock import now
from tiro_core.errors import TiroError, failed_precondition, invalid_argument
from tiro_core.jobs.audio_tracks import heard_duration
from tiro_core.jobs.event_log import JobEventLog
from tiro_core.jobs.records import JobRecords
from tiro_core.jobs.states import state_name
from tiro_core.jobs.transitions import accept
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict
from tiro_core.messaging.subjects import record as record_key
from tiro_core.routing.resolver import RecognitionResolver
from tiro_core.routing.router import RequestConstraints, Router
from tiro_ingest.dispatch.dispatcher import Dispatcher
from tiro_ingest.jobs.follower import JobFollower
from tiro_ingest.jobs.options import check_audio, check_options
from tiro_ingest.jobs.retention_policy import RetentionPolicy
from tiro_ingest.jobs.store import Transcriptions
from tiro_ingest.metrics import JOBS_CREATED
from tiro_ingest.outgoing.client import UrlInvalidError, parse_url
from tiro_ingest.resources.idempotency import IdempotencyStore, IdempotentRequest, idempotent_request
from tiro_ingest.resources.names import transcription_id, upload_id, upload_name
from tiro_ingest.resources.uris import check_uri
from tiro_ingest.uploads.inline import InlineAudioStore
from tiro_ingest.uploads.references import UploadReferences
from tiro_ingest.uploads.storage_guard import StorageGuard
from tiro_ingest.uploads.store import Uploads

JOB_BYTES = 1024 * 1024
"""The free space in the store that a job's records, events and transcript need."""

_RETRYABLE = (Transcription.STATE_FAILED, Transcription.STATE_CANCELLED)

log = get_logger()


@dataclass(frozen=True, slots=True)
class _Order:
    """A job as requested."""

    draft: TranscriptionRecord
    """The record, without the fields that are set when it is written."""
    content: bytes = b""
    """The recording, when it came with the job; otherwise the draft names its upload."""


class JobAcceptor:
    """Accepts jobs. The order of the writes makes the death of the service at any point harmless.

    First comes the record of the request, then the reference to the upload (or the upload itself), then the record of
    the job, with which the job is accepted, and last its first event. The dispatcher enqueues the job in its turn. A
    repeated request completes the missing steps.
    """

    def __init__(
        self,
        bus: Bus,
        jobs: Transcriptions,
        *,
        follower: JobFollower,
        dispatcher: Dispatcher,
        uploads: Uploads,
        references: UploadReferences,
        inline_audio: InlineAudioStore,
        resolver: RecognitionResolver,
        router: Router,
        request_ids: IdempotencyStore,
        retention: RetentionPolicy,
        guard: StorageGuard,
        calls_back: bool,
    ) -> None:
        self._bus = bus
        self._records = JobRecords(bus)
        self._jobs = jobs
        self._follower = follower
        self._dispatcher = dispatcher
        self._uploads = uploads
        self._references = references
        self._inline_audio = inline_audio
        self._resolver = resolver
        self._router = router
        self._request_ids = request_ids
        self._retention = retention
        self._guard = guard
        self._calls_back = calls_back

    async def create(self, tenant: str, request: CreateTranscriptionRequest) -> TranscriptionRecord:
        """Accept a job, or return the one that the same request created before.

        Raises:
            TiroError: The request is refused; no job was created.
        """
        asked = idempotent_request(tenant, "CreateTranscription", request.request_id, request)
        record = await self._known(tenant, asked)
        if record is None:
            order = self._order(tenant, request.transcription)
            self._dispatcher.require_room(tenant)
            await self._guard.require(JOB_BYTES + len(order.content))
            if order.draft.upload_id:
                await self._require_ready(tenant, order.draft.upload_id)
            record = await self._accept(tenant, asked, order)
        return await self._announced(record)

    async def retry(self, tenant: str, request: RetryTranscriptionRequest) -> TranscriptionRecord:
        """Accept a job that retries one that has failed or was cancelled, or return the one of the same request.

        Raises:
            TiroError: NOT_FOUND; or FAILED_PRECONDITION, the job cannot be retried.
        """
        asked = idempotent_request(tenant, "RetryTranscription", request.request_id, request)
        record = await self._known(tenant, asked)
        if record is None:
            old = await self._jobs.get(tenant, transcription_id(request.name))
            await self._require_retryable(old)
            self._router.require_consent(tenant, old.config.engine)
            self._dispatcher.require_room(tenant)
            await self._guard.require(JOB_BYTES)
            again = _again(old)
            again.allowed_clouds.extend(self._router.allowed_clouds(tenant, [old.config.engine]))
            record = await self._accept(tenant, asked, _Order(again))
        return await self._announced(record)

    async def _known(self, tenant: str, asked: IdempotentRequest) -> TranscriptionRecord | None:
        job_id = await self._request_ids.find(asked)
        stored = await self._records.get(record_key(tenant, job_id)) if job_id else None
        return stored.value if stored is not None and not stored.value.removing else None

    def _order(self, tenant: str, job: Transcription) -> _Order:
        if job.HasField("uri"):
            check_uri(job.uri)
        ttl, audio_ttl = self._retention.of(job)
        choice = self._router.choose(
            tenant,
            job.config,
            "transcription.config",
            RequestConstraints(
                check=lambda config: check_options(job.options, config, self._resolver),
                has_room=self._dispatcher.has_room,
                is_served=self._dispatcher.is_served,
            ),
        )
        if job.HasField("callback"):
            self._check_callback(job.callback)
        draft = TranscriptionRecord(
            display_name=job.display_name,
            config=choice.config,
            policy=choice.policy,
            allowed_clouds=choice.allowed_clouds,
            shadow=choice.shadow,
            options=job.options if job.HasField("options") else None,
            lane=job.lane or Transcription.LANE_STANDARD,
            ttl=ttl,
            audio_ttl=audio_ttl,
            upload_id=upload_id(job.upload) if job.upload else "",
            uri=job.uri,
            callback=Callback(uri=job.callback.uri) if job.HasField("callback") else None,
        )
        return _Order(draft, job.content)

    def _check_callback(self, callback: Callback) -> None:
        if not self._calls_back:
            raise failed_precondition(
                reasons.ERROR_REASON_CALLBACKS_DISABLED,
                "this deployment has no secret to sign callbacks with",
            )
        try:
            parse_url(callback.uri)
        except UrlInvalidError as error:
            raise invalid_argument(
                reasons.ERROR_REASON_URI_INVALID, str(error), field_path="transcription.callback.uri"
            ) from None

    async def _accept(self, tenant: str, asked: IdempotentRequest, order: _Order) -> TranscriptionRecord:
        job_id = await self._request_ids.reserve(asked)
        upload = await self._upload_of(tenant, job_id, order)
        if upload is not None:
            check_audio(order.draft.options, upload.audio)
        record = TranscriptionRecord(
            tenant=tenant,
            transcription_id=job_id,
            upload_id=upload.upload_id if upload else job_id,
            audio_duration=heard_duration(order.draft.options, upload.audio) if upload else None,
            create_time=now(),
            request_key=asked.key,
        )
        record.MergeFrom(order.draft)
        accept(record, has_audio=upload is not None)
        try:
            await self._records.create(record_key(tenant, job_id), record)
        except Conflict:  # the same request came twice at once
            return await self._jobs.get(tenant, job_id)
        self._follower.notify(record_key(tenant, job_id), record)
        config = record.config
        JOBS_CREATED.labels(config.engine, config.model).inc()
        log.info("job_accepted", job=job_id, upload=record.upload_id, engine=config.engine, model=config.model)
        return record

    async def _announced(self, record: TranscriptionRecord) -> TranscriptionRecord:
        """Write the first event of the job, unless it is written already."""
        structlog.contextvars.bind_contextvars(job=record.transcription_id)
        if record.state in (Transcription.STATE_QUEUED, Transcription.STATE_FETCHING) and not record.attempts:
            await JobEventLog(self._bus, record.tenant, record.transcription_id).begin(record)
        return record

    async def _upload_of(self, tenant: str, job_id: str, order: _Order) -> UploadRecord | None:
        if order.draft.uri:
            return None  # the recording is fetched once the job is accepted
        if order.draft.upload_id:
            await self._references.add(tenant, order.draft.upload_id, job_id)
            return await self._require_ready(tenant, order.draft.upload_id)
        # The upload has the job's own id, so that a repeated request finds what it stored before.
        return await self._inline_audio.store(tenant, job_id, order.draft.display_name, order.content)

    async def _require_ready(self, tenant: str, wanted: str) -> UploadRecord:
        upload = await self._uploads.get(tenant, wanted)
        if upload.state != Upload.STATE_READY:
            raise _not_ready(upload)
        return upload

    async def _require_retryable(self, old: TranscriptionRecord) -> None:
        if old.state not in _RETRYABLE:
            state = state_name(old)
            message = f"the transcription is {state}: only one that has failed or was cancelled can be retried"
            raise failed_precondition(reasons.ERROR_REASON_TRANSCRIPTION_NOT_ENDED, message, state=state)
        if old.audio_deleted:
            raise failed_precondition(
                reasons.ERROR_REASON_AUDIO_DELETED, "the transcription has released its recording"
            )
        if not _unfetched(old):
            await self._require_ready(old.tenant, old.upload_id)


def _unfetched(old: TranscriptionRecord) -> bool:
    return bool(old.uri) and not old.HasField("audio_duration")


def _again(old: TranscriptionRecord) -> TranscriptionRecord:
    draft = TranscriptionRecord(
        display_name=old.display_name,
        lane=old.lane,
        retry_of=old.transcription_id,
        policy=old.policy,
    )
    if _unfetched(old):
        draft.uri = old.uri
    else:
        draft.upload_id = old.upload_id
    for field in ("config", "options", "ttl", "audio_ttl"):
        if old.HasField(field):
            getattr(draft, field).CopyFrom(getattr(old, field))
    if old.HasField("callback"):
        draft.callback.CopyFrom(Callback(uri=old.callback.uri))
    return draft


def _not_ready(upload: UploadRecord) -> TiroError:
    name = upload_name(upload.upload_id)
    if upload.state == Upload.STATE_FAILED:
        message = f"{name} was refused: {upload.error.message}"
    else:
        message = f"{name} is not finished: write its last bytes with finish_write"
    return failed_precondition(
        reasons.ERROR_REASON_UPLOAD_NOT_READY, message, state=Upload.State.Name(upload.state).removeprefix("STATE_")
    )
