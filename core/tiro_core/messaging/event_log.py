"""A log of events with contiguous numbers and one writer at a time: a writer that was replaced is refused."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from google.protobuf.message import Message

from tiro_core.messaging.connection import Bus
from tiro_core.messaging.decoding import decode
from tiro_core.messaging.errors import Conflict, InDoubt, MessagingError, NotFound
from tiro_core.messaging.operations import StoredMessage, last_message
from tiro_core.messaging.publishing import WRITE_ID, new_write_id, publish_expecting, read_patiently

SETTLE_SECONDS = 2.0
"""How long a writer that is cancelled waits for the answer to its last write."""

E = TypeVar("E", bound=Message)


class Fenced(MessagingError):  # noqa: N818 - the writer has made no error; it has been replaced
    """Another writer has written to the log since this one."""


class EventLog(Generic[E]):
    """The writing end of one subject.

    A new writer fences the old one by its first write: until then the old one can still write.
    """

    def __init__(
        self, bus: Bus, stream: str, subject: str, message_type: type[E], sequence_of: Callable[[E], int]
    ) -> None:
        self._bus = bus
        self._stream = stream
        self._subject = subject
        self._type = message_type
        self._sequence_of = sequence_of
        self._stored_at = 0
        self._in_doubt = ""
        """The id of the last write, where its outcome is not known."""
        self.sequence = 0
        """The number of the last event, 0 before the first."""

    async def resume(self) -> E | None:
        """Continue where the log ends, and return its last event.

        Raises:
            Unreadable: That event cannot be decoded.
        """
        newest = await self._newest()
        if newest is None:
            return None
        return self._continue_after(newest)

    def resume_at(self, sequence: int, stream_sequence: int) -> None:
        """Continue after an event that was read elsewhere.

        Args:
            sequence: The number of that event. 0: before the first event.
            stream_sequence: The sequence of that event in the stream.
        """
        self._stored_at = stream_sequence
        self.sequence = sequence
        self._in_doubt = ""

    @property
    def stream_sequence(self) -> int:
        """The sequence of the last event in the stream. 0 before the first."""
        return self._stored_at

    async def append(self, build: Callable[[int], E]) -> E:
        """Write the event that `build` makes for its sequence number.

        A writer that is cancelled here knows at its next call whether the event was stored.

        Raises:
            Fenced: Another writer has written since.
            StreamFull: NATS has no room for the event.
            BusUnavailable: NATS did not answer.
        """
        try:
            return await self._append(build)
        except Conflict:
            if not await self._adopt_write_in_doubt():
                raise Fenced(self._subject) from None
        try:
            return await self._append(build)
        except Conflict:
            raise Fenced(self._subject) from None

    async def _append(self, build: Callable[[int], E]) -> E:
        event = build(self.sequence + 1)
        payload = event.SerializeToString(deterministic=True)
        write_id = new_write_id()
        writing = asyncio.create_task(self._write(payload, write_id), name="event-log")
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await _settle(writing)
            raise
        return event

    async def _write(self, payload: bytes, write_id: str) -> None:
        before, self._in_doubt = self._in_doubt, write_id
        try:
            self._stored_at = await publish_expecting(
                self._bus, self._stream, self._subject, payload, last=self._stored_at, write_id=write_id
            )
        except InDoubt:
            raise
        except MessagingError:
            self._in_doubt = before  # this write was not stored
            raise
        self.sequence += 1
        self._in_doubt = ""

    async def _adopt_write_in_doubt(self) -> bool:
        """Whether the newest event is this writer's write of unknown outcome. If so, continue after it."""
        newest = await self._newest() if self._in_doubt else None
        if newest is None or newest.headers.get(WRITE_ID) != self._in_doubt:
            return False
        self._continue_after(newest)
        return True

    def _continue_after(self, newest: StoredMessage) -> E:
        event = decode(self._type, newest, self._stream)
        self.resume_at(self._sequence_of(event), newest.sequence)
        return event

    async def _newest(self) -> StoredMessage | None:
        try:
            return await read_patiently(self._bus, lambda: last_message(self._bus, self._stream, self._subject))
        except NotFound:
            return None


async def _settle(writing: "asyncio.Task[None]") -> None:
    """Wait for a write that is under way, for at most `SETTLE_SECONDS`. A further cancellation ends the wait."""
    try:
        await asyncio.wait([writing], timeout=SETTLE_SECONDS)
    finally:
        if not writing.cancel() and not writing.cancelled():
            writing.exception()  # read, so that asyncio does not report it; `_in_doubt` has the write's id
