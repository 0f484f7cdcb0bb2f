"""Claiming a record: a task message is only a hint, the record decides."""

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
    """This worker owns the work."""

    claim: C
    """The claim: an `OwnedRecord` where there is a lease."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """The work cannot be claimed now: another worker holds its lease, or this worker has no capacity."""

    retry_in: timedelta


@dataclass(frozen=True, slots=True)
class Terminal(Generic[R]):
    """The work needs no worker: its record says that it is over, or does not exist."""

    record: R | None


@dataclass(frozen=True, slots=True)
class WrongModel(Generic[R]):
    """The work needs a worker of another engine or model."""

    record: R


Refusal: TypeAlias = Deferred | Terminal[R] | WrongModel[R]


class Claimable(Protocol[R]):
    """The rules of claiming one kind of record."""

    def refusal(self, record: R) -> "Refusal[R] | None":
        """Why this worker does not claim the record. None: it may, unless another worker holds the lease."""

    def begin(self, record: R) -> bool:
        """Change the record for its new owner. False: the change ends the work instead, and the record has no owner."""


async def claim_record(
    bus: Bus, store: RecordStore[R], key: str, kind: Claimable[R], *, worker_id: str, lease_seconds: float
) -> "Claimed[OwnedRecord[R]] | Refusal[R]":
    """Claim a record, or return why not.

    Args:
        bus: The connection.
        store: The store of the record.
        key: The key of the record.
        kind: The rules of claiming it.
        worker_id: The id of the worker that claims.
        lease_seconds: How long the owner may be silent before its record may be claimed by another.

    Raises:
        BusUnavailable: NATS did not answer.
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
