"""The one writer to a client. It sends all finals and states; of other messages only the newest of each kind."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc

from tiro.events.v1.live_pb2 import LivePartial
from tiro_core.server.interception import Context
from tiro_streamer.errors import client_gone, client_too_slow
from tiro_streamer.metrics import PARTIALS_DROPPED
from tiro_streamer.responses.builder import Response, of_partial

EVENTS_WAITING_MAX = 16
"""The most finals and states that wait for the client. Further ones wait in NATS."""

Write: TypeAlias = Callable[[Any], Awaitable[None]]
"""Sends one message of a call. Raises `ClientGone` when the connection is lost or the call cancelled."""


def writing_to(context: Context) -> Write:
    """Send the messages of a call."""

    async def write(response: object) -> None:
        try:
            await context.write(response)
        except grpc.aio.InternalError:  # gRPC's error when the connection is lost or the call cancelled
            raise client_gone() from None

    return write


class ResponseWriter:
    """Sends responses one after the other."""

    def __init__(self, write: Write, *, write_seconds_max: float, after_sequence: int = 0) -> None:
        """Prepare to write.

        Args:
            write: Sends one response.
            write_seconds_max: How long the client may take to read a response.
            after_sequence: The number of the last event that the client has already.
        """
        self._write = write
        self._write_seconds_max = write_seconds_max
        self._events: deque[Response] = deque()
        self._free_slots = asyncio.Semaphore(EVENTS_WAITING_MAX)
        self._partial: LivePartial | None = None
        self._notices: dict[str, Response] = {}
        self._to_confirm: deque[tuple[Response, asyncio.Future[None]]] = deque()
        self._has_work = asyncio.Event()
        self._closed = False
        self._sequence = after_sequence

    async def put(self, event: Response) -> None:
        """Send a final or a state. Waits while `EVENTS_WAITING_MAX` of them wait."""
        await self._free_slots.acquire()
        self._events.append(event)
        self._has_work.set()

    def offer_partial(self, partial: LivePartial) -> None:
        """Send a partial. It replaces one that still waits."""
        if self._partial is not None:
            PARTIALS_DROPPED.labels("replaced").inc()
        self._partial = partial
        self._has_work.set()

    def offer_notice(self, notice: Response) -> None:
        """Send a notice that is no event, such as an acknowledgement. It replaces one of its kind that still waits."""
        self._notices[str(notice.WhichOneof("response"))] = notice
        self._has_work.set()

    async def confirm(self, notice: Response) -> None:
        """Send a response and wait until it is sent, which proves that the connection is alive.

        gRPC reports a call that was cancelled, or whose connection is lost, as the end of its requests first and as
        cancelled later; a write fails at once.
        """
        sent = asyncio.get_running_loop().create_future()
        self._to_confirm.append((notice, sent))
        self._has_work.set()
        await sent

    def close(self) -> None:
        """End `run` once everything is sent."""
        self._closed = True
        self._has_work.set()

    async def run(self) -> None:
        """Send until closed.

        Raises:
            ClientGone: The connection is lost, or the call cancelled.
            TiroError: CLIENT_TOO_SLOW.
        """
        while True:
            self._has_work.clear()
            while self._to_confirm:
                notice, sent = self._to_confirm.popleft()
                await self._send(notice)
                if not sent.done():  # the task that waited may have been cancelled
                    sent.set_result(None)
            while (response := self._next()) is not None:
                await self._send(response)
            if self._closed:
                return
            await self._has_work.wait()

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
            self._free_slots.release()
            self._sequence = event.sequence
            return event
        return self._current_partial()

    def _current_partial(self) -> Response | None:
        """The waiting partial, if the last event that the client has is the one that the partial comes after."""
        partial = self._partial
        if partial is None or partial.after_sequence > self._sequence:
            return None
        self._partial = None
        if partial.after_sequence < self._sequence:
            PARTIALS_DROPPED.labels("out_of_date").inc()
            return None
        return of_partial(partial)
