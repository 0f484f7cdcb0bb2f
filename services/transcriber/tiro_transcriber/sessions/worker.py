"""Live sessions, as owned work: claimed and transcribed, then ended, handed over, or moved to another engine."""

from contextlib import AbstractAsyncContextManager

import grpc
from google.rpc.status_pb2 import Status

from tiro.events.v1.live_pb2 import SessionRecord, SessionTask
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.blobs.interface import BlobStore
from tiro_core.errors import TiroError
from tiro_core.leases.claims import Claimed, Refusal
from tiro_core.leases.owned_record import OwnedRecord
from tiro_core.leases.renewal import hold_lease
from tiro_core.leases.runner import Retry, Task
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.operations import purge
from tiro_core.messaging.queues.work_queue import Slot, TaskMessage
from tiro_transcriber import metrics
from tiro_transcriber.engine.suitability import Suitability
from tiro_transcriber.sessions.checkpoint import CheckpointTracker
from tiro_transcriber.sessions.claims import SessionClaims
from tiro_transcriber.sessions.engine_run import EngineRun
from tiro_transcriber.sessions.load import SessionLoad
from tiro_transcriber.sessions.mover import SessionMover
from tiro_transcriber.sessions.output import EventsLost, SessionOutput
from tiro_transcriber.sessions.recording import AudioKeeper

FAILURES_MAX = 4
"""The number of workers lost or failed on a session, without progress in between, after which it ends with an error."""
RETRY_SECONDS = 0.5

log = get_logger()

Owned = OwnedRecord[SessionRecord]


class SessionWork:
    """The live sessions of one worker."""

    kind = "session"

    def __init__(
        self,
        bus: Bus,
        blobs: BlobStore,
        worker: WorkerRecord,
        load: SessionLoad,
        *,
        suitability: Suitability,
        engine_run: EngineRun,
        mover: SessionMover,
    ) -> None:
        self.bus = bus
        self.worker_id = worker.worker_id
        self.load = load
        self.engine_run = engine_run
        self.mover = mover
        self.audio = AudioKeeper(bus, blobs, failures_max=FAILURES_MAX)
        self._claims = SessionClaims(bus, worker, suitability, load)

    def task_of(self, data: bytes) -> Task:
        """Read a task message."""
        task = SessionTask.FromString(data)
        return Task(task.tenant, task.session_id)

    async def claim(self, key: str) -> Claimed[Owned] | Refusal[SessionRecord]:
        """Claim a session, or return why not."""
        return await self._claims.claim(key)

    def attempt(self, claim: Owned, slot: Slot) -> "SessionAttempt":  # noqa: ARG002 - a session keeps its slot
        """Make an attempt at a session."""
        return SessionAttempt(self, claim)

    async def finish(self, record: SessionRecord | None) -> None:
        """Remove the audio of a session that has ended: its owner may have died before it did."""
        if record is not None:
            await self.remove_audio(record)

    async def remove_audio(self, record: SessionRecord) -> None:
        """Remove what is on a session's audio log."""
        await purge(self.bus, topology.LIVE_AUDIO, subjects.live_audio(record.tenant, record.session_id))

    async def redirect(self, record: SessionRecord) -> None:
        """Pass on a session that another engine serves by now."""
        await self.mover.pass_on(record)

    async def tidy(self, key: str) -> None:  # noqa: ARG002 - the next owner uses everything that was written
        """Count a session that this worker has lost."""
        metrics.SESSIONS.labels("lost").inc()


class SessionAttempt:
    """One attempt at a session, owned by this worker."""

    def __init__(self, work: SessionWork, owned: Owned) -> None:
        self._work = work
        self._owned = owned
        self._output = SessionOutput(work.bus, owned.value)
        self._checkpoint = CheckpointTracker(owned.value.checkpoint, self._output.events)
        self._error: Status | None = None
        self._samples = 0
        self._upload_id = ""
        self._has_moved = False

    def holding(self, message: TaskMessage) -> AbstractAsyncContextManager[None]:
        """Hold the lease, and write the checkpoint with each renewal."""
        return hold_lease(self._owned, message, self._checkpoint.write_to)

    async def run(self) -> None:
        """Serve the session to its end, or move it to another engine."""
        record = self._owned.value
        log.info("session_claimed", epoch=record.epoch)
        if (route := self._work.mover.next_engine(record)) is not None:
            await self._work.mover.move(self._owned, route, f"{record.failure_count} workers lost or failed")
            self._has_moved = True
            return
        if record.epoch > 1:
            metrics.SESSIONS_TAKEN_OVER.inc()
        with self._work.load.session():
            await self._serve(record)

    async def _serve(self, record: SessionRecord) -> None:
        give_up = ""
        try:
            if not await self._output.take_over(self._work.worker_id):
                self._error = self._output.error  # an owner before has published the end, but not written the record
                return
        except EventsLost as lost:
            log.error("session_events_lost", reason=str(lost))  # noqa: TRY400 - a line says it all
            give_up = str(lost)
        if record.failure_count >= FAILURES_MAX:
            give_up = f"given up after {record.failure_count} workers were lost over this session or failed on it"
        if give_up:
            failed = TiroError(grpc.StatusCode.INTERNAL, reasons.ERROR_REASON_SESSION_FAILED, give_up)
            self._error, self._samples = failed.to_status(), self._output.events.next_sample
        else:
            self._error, self._samples = await self._work.engine_run.run(record, self._output, self._checkpoint)
        if self._samples:
            is_whole = self._error is None and not self._output.events.engine_changed
            self._upload_id = await self._work.audio.keep(record, self._samples, is_whole=is_whole)

    async def commit(self) -> None:
        """End the session: in its event log first, then in its record; then remove its audio."""
        if self._has_moved:
            return
        await self._output.end(self._samples, self._error, self._upload_id)

        def end(record: SessionRecord) -> None:
            record.state = SessionRecord.STATE_ENDED
            record.ClearField("lease")
            record.ClearField("checkpoint")  # it has text for a next owner, and there will be none
            if self._error is not None:
                record.error.CopyFrom(self._error)

        record = await self._owned.update(end)
        await self._work.remove_audio(record)
        metrics.SESSIONS.labels("cut_short" if self._error else "ended").inc()
        reason = self._error.message if self._error else ""
        log.info("session_ended", samples=self._samples, finals=self._output.events.final_count, reason=reason)

    async def fail(self, cause: BaseException) -> Retry | None:
        """Move the session to another engine if it needs one and has one; otherwise let another worker try."""
        log.error("session_broken", epoch=self._owned.epoch, exc_info=cause)
        if (route := self._work.mover.next_engine(self._owned.value, cause)) is not None:
            await self._work.mover.move(self._owned, route, type(cause).__name__)
            return None
        await self._owned.update(lambda record: self._give_back(record, failures=1))
        metrics.SESSIONS.labels("broken").inc()
        return Retry(RETRY_SECONDS)

    async def hand_over(self) -> None:
        """Hand the session over at once, so that another worker continues from its checkpoint."""
        await self._owned.update(lambda record: self._give_back(record, failures=0))
        metrics.SESSIONS.labels("handed_over").inc()
        log.info("session_handed_over")

    def _give_back(self, record: SessionRecord, *, failures: int) -> None:
        self._checkpoint.write_to(record)
        record.state = SessionRecord.STATE_WAITING
        record.failure_count += failures
        record.ClearField("lease")
