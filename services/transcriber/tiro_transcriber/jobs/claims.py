"""Claiming a job for one worker."""

import grpc
from google.rpc.status_pb2 import Status

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.errors import TiroError
from tiro_core.jobs.records import JobRecords
from tiro_core.jobs.states import TERMINAL
from tiro_core.jobs.transitions import begin_attempt, counted_attempts, give_up
from tiro_core.leases.claims import Claimed, Deferred, Refusal, Terminal, claim_record
from tiro_core.leases.owned_record import OwnedRecord
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore
from tiro_transcriber.engine.suitability import Suitability, wrong_worker_retry

LEASE_SECONDS = 15.0
"""The lease of a job: how long its owner may be silent. Shorter than the redelivery time of its task message."""


class JobClaims:
    """Claims jobs for one worker."""

    def __init__(self, bus: Bus, worker_id: str, suitability: Suitability, attempts_max: int) -> None:
        self._bus = bus
        self._store = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
        self._worker_id = worker_id
        self._suitability = suitability
        self._attempts_max = attempts_max

    async def claim(self, key: str) -> Claimed[OwnedRecord[TranscriptionRecord]] | Refusal[TranscriptionRecord]:
        """Claim a job, or return why not. A job without attempts left fails here."""
        return await claim_record(
            self._bus, self._store, key, self, worker_id=self._worker_id, lease_seconds=LEASE_SECONDS
        )

    def refusal(self, record: TranscriptionRecord) -> Refusal[TranscriptionRecord] | None:
        """Why this worker does not claim a job: it is over or being deleted, or left to another worker."""
        if record.removing:
            return Terminal(None)
        if record.state in TERMINAL:
            return Terminal(record)
        return Deferred(wrong_worker_retry()) if self._suitability.leaves_to_others(record) else None

    def begin(self, record: TranscriptionRecord) -> bool:
        """Begin an attempt, or fail a job that has none left."""
        if not self.has_attempts_left(record):
            give_up(record, _exhausted(record))
            return False
        begin_attempt(record, self._worker_id)
        return True

    def has_attempts_left(self, record: TranscriptionRecord) -> bool:
        """Whether a job may have another attempt."""
        return counted_attempts(record) < self._attempts_max

    async def read(self, key: str) -> TranscriptionRecord | None:
        """The record of a job. None when it was deleted."""
        stored = await JobRecords(self._bus).get(key)
        return stored.value if stored is not None else None


def _exhausted(record: TranscriptionRecord) -> Status:
    """The error of a job without attempts left: WORKER_CRASHED when each counted attempt has lost its worker."""
    counted = [attempt for attempt in record.attempts if not attempt.handed_over]
    if not any(attempt.HasField("end_time") for attempt in counted):
        message = f"given up after {len(counted)} attempts: the worker was lost at each of them"
        return TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_WORKER_CRASHED, message).to_status()
    last = counted[-1]
    cause = last.error.message if last.HasField("error") else "its worker was lost"
    message = f"given up after {len(counted)} attempts; at the last one: {cause}"
    return TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_ATTEMPTS_EXHAUSTED, message).to_status()
