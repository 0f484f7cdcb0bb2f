"""Claiming a live session: delivery only offers it, the record decides."""

from dataclasses import dataclass
from datetime import timedelta

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro_core.leases.claims import Claimed, Deferred, Terminal
from tiro_core.leases.owned_record import OwnedRecord, claimable_in, new_lease
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.publishing import Conflict
from tiro_core.messaging.records import RecordStore
from tiro_transcriber.sessions.load import SessionLoad

LEASE_SECONDS = 3.0
"""How long a worker may be silent before its session is another's. Somebody is waiting: this is most of the pause that
they see when a worker dies. Renewed three times as often, and as long as the redelivery of its message."""
NO_ROOM_RETRY = timedelta(milliseconds=200)
"""When a session that this worker has no room for is offered again, to it or to another one."""


@dataclass(frozen=True, slots=True)
class WrongModel:
    """It is for the workers of another engine now."""

    record: SessionRecord


async def claim(
    bus: Bus, store: RecordStore[SessionRecord], key: str, worker: WorkerRecord, load: SessionLoad
) -> Claimed[SessionRecord] | Deferred | Terminal[SessionRecord] | WrongModel:
    """Claim a session, or say why not. One that has lost its worker is taken also when a new one would not be."""
    while True:
        stored = await store.get(key)
        if stored is None or stored.value.state == SessionRecord.STATE_ENDED:
            return Terminal(stored.value if stored else None)
        wanted = stored.value.recognition
        if (wanted.engine, wanted.model) != (worker.engine, worker.model):
            return WrongModel(stored.value)
        left = claimable_in(bus, stored.value, LEASE_SECONDS)
        if stored.value.state == SessionRecord.STATE_ACTIVE and left > 0:
            return Deferred(timedelta(seconds=left))
        if not (load.has_room_for_orphan if stored.value.epoch else load.has_room):
            return Deferred(NO_ROOM_RETRY)
        record = SessionRecord()
        record.CopyFrom(stored.value)
        record.failure_count += record.state == SessionRecord.STATE_ACTIVE  # its owner was lost
        record.state = SessionRecord.STATE_ACTIVE
        record.epoch += 1
        record.lease.CopyFrom(new_lease(worker.worker_id, LEASE_SECONDS))
        try:
            written = await store.update(key, record, stored.revision)
        except Conflict:
            continue
        return Claimed(OwnedRecord(store, key, written, worker_id=worker.worker_id, lease_seconds=LEASE_SECONDS))
