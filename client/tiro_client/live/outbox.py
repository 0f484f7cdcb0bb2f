"""What a live session has to send: audio and controls in order, over whichever connection there is."""

import asyncio
from collections import deque

from tiro.streaming.v1.streaming_pb2 import Cancel, StreamingTranscribeRequest
from tiro_client.errors import DeadlineExceeded, StreamClosed
from tiro_client.live.config import LiveConfig
from tiro_client.live.memory import EncodedMemory, Item, Memory, NoMemory, SampleMemory, Stored

UNSTORED_SECONDS_MAX = 60.0
"""Samples that wait to be sent or acknowledged; `send` waits beyond it. More than the longest time without a connection
that a session survives, so that a microphone need not wait."""
UNSENT_BYTES_MAX = 4 * 1024 * 1024
"""The same for compressed audio, in bytes that wait to be sent."""
ITEMS_MAX = 10_000
"""Audio messages and controls that wait to be sent or acknowledged: 100 s in pieces of 10 ms."""
SEND_SECONDS_MAX = 30.0
"""How long a connected service may take nothing before sending fails."""


class Outbox:
    """Holds what is to be sent, and what may have to be sent again.

    Args:
        memory: What keeps the second.
        bytes_max: How much of both may wait; more makes senders wait.
    """

    def __init__(self, memory: Memory, bytes_max: int) -> None:
        self._memory = memory
        self._bytes_max = bytes_max
        self._unsent: deque[Item] = deque()
        self._audio_bytes = 0
        self._sent_bytes = 0
        self._controls = 0
        self._moves = 0
        self._changed = asyncio.Condition()
        self._connected = False
        self._ended = False
        self._closed = False
        self._cancelled = False

    @property
    def from_start(self) -> bool:
        """Whether a resumed session sends its audio from the beginning."""
        return self._memory.from_start

    @property
    def can_resume(self) -> bool:
        """Whether a lost connection can be replaced: all that may have to be sent again is there."""
        return self._memory.complete

    @property
    def cancelled(self) -> bool:
        """Whether the session was given up."""
        return self._cancelled

    async def put(self, request: StreamingTranscribeRequest) -> None:
        """Take audio or a control. Waits while too much waits already, for as long as the connection is being replaced.

        Raises:
            StreamClosed: Nothing more can be sent.
            DeadlineExceeded: The service is connected and takes nothing.
        """
        async with self._changed:
            await self._wait_for_room()
            if self._closed:
                raise StreamClosed("the session has ended")
            if self._ended:
                raise StreamClosed("the stream was ended; nothing more can be sent")
            if request.audio:
                self._audio_bytes += len(request.audio)
            else:
                self._controls += 1
            self._unsent.append(Item(request, self._audio_bytes, self._controls))
            self._changed.notify_all()

    async def end(self) -> None:
        """Nothing more is put in."""
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def cancel(self) -> None:
        """Send nothing more but the wish to end the session."""
        async with self._changed:
            self._cancelled = self._closed = True
            self._changed.notify_all()

    async def close(self) -> None:
        """Refuse everything from here on: the session is over."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def next(self) -> StreamingTranscribeRequest | None:
        """What is to be sent next; None after the last. Waits until there is something."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._unsent or self._ended or self._cancelled)
            if self._cancelled:
                return StreamingTranscribeRequest(cancel=Cancel())
            if not self._unsent:
                return None
            item = self._unsent.popleft()
            # Before it is sent: a connection that breaks while it is being sent does not tell whether it arrived.
            self._memory.keep(item)
            self._sent_bytes = item.audio_bytes
            self._moves += 1
            self._changed.notify_all()
            return item.request

    async def connect(self, stored: Stored) -> None:
        """Go on over a new connection, with what the service does not have.

        Args:
            stored: What it has of the session.

        Raises:
            InternalError: It has less than it said.
        """
        async with self._changed:
            self._unsent.extendleft(reversed(self._memory.recall(stored)))
            self._sent_bytes = self._audio_bytes - sum(len(item.request.audio) for item in self._unsent)
            self._connected = True
            self._changed.notify_all()

    async def disconnect(self) -> None:
        """There is no connection now."""
        async with self._changed:
            self._connected = False

    async def acknowledge(self, stored: Stored) -> None:
        """The service has so much."""
        async with self._changed:
            self._memory.forget(stored)
            self._moves += 1
            self._changed.notify_all()

    async def _wait_for_room(self) -> None:
        while not self._has_room():
            connected, moves = self._connected, self._moves
            try:
                async with asyncio.timeout(SEND_SECONDS_MAX):
                    await self._changed.wait_for(self._has_room)
            except TimeoutError:
                # The time counts only while the service could have taken something.
                if connected and self._connected and moves == self._moves:
                    raise DeadlineExceeded(f"the service took nothing for {SEND_SECONDS_MAX:.0f} s") from None

    def _has_room(self) -> bool:
        if self._ended or self._closed:
            return True
        waiting_bytes = self._audio_bytes - self._sent_bytes + self._memory.unstored_bytes
        return waiting_bytes < self._bytes_max and len(self._unsent) + self._memory.unstored_items < ITEMS_MAX


def outbox_for(config: LiveConfig) -> Outbox:
    """The outbox that suits a session's encoding, and whether it is to be resumed."""
    frame_bytes = config.frame_bytes
    if frame_bytes is None:
        return Outbox(EncodedMemory() if config.resume_seconds > 0 else NoMemory(), UNSENT_BYTES_MAX)
    memory = SampleMemory(config.sample_rate, frame_bytes) if config.resume_seconds > 0 else NoMemory()
    return Outbox(memory, max(1, round(UNSTORED_SECONDS_MAX * config.sample_rate) * frame_bytes))
