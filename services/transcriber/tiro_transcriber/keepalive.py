"""Keeping what is owned: the record's lease and the message's redelivery are both put off while the work goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from nats.aio.msg import Msg

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro_core.bus.ownership import OwnedRecord

R = TypeVar("R", bound=TranscriptionRecord | SessionRecord)


@asynccontextmanager
async def kept(owned: OwnedRecord[R], message: Msg, interval_seconds: float) -> AsyncIterator[None]:
    """Renew while the context lasts. When a renewal is refused the work inside is cancelled at once.

    Raises:
        ExceptionGroup: With `OwnershipLost` when the record is no longer ours, or what the work raised.
    """
    async with asyncio.TaskGroup() as tasks:
        renewing = tasks.create_task(_renew(owned, message, interval_seconds), name="lease")
        try:
            yield
        finally:
            renewing.cancel()


async def _renew(owned: OwnedRecord[R], message: Msg, interval_seconds: float) -> None:
    while True:
        await asyncio.sleep(interval_seconds)
        await message.in_progress()
        await owned.renew()
