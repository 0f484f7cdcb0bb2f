"""Holding a lease: during the work the record's lease is renewed, and the redelivery of its task message postponed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro_core.leases.owned_record import OwnedRecord, lease_seconds_left
from tiro_core.messaging.errors import BusUnavailable
from tiro_core.messaging.queues.work_queue import TaskMessage

R = TypeVar("R", bound=TranscriptionRecord | SessionRecord)

RENEWALS_A_LEASE = 3
"""How often a lease is renewed before it would expire."""


@asynccontextmanager
async def hold_lease(
    owned: OwnedRecord[R],
    message: TaskMessage,
    note: Callable[[R], None] = lambda _: None,
    *,
    interval_seconds: float | None = None,
    renew_now: asyncio.Event | None = None,
) -> AsyncIterator[None]:
    """Renew a lease while the context lasts. When a renewal is refused, the work inside is cancelled at once.

    Args:
        owned: The record.
        message: The task message for which the record was claimed.
        note: Writes the progress of the work into the record, with each renewal.
        interval_seconds: The time between renewals. None: `RENEWALS_A_LEASE` times a lease.
        renew_now: Set when another process has written to the record: the lease is then renewed at once.

    Raises:
        ExceptionGroup: With `OwnershipLost` when the record has another owner, or with what the work raised.
    """
    seconds = owned.lease_seconds / RENEWALS_A_LEASE if interval_seconds is None else interval_seconds
    async with asyncio.TaskGroup() as tasks:
        renewal = _renew(owned, message, seconds, note, renew_now or asyncio.Event())
        renewing = tasks.create_task(renewal, name="lease")
        try:
            yield
        finally:
            renewing.cancel()


async def _renew(
    owned: OwnedRecord[R],
    message: TaskMessage,
    interval_seconds: float,
    note: Callable[[R], None],
    renew_now: asyncio.Event,
) -> None:
    while True:
        # A renewal that was delayed leaves less of the lease, so the next one comes sooner.
        left = lease_seconds_left(owned.value)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(interval_seconds, left - interval_seconds))):
                await renew_now.wait()
        renew_now.clear()
        with suppress(BusUnavailable):  # this only postpones the redelivery; the renewal decides
            await message.extend()
        await owned.renew(note)
