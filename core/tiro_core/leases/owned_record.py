"""Owning a record: claimed by compare-and-set with an epoch, kept by renewing a lease, lost when a write is refused.

Jobs, live sessions and the maintenance of a deployment are owned in the same way. The next write of an owner that was
paused or cut off is refused, because another owner has increased the epoch.
"""

import asyncio
import copy
from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.maintenance_pb2 import MaintenanceRecord
from tiro.events.v1.transcription_pb2 import Lease, TranscriptionRecord
from tiro_core.clock import in_seconds, seconds_until
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict
from tiro_core.messaging.records import RecordStore, Stored, Superseded

Ownable: TypeAlias = TranscriptionRecord | SessionRecord | MaintenanceRecord
"""The records that have owners."""

R = TypeVar("R", bound=Ownable)


class OwnershipLost(Exception):  # noqa: N818 - the worker has made no error; it has been replaced
    """The record has another owner, or is over."""


def lease_seconds_left(record: Ownable) -> float:
    """The seconds until the lease of a record expires; 0 or less when it has expired."""
    return seconds_until(record.lease.expire_time) if record.HasField("lease") else 0.0


def claimable_in(bus: Bus, record: Ownable, lease_seconds: float) -> float:
    """The seconds until another worker may claim a record; 0 or less when it may now.

    While NATS was away no owner could renew. So after an outage a live owner gets the length of a lease to do so.
    """
    if not record.HasField("lease"):
        return 0.0
    return max(lease_seconds_left(record), lease_seconds - bus.seconds_since_outage)


def new_lease(worker_id: str, lease_seconds: float) -> Lease:
    """A lease that begins now."""
    return Lease(worker_id=worker_id, expire_time=in_seconds(lease_seconds))


class OwnedRecord(Generic[R]):
    """A record that this worker owns. All its writes go through here, one after the other."""

    def __init__(
        self, store: RecordStore[R], key: str, stored: Stored[R], *, worker_id: str, lease_seconds: float
    ) -> None:
        self._store = store
        self._stored = stored
        self._worker_id = worker_id
        self._lease_seconds = lease_seconds
        self._writing = asyncio.Lock()
        self.key = key

    @property
    def value(self) -> R:
        """The record as last written. Callers must not change it."""
        return self._stored.value

    @property
    def epoch(self) -> int:
        """The number of this worker's ownership."""
        return self._stored.value.epoch

    @property
    def lease_seconds(self) -> float:
        """The length of the lease."""
        return self._lease_seconds

    async def update(self, change: Callable[[R], None]) -> R:
        """Change the record.

        Raises:
            OwnershipLost: The record has another owner, or is over.
            StreamFull: NATS has no room for the record.
            BusUnavailable: NATS did not answer.
        """
        async with self._writing:
            while True:
                value = copy.deepcopy(self._stored.value)
                change(value)
                try:
                    self._stored = await self._store.update(self.key, value, self._stored)
                except Superseded:
                    await self._read_again(value)
                    return self._stored.value
                except Conflict:
                    await self._read_again(self._stored.value)
                else:
                    return self._stored.value

    async def renew(self, note: Callable[[R], None] = lambda _: None) -> None:
        """Extend the lease, and apply `note` to the record.

        Raises:
            OwnershipLost: The record has another owner, or is over.
            StreamFull: NATS has no room for the record.
            BusUnavailable: NATS did not answer.
        """

        def change(record: R) -> None:
            record.lease.CopyFrom(new_lease(self._worker_id, self._lease_seconds))
            note(record)

        await self.update(change)

    async def _read_again(self, known: R) -> None:
        """Read the record again after another write. A writer that changed its epoch or state has taken it."""
        stored = await self._store.get(self.key)
        if stored is None or _owner_of(stored.value) != _owner_of(known):
            raise OwnershipLost(self.key)
        self._stored = stored


def _owner_of(record: Ownable) -> tuple[int, int]:
    """The values that change when a record is taken from its owner: its epoch, and its state if it has one."""
    return record.epoch, 0 if isinstance(record, MaintenanceRecord) else record.state
