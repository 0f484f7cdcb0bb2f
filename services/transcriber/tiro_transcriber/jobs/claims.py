"""Claiming a job: delivery only offers it, the record decides."""

from datetime import timedelta

import grpc
from google.rpc.status_pb2 import Status

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.clock import now
from tiro_core.errors import TiroError
from tiro_core.jobs.states import TERMINAL, enter
from tiro_core.jobs.transitions import counted_attempts, give_up
from tiro_core.leases.claims import Claimed, Deferred, Terminal
from tiro_core.leases.owned_record import OwnedRecord, claimable_in, new_lease
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.publishing import Conflict
from tiro_core.messaging.records import RecordStore

LEASE_SECONDS = 15.0
"""How long a worker may be silent before its job is another's. Shorter than the redelivery of its message."""


class JobClaimer:
    """Claims jobs for one worker."""

    def __init__(self, bus: Bus, worker_id: str, attempts_max: int) -> None:
        self._bus = bus
        self._store = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
        self._worker_id = worker_id
        self._attempts_max = attempts_max

    async def claim(self, key: str) -> Claimed[TranscriptionRecord] | Deferred | Terminal[TranscriptionRecord]:
        """Claim a job, or say why not. One that was begun too often is FAILED by this."""
        while True:
            stored = await self._store.get(key)
            if stored is None or stored.value.removing:
                return Terminal(None)
            if stored.value.state in TERMINAL:
                return Terminal(stored.value)
            left = claimable_in(self._bus, stored.value, LEASE_SECONDS)
            if stored.value.state == Transcription.STATE_RUNNING and left > 0:
                return Deferred(timedelta(seconds=left))
            record = TranscriptionRecord()
            record.CopyFrom(stored.value)
            exhausted = counted_attempts(record) >= self._attempts_max
            if exhausted:
                give_up(record, _exhausted(record))
            else:
                self._begin(record)
            try:
                written = await self._store.update(key, record, stored.revision)
            except Conflict:
                continue
            if exhausted:
                return Terminal(written.value)
            return Claimed(
                OwnedRecord(self._store, key, written, worker_id=self._worker_id, lease_seconds=LEASE_SECONDS)
            )

    async def look(self, key: str) -> TranscriptionRecord | None:
        """A job as it stands. None when it was deleted."""
        stored = await self._store.get(key)
        return stored.value if stored is not None else None

    def _begin(self, record: TranscriptionRecord) -> None:
        enter(record, Transcription.STATE_RUNNING)
        record.epoch += 1
        record.lease.CopyFrom(new_lease(self._worker_id, LEASE_SECONDS))
        record.attempts.append(Transcription.Attempt(worker_id=self._worker_id, start_time=now()))
        record.ClearField("transcribed_duration")


def _exhausted(record: TranscriptionRecord) -> Status:
    """Say why a record gets no more attempts: WORKER_CRASHED when no counted one lived to tell its end."""
    counted = [attempt for attempt in record.attempts if not attempt.handed_over]
    if not any(attempt.HasField("end_time") for attempt in counted):
        message = f"given up after {len(counted)} attempts: the worker was lost at each of them"
        return TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_WORKER_CRASHED, message).to_status()
    last = counted[-1]
    cause = last.error.message if last.HasField("error") else "its worker was lost"
    message = f"given up after {len(counted)} attempts; at the last one: {cause}"
    return TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_ATTEMPTS_EXHAUSTED, message).to_status()
