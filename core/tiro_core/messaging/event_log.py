"""A line of events with one writer at a time: contiguous numbers, and a writer that was replaced is refused."""

from collections.abc import Callable
from typing import Generic, TypeVar

from google.protobuf.message import Message
from nats.js.errors import NotFoundError

from tiro_core.messaging.connection import Bus
from tiro_core.messaging.publishing import Conflict, patiently, publish_expecting

E = TypeVar("E", bound=Message)


class Fenced(Exception):  # noqa: N818 - the writer has made no error; it has been replaced
    """Another writer has taken the line over."""


class EventLog(Generic[E]):
    """The writing end of one subject.

    Fencing needs the new writer to write something first: until then the old one still can.
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
        self.sequence = 0
        """The number of the last event, 0 before the first."""

    async def resume(self) -> E | None:
        """Take up where the line ends, and return its last event."""
        try:
            newest = await patiently(
                self._bus, lambda: self._bus.jetstream.get_msg(self._stream, subject=self._subject)
            )
        except NotFoundError:
            return None
        event = self._type.FromString(newest.data or b"")
        self.resume_at(event, newest.seq or 0)
        return event

    def resume_at(self, event: E, stored_at: int) -> None:
        """Take up after an event that was read elsewhere, at its sequence in the stream."""
        self._stored_at = stored_at
        self.sequence = self._sequence_of(event)

    async def append(self, build: Callable[[int], E]) -> E:
        """Write the event that `build` makes for its sequence number.

        Raises:
            Fenced: Another writer has written since.
            BusUnavailable: NATS stayed away.
        """
        event = build(self.sequence + 1)
        payload = event.SerializeToString(deterministic=True)
        try:
            self._stored_at = await publish_expecting(
                self._bus, self._stream, self._subject, payload, last=self._stored_at
            )
        except Conflict:
            raise Fenced(self._subject) from None
        self.sequence += 1
        return event
