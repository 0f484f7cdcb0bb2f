"""The events of a live session that wait for the caller to read them."""

import asyncio
from collections import deque

from tiro_client.live.events import LiveEvent

EVENTS_WAITING_MAX = 1000
"""Events that wait to be read. When it is reached, nothing more is received, and the service ends the session."""


class Inbox:
    """A bounded queue of events, and how it ends."""

    def __init__(self) -> None:
        self._events: deque[LiveEvent] = deque()
        self._changed = asyncio.Condition()
        self._closed = False
        self._error: Exception | None = None

    @property
    def waiting_count(self) -> int:
        """The number of events that wait to be read."""
        return len(self._events)

    @property
    def is_full(self) -> bool:
        """Whether `put` waits for the reader."""
        return self.waiting_count >= EVENTS_WAITING_MAX

    async def put(self, event: LiveEvent) -> None:
        """Add an event. Waits while the queue is full. After `close`, events are discarded."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or not self.is_full)
            if not self._closed:
                self._events.append(event)
                self._changed.notify_all()

    async def close(self, error: Exception | None = None) -> None:
        """End the queue after the events that it holds. Only the first call has an effect.

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
            Exception: The error that `close` was given.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or bool(self._events))
            if self._events:
                self._changed.notify_all()
                return self._events.popleft()
            if self._error is not None:
                raise self._error
            return None
