"""Cancelling jobs."""

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.blobs.interface import BlobStore
from tiro_core.errors import failed_precondition
from tiro_core.jobs.event_log import JobEventLog
from tiro_core.jobs.records import JobRecords
from tiro_core.jobs.removal import remove_parts
from tiro_core.jobs.states import TERMINAL, state_name
from tiro_core.jobs.transitions import cancel
from tiro_core.leases.notifications import notify_owner
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.subjects import record as record_key
from tiro_ingest.jobs.store import no_transcription
from tiro_ingest.metrics import JOBS_CANCELLED

log = get_logger()


class JobCanceller:
    """Cancels jobs."""

    def __init__(self, bus: Bus, blobs: BlobStore) -> None:
        self._bus = bus
        self._blobs = blobs
        self._records = JobRecords(bus)

    async def cancel(self, tenant: str, job_id: str) -> TranscriptionRecord:
        """Cancel a job. Its owner is notified, and its writes are refused from here on.

        If this service dies before it has written the last event, the next watcher of the job completes the event log.

        Raises:
            TiroError: NOT_FOUND; or FAILED_PRECONDITION, the job is over.
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
            cancel(record)

        try:
            record = (await self._records.mutate(record_key(tenant, job_id), end)).value
        except KeyError:
            raise no_transcription(job_id) from None
        if owner:
            await notify_owner(self._bus, owner, record_key(tenant, job_id))
        await JobEventLog(self._bus, tenant, job_id).ensure_terminal(record)
        if record.split:
            await remove_parts(self._bus, self._blobs, tenant, job_id)
        JOBS_CANCELLED.inc()
        log.info("job_cancelled")
        return record
