"""OwnerNotifications: a worker is told that somebody has written to a record which it owns, so that it looks at once.

A nudge may be lost. The next renewal of the worker's lease finds out the same.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from nats.aio.msg import Msg

from tiro_core.messaging import subjects
from tiro_core.messaging.connection import Bus


async def notify_owner(bus: Bus, worker_id: str, key: str) -> None:
    """Tell a worker to look at the record with this key."""
    await bus.client.publish(subjects.notifications(worker_id), key.encode())


class OwnerNotifications:
    """The nudges of one worker. Use `open_owner_notifications`."""

    def __init__(self, worker_id: str) -> None:
        self.worker_id = worker_id
        self._looking: dict[str, asyncio.Event] = {}

    @contextmanager
    def looking(self, key: str) -> Iterator[asyncio.Event]:
        """An event that is set when somebody says to look at this record."""
        event = self._looking[key] = asyncio.Event()
        try:
            yield event
        finally:
            del self._looking[key]

    async def take(self, message: Msg) -> None:
        """Pass a nudge on to whoever has the record. Nobody may have it any more."""
        event = self._looking.get(message.data.decode(errors="replace"))
        if event is not None:
            event.set()


@asynccontextmanager
async def open_owner_notifications(bus: Bus, worker_id: str) -> AsyncIterator[OwnerNotifications]:
    """The nudges of a worker while the context lasts."""
    notifications = OwnerNotifications(worker_id)
    subscription = await bus.client.subscribe(subjects.notifications(worker_id), cb=notifications.take)
    try:
        yield notifications
    finally:
        if bus.is_connected:
            await subscription.unsubscribe()
