"""Claiming a record: delivery of a task message only offers it, the record decides."""

import copy
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, Protocol, TypeAlias, TypeVar

from tiro_core.leases.owned_record import Ownable, OwnedRecord, claimable_in, new_lease
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict
from tiro_core.messaging.records import RecordStore

C = TypeVar("C")
R = TypeVar("R", bound=Ownable)


@dataclass(frozen=True, slots=True)
class Claimed(Generic[C]):
    """The work is ours."""

    claim: C
    """What it is done with: an `OwnedRecord` where there is a lease."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """It is not for us now: another worker holds its lease, or this one has no capacity."""

    retry_in: timedelta


@dataclass(frozen=True, slots=True)
class Terminal(Generic[R]):
    """It needs no worker: it is over, as the record says, or there is no record."""

    record: R | None


@dataclass(frozen=True, slots=True)
class WrongModel(Generic[R]):
    """It needs a worker of another engine or model."""

    record: R


Refusal: TypeAlias = Deferred | Terminal[R] | WrongModel[R]


class Claimable(Protocol[R]):
    """What claiming means for one kind of record."""

    def refusal(self, record: R) -> "Refusal[R] | None":
        """Why this worker does not claim the record. None: it may, unless another one holds the lease."""

    def begin(self, record: R) -> bool:
        """Change the record as its new owner. False: the change ends it instead, and it has no owner."""


async def claim_record(
    bus: Bus, store: RecordStore[R], key: str, kind: Claimable[R], *, worker_id: str, lease_seconds: float
) -> "Claimed[OwnedRecord[R]] | Refusal[R]":
    """Claim a record, or say why not.

    Args:
        bus: The connection.
        store: Where the record is.
        key: Which record.
        kind: What claiming means for it.
        worker_id: Who claims.
        lease_seconds: How long the owner may be silent before its record may be claimed by another.

    Raises:
        BusUnavailable: NATS stayed away.
    """
    while True:
        stored = await store.get(key)
        if stored is None:
            return Terminal(None)
        refusal = kind.refusal(stored.value)
        if refusal is not None:
            return refusal
        left = claimable_in(bus, stored.value, lease_seconds)
        if left > 0:
            return Deferred(timedelta(seconds=left))
        record = copy.deepcopy(stored.value)
        is_claimed = kind.begin(record)
        if is_claimed:
            record.epoch += 1
            record.lease.CopyFrom(new_lease(worker_id, lease_seconds))
        try:
            written = await store.update(key, record, stored)
        except Conflict:
            continue
        if not is_claimed:
            return Terminal(written.value)
        return Claimed(OwnedRecord(store, key, written, worker_id=worker_id, lease_seconds=lease_seconds))
