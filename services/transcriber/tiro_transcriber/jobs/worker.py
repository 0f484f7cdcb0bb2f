"""The job worker: from an offered task to a job that is claimed, run, and committed, failed or handed over."""

import asyncio

import grpc
import structlog
from google.protobuf.message import DecodeError
from nats.aio.msg import Msg

from tiro.events.v1.transcription_pb2 import DeadLetter, TranscriptionRecord, TranscriptionTask
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.transcript_pb2 import Transcript
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.blobs.interface import BlobStore
from tiro_core.errors import TiroError
from tiro_core.jobs.event_log import JobEventLog
from tiro_core.jobs.purge import purge_job_data
from tiro_core.jobs.states import TERMINAL
from tiro_core.jobs.transitions import counted_attempts, fail, hand_over, succeed
from tiro_core.leases.claims import Claimed, Deferred, Terminal
from tiro_core.leases.notifications import OwnerNotifications
from tiro_core.leases.owned_record import OwnedRecord
from tiro_core.leases.renewal import hold_lease
from tiro_core.logs import get_logger
from tiro_core.messaging import subjects
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.publishing import publish
from tiro_core.messaging.records import RecordStore
from tiro_core.messaging.work_queue import Slot
from tiro_engines.backoff import backoff
from tiro_transcriber import metrics
from tiro_transcriber.errors import explain, first_cause, reason_of
from tiro_transcriber.jobs.claims import LEASE_SECONDS, JobClaimer
from tiro_transcriber.jobs.recognizer import Recognizer
from tiro_transcriber.jobs.splitter import JobSplitter
from tiro_transcriber.jobs.transcript_writer import open_transcript_writer
from tiro_transcriber.shielding import OWNERSHIP_ERRORS, shielded, with_deadline

RENEWAL_SECONDS = LEASE_SECONDS / 3
BACKOFF_SECONDS = 2.0
"""Before the second attempt; doubled before each further one, half of it at random."""
BACKOFF_SECONDS_MAX = 60.0

log = get_logger()


