"""The one writer to a client. Finals and states are all sent; of everything else only the newest of its kind."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from tiro.events.v1.live_pb2 import LivePartial
from tiro_streamer.errors import client_too_slow
from tiro_streamer.metrics import PARTIALS_DROPPED
from tiro_streamer.output.responses import Response, of_partial

EVENTS_WAITING_MAX = 16
"""Finals and states that wait for the client; more wait in NATS."""


Write: TypeAlias = Callable[[Any], Awaitable[None]]
"""Sends one message of a call."""


class ResponseWriter:
    """Sends responses in turn."""

    def __init__(self, write: Write, *, write_seconds_max: float, after_sequence: int = 0) -> None:
        """`after_sequence` is the number of the last event that the client has already."""
        self._write = write
        self._write_seconds_max = write_seconds_max
        self._events: deque[Response] = deque()
        self._room = asyncio.Semaphore(EVENTS_WAITING_MAX)
        self._partial: LivePartial | None = None
        self._notices: dict[str, Response] = {}
        self._confirming: deque[tuple[Response, asyncio.Future[None]]] = deque()
        self._wake = asyncio.Event()
        self._closed = False
        self._sequence = after_sequence

    async def put(self, event: Response) -> None:
        """Take a final or a state. Waits while too many wait."""
        await self._room.acquire()
        self._events.append(event)
        self._wake.set()

    def offer_partial(self, partial: LivePartial) -> None:
        """Take a partial in place of the one that waits."""
        if self._partial is not None:
            PARTIALS_DROPPED.labels("replaced").inc()
        self._partial = partial
        self._wake.set()

    def offer_notice(self, notice: Response) -> None:
        """Take what is no part of the record, as an acknowledgement, in place of what waits of its kind."""
        self._notices[str(notice.WhichOneof("response"))] = notice
        self._wake.set()

    async def confirm(self, notice: Response) -> None:
        """Send something and wait until it is sent, which only a client that is there lets happen.

        gRPC reports a call that was cancelled, or whose connection is lost, as the end of its requests first and as
        cancelled later; a write fails at once.
        """
        sent = asyncio.get_running_loop().create_future()
        self._confirming.append((notice, sent))
        self._wake.set()
        await sent

    def close(self) -> None:
        """Nothing more comes; `run` returns once all is sent."""
        self._closed = True
        self._wake.set()

    async def run(self) -> None:
        """Send until closed.

        Raises:
            TiroError: CLIENT_TOO_SLOW.
        """
        while True:
            self._wake.clear()
            while self._confirming:
                notice, sent = self._confirming.popleft()
                await self._send(notice)
                if not sent.done():  # whoever waited may have been cancelled
                    sent.set_result(None)
            while (response := self._next()) is not None:
                await self._send(response)
            if self._closed:
                return
            await self._wake.wait()

    async def _send(self, response: Response) -> None:
        try:
            async with asyncio.timeout(self._write_seconds_max):
                await self._write(response)
        except TimeoutError:
            raise client_too_slow(self._write_seconds_max) from None

    def _next(self) -> Response | None:
        if self._notices:
            return self._notices.pop(next(iter(self._notices)))
        if self._events:
            event = self._events.popleft()
            self._room.release()
            self._sequence = event.sequence
            return event
        return self._current_partial()

    def _current_partial(self) -> Response | None:
        """The partial that waits, if the client has seen the event that it comes after, and none since."""
        partial = self._partial
        if partial is None or partial.after_sequence > self._sequence:
            return None
        self._partial = None
        if partial.after_sequence < self._sequence:
            PARTIALS_DROPPED.labels("out_of_date").inc()
            return None
        return of_partial(partial)
