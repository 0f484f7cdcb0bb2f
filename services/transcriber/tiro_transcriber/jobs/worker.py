"""Jobs, as owned work: a job is claimed and transcribed, then committed, failed or handed over."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import grpc

from tiro.events.v1.transcription_pb2 import DeadLetter, TranscriptionRecord, TranscriptionTask
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.transcript_pb2 import Transcript
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.blobs.interface import BlobStore
from tiro_core.errors import TiroError
from tiro_core.jobs import transitions
from tiro_core.jobs.event_log import JobEventLog
from tiro_core.jobs.removal import purge_job_data
from tiro_core.jobs.states import TERMINAL
from tiro_core.leases.claims import Claimed, Refusal
from tiro_core.leases.notifications import OwnerNotifications
from tiro_core.leases.owned_record import OwnedRecord
from tiro_core.leases.renewal import hold_lease
from tiro_core.leases.runner import Retry, Task
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.publishing import publish
from tiro_core.messaging.queues.work_queue import Slot, TaskMessage
from tiro_core.messaging.records import RecordStore
from tiro_engines.backoff import backoff
from tiro_transcriber import metrics
from tiro_transcriber.errors import explain, reason_of
from tiro_transcriber.jobs.audio_warnings import track_warnings
from tiro_transcriber.jobs.claims import JobClaims
from tiro_transcriber.jobs.recognizer import Recognizer
from tiro_transcriber.jobs.recording import Recording, recording_of
from tiro_transcriber.jobs.splitter import JobSplitter
from tiro_transcriber.jobs.transcript_writer import open_transcript_writer
from tiro_transcriber.pipeline.pipeline import Pipelines

BACKOFF_SECONDS = 2.0
"""The wait before the second attempt. It doubles with each further one; half of it is random."""
BACKOFF_SECONDS_MAX = 60.0

log = get_logger()

Owned = OwnedRecord[TranscriptionRecord]


class JobWork:
    """The jobs of one worker."""

    kind = "job"

    def __init__(
        self,
        bus: Bus,
        blobs: BlobStore,
        recognizer: Recognizer,
        *,
        pipelines: Pipelines,
        claims: JobClaims,
        splitter: JobSplitter,
        notifications: OwnerNotifications,
    ) -> None:
        self.bus = bus
        self.blobs = blobs
        self.recognizer = recognizer
        self.pipelines = pipelines
        self.claims = claims
        self.splitter = splitter
        self.notifications = notifications
        self.uploads = RecordStore(bus, topology.UPLOADS_BUCKET, UploadRecord)

    def task_of(self, data: bytes) -> Task:
        """Read a task message."""
        task = TranscriptionTask.FromString(data)
        return Task(task.tenant, task.transcription_id)

    async def claim(self, key: str) -> Claimed[Owned] | Refusal[TranscriptionRecord]:
        """Claim a job, or return why not."""
        with metrics.step("claim"):
            return await self.claims.claim(key)

    def attempt(self, claim: Owned, slot: Slot) -> "JobAttempt":
        """Make an attempt at a job."""
        return JobAttempt(self, claim, slot)

    async def finish(self, record: TranscriptionRecord | None) -> None:
        """Complete what the last owner of a job may have left undone: the last event, the dead letter, the parts."""
        if record is None:
            return
        if record.state == Transcription.STATE_FAILED:
            await self.park(record)
        await JobEventLog(self.bus, record.tenant, record.transcription_id).ensure_terminal(record)
        await self.clean(record)

    async def redirect(self, record: TranscriptionRecord) -> None:
        """Do nothing: a job stays with the engine and model for which it was accepted."""

    async def tidy(self, key: str) -> None:
        """Remove what this worker has written about a job that another process has ended or deleted meanwhile."""
        tenant, _, job = key.partition(".")
        record = await self.claims.read(key)
        if record is None or record.removing:
            await purge_job_data(self.bus, self.blobs, tenant, job)
        if record is None or record.state in TERMINAL:
            await self.splitter.clean(tenant, job)

    async def clean(self, record: TranscriptionRecord) -> None:
        """Remove the parts of a job that is over."""
        if record.split:
            await self.splitter.clean(record.tenant, record.transcription_id)

    async def park(self, record: TranscriptionRecord) -> None:
        """Publish a dead letter for a job that has failed, for operators."""
        subject = subjects.dead(record.tenant, record.transcription_id)
        await publish(self.bus, subject, DeadLetter(record=record).SerializeToString())


class JobAttempt:
    """One attempt at a job, owned by this worker."""

    def __init__(self, work: JobWork, owned: Owned, slot: Slot) -> None:
        self._work = work
        self._owned = owned
        self._slot = slot
        self._log = JobEventLog(work.bus, owned.value.tenant, owned.value.transcription_id)
        self._transcript: Transcript | None = None

    def holding(self, message: TaskMessage) -> AbstractAsyncContextManager[None]:
        """Hold the lease, and renew it at once when another process has written to the record."""
        return self._holding(message)

    @asynccontextmanager
    async def _holding(self, message: TaskMessage) -> AsyncIterator[None]:
        with self._work.notifications.of(self._owned.key) as written:
            async with hold_lease(self._owned, message, renew_now=written):
                yield

    async def run(self) -> None:
        """Transcribe the recording."""
        log.info("job_started", attempt=len(self._owned.value.attempts))
        await self._log.take_over(self._owned.value)
        recording = await self._recording(self._owned.value)
        with metrics.JOB_SECONDS.time():
            if self._work.splitter.should_split(self._owned.value):
                self._transcript = await self._transcribe_in_parts(recording)
            else:
                self._transcript = await self._transcribe(recording)
        self._transcript.warnings.extend(track_warnings(recording))

    async def _transcribe(self, recording: Recording) -> Transcript:
        record = self._owned.value
        pipeline = await self._work.pipelines.open(record.config, record.options)
        async with open_transcript_writer(self._work.blobs, self._log, record, pipeline) as writer:
            transcript = await self._work.recognizer.recognize(record, recording, writer)
        transcript.warnings.extend(writer.warnings)
        return transcript

    async def _transcribe_in_parts(self, recording: Recording) -> Transcript:
        """Have the recording transcribed in parts. Their texts have passed the stages on their workers."""
        record = await self._owned.update(_mark_split)
        self._slot.release()
        pipeline = self._work.pipelines.without_stages()
        async with open_transcript_writer(self._work.blobs, self._log, record, pipeline) as writer:
            return await self._work.splitter.transcribe(record, recording, writer)

    async def commit(self) -> None:
        """Write that the job has succeeded, with its transcript."""
        transcript = self._transcript
        if transcript is None:
            raise AssertionError("a job is committed only with its transcript")
        with metrics.step("commit"):
            record = await self._owned.update(lambda value: transitions.succeed(value, transcript))
            await self._log.append_state(record)
        await self._work.clean(record)
        metrics.job_ended("succeeded", "", transcript.audio_duration.ToNanoseconds() / 1e9)
        log.info("job_succeeded", segments=transcript.segment_count)

    async def fail(self, cause: BaseException) -> Retry | None:
        """Write why the attempt failed. Another one follows after a wait, if that may help and the job has one left."""
        error, may_pass = explain(cause)
        again = may_pass and self._work.claims.has_attempts_left(self._owned.value)
        await self._log.hold_position()
        record = await self._owned.update(lambda value: transitions.fail_attempt(value, error, is_final=not again))
        if not again:
            await self._work.park(record)
        await self._log.append_state(record)
        if not again:
            await self._work.clean(record)
        metrics.job_ended("retried" if again else "failed", reason_of(error), 0)
        log.warning("job_failed", reason=reason_of(error), again=again, attempt=len(record.attempts))
        tries = transitions.counted_attempts(record)
        delay = backoff(tries, first_seconds=BACKOFF_SECONDS, seconds_max=BACKOFF_SECONDS_MAX)
        return Retry(delay) if again else None

    async def hand_over(self) -> None:
        """Hand the job over at once, because this worker stops."""
        await self._log.hold_position()
        record = await self._owned.update(transitions.hand_over)
        await self._log.append_state(record)
        metrics.job_ended("handed_over", "", 0)
        log.info("job_handed_over")

    async def _recording(self, record: TranscriptionRecord) -> Recording:
        """The recording of a job."""
        if record.HasField("part"):
            return Recording(record.part.size_bytes)
        upload = await self._work.uploads.get(subjects.record(record.tenant, record.upload_id))
        if upload is None:
            raise TiroError(grpc.StatusCode.NOT_FOUND, reasons.ERROR_REASON_UPLOAD_NOT_FOUND, "the upload was deleted")
        return recording_of(upload.value, record.options)


def _mark_split(record: TranscriptionRecord) -> None:
    record.split = True
