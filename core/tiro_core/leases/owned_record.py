"""Owning a record: claimed by compare-and-set with an epoch, kept by renewing a lease, lost when a write is refused.

A job, a live session and the maintenance of a deployment are owned alike. An owner that was paused or cut off finds its
next write refused: another one has increased the epoch.
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
    """How long the record's owner may be silent before another one may claim it; 0 or less when it may now."""
    return seconds_until(record.lease.expire_time) if record.HasField("lease") else 0.0


def claimable_in(bus: Bus, record: Ownable, lease_seconds: float) -> float:
    """In how many seconds another worker may claim a record; 0 or less when it may now.

    While NATS was away no owner could renew: one that is alive gets the length of a lease to do so.
    """
    if not record.HasField("lease"):
        return 0.0
    return max(lease_seconds_left(record), lease_seconds - bus.seconds_since_outage)


def new_lease(worker_id: str, lease_seconds: float) -> Lease:
    """A lease from now on."""
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
        """The record as last written. Not to be changed."""
        return self._stored.value

    @property
    def epoch(self) -> int:
        """The number under which this worker owns it."""
        return self._stored.value.epoch

    @property
    def lease_seconds(self) -> float:
        """How long a renewal is good for."""
        return self._lease_seconds

    async def update(self, change: Callable[[R], None]) -> R:
        """Change the record.

        Raises:
            OwnershipLost: It is no longer ours.
            StreamFull: There is no room for it.
            BusUnavailable: NATS stayed away.
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
        """Extend the lease, and write what else there is to note.

        Raises:
            OwnershipLost: It is no longer ours.
            StreamFull: There is no room for it.
            BusUnavailable: NATS stayed away.
        """

        def change(record: R) -> None:
            record.lease.CopyFrom(new_lease(self._worker_id, self._lease_seconds))
            note(record)

        await self.update(change)

    async def _read_again(self, known: R) -> None:
        """Take in what another writer changed. One that changed the epoch or the state has taken the record."""
        stored = await self._store.get(self.key)
        if stored is None or _owner_of(stored.value) != _owner_of(known):
            raise OwnershipLost(self.key)
        self._stored = stored


def _owner_of(record: Ownable) -> tuple[int, int]:
    """What differs once a record was taken from its owner: its epoch, and its state if it has one."""
    return record.epoch, 0 if isinstance(record, MaintenanceRecord) else record.state
