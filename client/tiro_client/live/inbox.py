"""What has happened in a live session and waits for its reader."""

import asyncio
from collections import deque

from tiro_client.live.events import LiveEvent

EVENTS_WAITING_MAX = 1000
"""Events that wait for the reader; beyond it the service is no longer read, and ends the session after a while."""


class Inbox:
    """Events in order, and how they end."""

    def __init__(self) -> None:
        self._events: deque[LiveEvent] = deque()
        self._changed = asyncio.Condition()
        self._closed = False
        self._error: Exception | None = None

    async def put(self, event: LiveEvent) -> None:
        """Take an event. Waits while too many wait. Once closed, nothing is taken."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or len(self._events) < EVENTS_WAITING_MAX)
            if not self._closed:
                self._events.append(event)
                self._changed.notify_all()

    async def close(self, error: Exception | None = None) -> None:
        """Nothing more comes. The first call counts.

        Args:
            error: What the reader gets after the last event. None for an orderly end.
        """
        async with self._changed:
            if not self._closed:
                self._closed, self._error = True, error
                self._changed.notify_all()

    async def get(self) -> LiveEvent | None:
        """The next event; None at the end.

        Raises:
            Exception: What `close` was told.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or bool(self._events))
            if self._events:
                self._changed.notify_all()
                return self._events.popleft()
            if self._error is not None:
                raise self._error
            return None
