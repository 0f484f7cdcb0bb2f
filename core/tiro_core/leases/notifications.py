"""Notifications to owners: a worker learns at once that another process has written to a record that it owns.

A notification may be lost: then the next renewal of the worker's lease finds the change.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from tiro_core.messaging import subjects
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.operations import broadcast, listening

UNREAD_MAX = 1024
"""Notifications that wait to be passed on; further ones are dropped."""


async def notify_owner(bus: Bus, worker_id: str, key: str) -> None:
    """Notify a worker that the record with this key was written.

    Raises:
        BusUnavailable: NATS is away.
    """
    await broadcast(bus, subjects.notifications(worker_id), key.encode())


class OwnerNotifications:
    """The notifications of one worker. Use `open_owner_notifications`."""

    def __init__(self, worker_id: str) -> None:
        self.worker_id = worker_id
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    @contextmanager
    def of(self, key: str) -> Iterator[asyncio.Event]:
        """An event that is set when another process has written to this record. Several may wait for one record."""
        event = asyncio.Event()
        self._waiting[key].add(event)
        try:
            yield event
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    async def receive(self, payload: bytes) -> None:
        """Pass a notification on to the tasks that wait for its record, if there are any."""
        for event in self._waiting.get(payload.decode(errors="replace"), ()):
            event.set()


@asynccontextmanager
async def open_owner_notifications(bus: Bus, worker_id: str) -> AsyncIterator[OwnerNotifications]:
    """The notifications of a worker while the context lasts."""
    notifications = OwnerNotifications(worker_id)
    subject = subjects.notifications(worker_id)
    async with listening(bus, subject, notifications.receive, unread_max=UNREAD_MAX):
        yield notifications
