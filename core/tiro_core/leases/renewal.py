"""Keeping what is owned: the record's lease and the message's redelivery are both put off while the work goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from nats.aio.msg import Msg

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro_core.leases.owned_record import OwnedRecord, lease_seconds_left
from tiro_core.messaging.publishing import TRANSIENT

R = TypeVar("R", bound=TranscriptionRecord | SessionRecord)


@asynccontextmanager
async def hold_lease(
    owned: OwnedRecord[R],
    message: Msg,
    interval_seconds: float,
    note: Callable[[R], None] = lambda _: None,
    *,
    look: asyncio.Event | None = None,
) -> AsyncIterator[None]:
    """Renew while the context lasts. When a renewal is refused the work inside is cancelled at once.

    Args:
        owned: The record.
        message: The hint that it was claimed for.
        interval_seconds: How often to renew.
        note: Writes into the record how far the work is, with each renewal.
        look: Set when there is reason to believe that the record is no longer ours: it is renewed at once.

    Raises:
        ExceptionGroup: With `OwnershipLost` when the record is no longer ours, or what the work raised.
    """
    async with asyncio.TaskGroup() as tasks:
        renewal = _renew(owned, message, interval_seconds, note, look or asyncio.Event())
        renewing = tasks.create_task(renewal, name="lease")
        try:
            yield
        finally:
            renewing.cancel()


async def _renew(
    owned: OwnedRecord[R], message: Msg, interval_seconds: float, note: Callable[[R], None], look: asyncio.Event
) -> None:
    while True:
        # A renewal that NATS took late is worth less: the next one comes sooner.
        left = lease_seconds_left(owned.value)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(interval_seconds, left - interval_seconds))):
                await look.wait()
        look.clear()
        with suppress(*TRANSIENT):  # it only puts the redelivery off; the renewal decides
            await message.in_progress()
        await owned.renew(note)
