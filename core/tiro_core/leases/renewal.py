"""Holding a lease: the record's lease and the message's redelivery are both extended while the work goes on."""

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
"""How often a lease is renewed before it would run out."""


@asynccontextmanager
async def hold_lease(
    owned: OwnedRecord[R],
    message: TaskMessage,
    note: Callable[[R], None] = lambda _: None,
    *,
    interval_seconds: float | None = None,
    renew_now: asyncio.Event | None = None,
) -> AsyncIterator[None]:
    """Renew while the context lasts. When a renewal is refused the work inside is cancelled at once.

    Args:
        owned: The record.
        message: The task message that it was claimed for.
        note: Writes into the record how far the work is, with each renewal.
        interval_seconds: How often to renew. None: `RENEWALS_A_LEASE` times a lease.
        renew_now: Set when there is reason to believe that the record is no longer ours: it is renewed at once.

    Raises:
        ExceptionGroup: With `OwnershipLost` when the record is no longer ours, or what the work raised.
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
        # A renewal that NATS took late is worth less: the next one comes sooner.
        left = lease_seconds_left(owned.value)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(interval_seconds, left - interval_seconds))):
                await renew_now.wait()
        renew_now.clear()
        with suppress(BusUnavailable):  # it only puts the redelivery off; the renewal decides
            await message.extend()
        await owned.renew(note)
