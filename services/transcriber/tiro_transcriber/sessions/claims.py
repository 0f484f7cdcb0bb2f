"""Claiming a live session for one worker."""

from datetime import timedelta

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro_core.leases.claims import Claimed, Deferred, Refusal, Terminal, WrongModel, claim_record
from tiro_core.leases.owned_record import OwnedRecord
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore
from tiro_transcriber.engine.suitability import Suitability, wrong_worker_retry
from tiro_transcriber.sessions.load import SessionLoad

LEASE_SECONDS = 3.0
"""The lease of a live session: how long its owner may be silent. It is most of the interruption that a caller sees when
a worker dies. It equals the redelivery time of the task message."""
NO_CAPACITY_RETRY = timedelta(milliseconds=200)
"""The delay after which the task message of a session is delivered again when this worker has no capacity for it."""


class SessionClaims:
    """Claims sessions for one worker. One that has lost its worker is claimed beyond the capacity for new ones."""

    def __init__(self, bus: Bus, worker: WorkerRecord, suitability: Suitability, load: SessionLoad) -> None:
        self._bus = bus
        self._store = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
        self._worker = worker
        self._suitability = suitability
        self._load = load

    async def claim(self, key: str) -> Claimed[OwnedRecord[SessionRecord]] | Refusal[SessionRecord]:
        """Claim a session, or return why not."""
        return await claim_record(
            self._bus, self._store, key, self, worker_id=self._worker.worker_id, lease_seconds=LEASE_SECONDS
        )

    def refusal(self, record: SessionRecord) -> Refusal[SessionRecord] | None:
        """Why this worker does not claim a session: it is over, of another model, or left to another worker."""
        if record.state == SessionRecord.STATE_ENDED:
            return Terminal(record)
        wanted = record.recognition
        if (wanted.engine, wanted.model) != (self._worker.engine, self._worker.model):
            return WrongModel(record)
        if self._suitability.leaves_to_others(record):
            return Deferred(wrong_worker_retry())
        has_capacity = self._load.has_capacity_for_orphan if record.epoch else self._load.has_capacity
        return None if has_capacity else Deferred(NO_CAPACITY_RETRY)

    def begin(self, record: SessionRecord) -> bool:
        """Change the record for its new owner. An earlier owner that did not hand over was lost, and is counted."""
        record.failure_count += record.state == SessionRecord.STATE_ACTIVE
        record.state = SessionRecord.STATE_ACTIVE
        return True
