"""Ending a job that its caller does not want any more."""

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.bus import topology
from tiro_core.bus.connection import Bus
from tiro_core.bus.nudges import nudge
from tiro_core.bus.records import RecordStore
from tiro_core.bus.subjects import record as record_key
from tiro_core.clock import now
from tiro_core.errors import failed_precondition
from tiro_core.jobs.history import JobHistory
from tiro_core.jobs.states import TERMINAL, enter, state_name
from tiro_core.logs import get_logger
from tiro_ingest.metrics import JOBS_CANCELLED
from tiro_ingest.transcriptions import no_transcription

log = get_logger()


class Canceller:
    """Cancels jobs."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)

    async def cancel(self, tenant: str, job_id: str) -> TranscriptionRecord:
        """End a job. Whoever works on it is refused from here on, and told to stop.

        A service that dies before the history has its end leaves that to whoever looks: the record decides.

        Raises:
            TiroError: NOT_FOUND; or FAILED_PRECONDITION, it is over.
        """
        owner = ""

        def end(record: TranscriptionRecord) -> None:
            nonlocal owner
            if record.removing:
                raise no_transcription(job_id)
            if record.state in TERMINAL:
                state = state_name(record)
                raise failed_precondition(
                    reasons.ERROR_REASON_TRANSCRIPTION_ENDED, f"the transcription is {state}", state=state
                )
            owner = record.lease.worker_id
            withdraw(record)

        try:
            record = (await self._records.mutate(record_key(tenant, job_id), end)).value
        except KeyError:
            raise no_transcription(job_id) from None
        if owner:
            await nudge(self._bus, owner, record_key(tenant, job_id))
        await JobHistory(self._bus, tenant, job_id).end_with(record)
        JOBS_CANCELLED.inc()
        log.info("job_cancelled")
        return record


def withdraw(record: TranscriptionRecord) -> None:
    """Make a record CANCELLED, and take it from its owner."""
    if record.state == Transcription.STATE_RUNNING:
        record.attempts[-1].end_time.CopyFrom(now())
    enter(record, Transcription.STATE_CANCELLED)
    record.epoch += 1