class JobWorker:
    """Handles offered tasks. One for all job slots of a worker."""

    def __init__(
        self,
        bus: Bus,
        blobs: BlobStore,
        recognizer: Recognizer,
        *,
        claims: JobClaimer,
        uploads: RecordStore[UploadRecord],
        cutter: JobSplitter,
        notifications: OwnerNotifications,
        attempts_max: int,
        grace_seconds: float,
    ) -> None:
        self._bus = bus
        self._blobs = blobs
        self._recognizer = recognizer
        self._claims = claims
        self._uploads = uploads
        self._cutter = cutter
        self._nudges = notifications
        self._attempts_max = attempts_max
        self._grace_seconds = grace_seconds

    async def handle(self, message: Msg, slot: Slot) -> None:
        """Do what an offered task needs, and settle its message. A job that is cut gives its slot back."""
        try:
            task = TranscriptionTask.FromString(message.data)
        except DecodeError as error:
            log.error("hint_unreadable", subject=message.subject, error=repr(error))  # noqa: TRY400 - a line says it all
            await message.term()
            return
        with structlog.contextvars.bound_contextvars(tenant=task.tenant, job=task.transcription_id):
            try:
                await self._claim_and_run(task, message, slot)
            except OWNERSHIP_ERRORS as error:
                # The message stays unsettled: it is offered again when its time is over.
                log.warning("job_left", reason=repr(error))
                await with_deadline(self._grace_seconds, self._tidy(task))

    async def _claim_and_run(self, task: TranscriptionTask, message: Msg, slot: Slot) -> None:
        history = JobEventLog(self._bus, task.tenant, task.transcription_id)

        async def give_back(claim: object) -> None:
            if isinstance(claim, Claimed):
                await self._hand_over(claim.owned, history, message)

        with metrics.stage("claim"):
            claiming = self._claims.claim(subjects.record(task.tenant, task.transcription_id))
            claim = await shielded(claiming, self._grace_seconds, give_back)
        match claim:
            case Claimed(owned):
                await self._run(owned, history, message, slot)
            case Deferred(retry_in):
                await message.nak(delay=retry_in.total_seconds())
            case Terminal(record):
                await self._over(record, history, message)

    async def _tidy(self, task: TranscriptionTask) -> None:
        """Remove what was written here about a job that somebody else has ended or deleted meanwhile."""
        record = await self._claims.look(subjects.record(task.tenant, task.transcription_id))
        if record is None or record.removing:
            await purge_job_data(self._bus, self._blobs, task.tenant, task.transcription_id)
        if record is None or record.state in TERMINAL:
            await self._cutter.clean(task.tenant, task.transcription_id)

    async def _over(self, record: TranscriptionRecord | None, history: JobEventLog, message: Msg) -> None:
        """Make up for what the owner of a job that is over may have left undone."""
        if record is not None:
            if record.state == Transcription.STATE_FAILED:
                await self._park(record)
            await history.ensure_terminal(record)
            await self._clean(record)
        await message.ack()

    async def _run(
        self, owned: OwnedRecord[TranscriptionRecord], history: JobEventLog, message: Msg, slot: Slot
    ) -> None:
        log.info("job_started", attempt=len(owned.value.attempts))
        key = subjects.record(owned.value.tenant, owned.value.transcription_id)
        try:
            with self._nudges.looking(key) as look:
                async with hold_lease(owned, message, RENEWAL_SECONDS, look=look):
                    await history.take_over(owned.value)
                    transcript = await self._transcribe(owned, history, slot)
        except asyncio.CancelledError:
            await with_deadline(self._grace_seconds, self._hand_over(owned, history, message))
            raise
        except ExceptionGroup as group:
            await shielded(self._failed(owned, history, message, first_cause(group)), self._grace_seconds)
            return
        with metrics.stage("commit"):
            await shielded(self._commit(owned, history, message, transcript), self._grace_seconds)

    async def _transcribe(
        self, owned: OwnedRecord[TranscriptionRecord], history: JobEventLog, slot: Slot
    ) -> Transcript:
        size, channels = await self._recording(owned.value)
        with metrics.JOB_SECONDS.time():
            async with open_transcript_writer(self._blobs, history, owned.value) as writer:
                if not self._cutter.wants(owned.value):
                    return await self._recognizer.recognize(owned.value, writer, size=size, channels=channels)
                record = await owned.update(_mark_cut)
                slot.release()
                return await self._cutter.transcribe(record, size, writer)

    async def _recording(self, record: TranscriptionRecord) -> tuple[int, int]:
        """The size of a job's recording, in bytes, and how many channels it has."""
        if record.HasField("part"):
            return record.part.size_bytes, 1
        upload = await self._uploads.get(subjects.record(record.tenant, record.upload_id))
        if upload is None:
            raise TiroError(grpc.StatusCode.NOT_FOUND, reasons.ERROR_REASON_UPLOAD_NOT_FOUND, "the upload is gone")
        return upload.value.committed_size, upload.value.audio.channel_count

    async def _commit(
        self, owned: OwnedRecord[TranscriptionRecord], history: JobEventLog, message: Msg, transcript: Transcript
    ) -> None:
        record = await owned.update(lambda value: succeed(value, transcript))
        await history.append_state(record)
        await message.ack()
        await self._clean(record)
        metrics.job_ended("succeeded", "", transcript.audio_duration.ToNanoseconds() / 1e9)
        log.info("job_succeeded", segments=transcript.segment_count)

    async def _hand_over(self, owned: OwnedRecord[TranscriptionRecord], history: JobEventLog, message: Msg) -> None:
        """Give the job back at once because this worker was told to stop."""
        record = await owned.update(hand_over)
        await message.nak()
        await history.resume()  # a write that was cancelled may have been stored
        await history.append_state(record)
        metrics.job_ended("handed_over", "", 0)
        log.info("job_handed_over")

    async def _failed(
        self, owned: OwnedRecord[TranscriptionRecord], history: JobEventLog, message: Msg, cause: BaseException
    ) -> None:
        if isinstance(cause, OWNERSHIP_ERRORS):
            raise cause
        error, may_pass = explain(cause)
        again = may_pass and counted_attempts(owned.value) < self._attempts_max
        record = await owned.update(lambda value: fail(value, error, again=again))
        if not again:
            await self._park(record)
        await history.resume()  # a write that was cancelled may have been stored
        await history.append_state(record)
        if again:
            await message.nak(
                delay=backoff(counted_attempts(record), first_seconds=BACKOFF_SECONDS, seconds_max=BACKOFF_SECONDS_MAX)
            )
        else:
            await message.ack()
            await self._clean(record)
        metrics.job_ended("retried" if again else "failed", reason_of(error), 0)
        log.warning("job_failed", reason=reason_of(error), again=again, attempt=len(record.attempts))

    async def _clean(self, record: TranscriptionRecord) -> None:
        if record.cut:
            await self._cutter.clean(record.tenant, record.transcription_id)

    async def _park(self, record: TranscriptionRecord) -> None:
        subject = subjects.dead(record.tenant, record.transcription_id)
        await publish(self._bus, subject, DeadLetter(record=record).SerializeToString())


def _mark_cut(record: TranscriptionRecord) -> None:
    record.cut = True
