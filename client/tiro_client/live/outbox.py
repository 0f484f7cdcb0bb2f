"""The queue of a live session's audio and controls, sent in order over one connection after the other."""

import asyncio
from collections import deque

from tiro.streaming.v1.streaming_pb2 import Cancel, StreamingTranscribeRequest
from tiro_client.errors import DeadlineExceeded, StreamClosed
from tiro_client.live.config import LiveConfig
from tiro_client.live.replay_buffer import (
    EncodedReplayBuffer,
    Item,
    NoReplayBuffer,
    ReplayBuffer,
    SampleReplayBuffer,
    StoredPosition,
)

UNSTORED_SECONDS_MAX = 60.0
"""Samples that wait to be sent or acknowledged; beyond it `send` waits. It is longer than the longest time without a
connection that a session survives, so that a microphone never has to wait."""
UNSENT_BYTES_MAX = 4 * 1024 * 1024
"""Compressed audio that waits to be sent; beyond it `send` waits."""
ITEMS_MAX = 10_000
"""Audio messages and controls that wait to be sent or acknowledged: 100 s in pieces of 10 ms."""
SEND_SECONDS_MAX = 30.0
"""How long `send` waits for a connected service that accepts nothing. Then it raises `DeadlineExceeded`."""


class Outbox:
    """A bounded queue of items to send, and the sent items that may have to be sent again.

    Args:
        replay_buffer: Keeps the sent items.
        bytes_max: Bytes of audio that may wait to be sent or acknowledged. Beyond it senders wait.
    """

    def __init__(self, replay_buffer: ReplayBuffer, bytes_max: int) -> None:
        self._replay_buffer = replay_buffer
        self._bytes_max = bytes_max
        self._unsent: deque[Item] = deque()
        self._audio_bytes = 0
        self._sent_bytes = 0
        self._control_count = 0
        self._progress_count = 0
        self._changed = asyncio.Condition()
        self._connected = False
        self._ended = False
        self._closed = False
        self._cancelled = False

    @property
    def replays_from_start(self) -> bool:
        """Whether a resumed session sends its audio from the beginning."""
        return self._replay_buffer.replays_from_start

    @property
    def can_resume(self) -> bool:
        """Whether a lost connection can be replaced: everything that may have to be sent again is kept."""
        return self._replay_buffer.is_complete

    @property
    def cancelled(self) -> bool:
        """Whether the caller has cancelled the session."""
        return self._cancelled

    @property
    def ended(self) -> bool:
        """Whether the caller has ended its audio."""
        return self._ended

    @property
    def is_complete(self) -> bool:
        """Whether the caller has ended its audio, and none of it waits to be sent or acknowledged."""
        return self._ended and not self._waiting_bytes

    async def put(self, request: StreamingTranscribeRequest) -> None:
        """Add audio or a control. Waits while the queue is full, for as long as a connection is being replaced.

        Raises:
            StreamClosed: Nothing more can be sent.
            DeadlineExceeded: The service is connected and accepts nothing.
        """
        async with self._changed:
            await self._wait_for_capacity()
            if self._closed:
                raise StreamClosed("the session has ended")
            if self._ended:
                raise StreamClosed("the stream was ended; nothing more can be sent")
            if request.audio:
                self._audio_bytes += len(request.audio)
            else:
                self._control_count += 1
            self._unsent.append(Item(request, self._audio_bytes, self._control_count))
            self._changed.notify_all()

    async def end(self) -> None:
        """Accept nothing more. What is in the queue is still sent."""
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def cancel(self) -> None:
        """Send nothing more but a request to cancel the session."""
        async with self._changed:
            self._cancelled = self._closed = True
            self._changed.notify_all()

    async def close(self) -> None:
        """Accept and send nothing more: the session is over."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def next(self) -> StreamingTranscribeRequest | None:
        """The next request to send; None after the last. Waits until there is one."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._unsent or self._ended or self._cancelled)
            if self._cancelled:
                return StreamingTranscribeRequest(cancel=Cancel())
            if not self._unsent:
                return None
            item = self._unsent.popleft()
            # Kept before it is sent: a connection that is lost meanwhile does not say whether the item arrived.
            self._replay_buffer.append(item)
            self._sent_bytes = item.audio_bytes
            self._progress_count += 1
            self._changed.notify_all()
            return item.request

    async def connect(self, stored: StoredPosition) -> None:
        """Continue over a new connection, with what the service has not stored.

        Args:
            stored: How much of the session the service has stored.

        Raises:
            InternalError: The service has stored less than it had acknowledged.
        """
        async with self._changed:
            self._unsent.extendleft(reversed(self._replay_buffer.take_unstored(stored)))
            self._sent_bytes = self._audio_bytes - sum(len(item.request.audio) for item in self._unsent)
            self._connected = True
            self._changed.notify_all()

    async def disconnect(self) -> None:
        """Note that there is no connection."""
        async with self._changed:
            self._connected = False

    async def acknowledge(self, stored: StoredPosition) -> None:
        """Note how much of the session the service has stored."""
        async with self._changed:
            self._replay_buffer.release(stored)
            self._progress_count += 1
            self._changed.notify_all()

    async def acknowledge_audio(self, nanoseconds: int) -> None:
        """Note how much audio the service has stored, at the session's end, when no control matters any more."""
        await self.acknowledge(StoredPosition(nanoseconds, self._control_count))

    async def _wait_for_capacity(self) -> None:
        while not self._has_capacity():
            connected, progress_count = self._connected, self._progress_count
            try:
                async with asyncio.timeout(SEND_SECONDS_MAX):
                    await self._changed.wait_for(self._has_capacity)
            except TimeoutError:
                # The time counts only if the service could have accepted something throughout.
                if connected and self._connected and progress_count == self._progress_count:
                    raise DeadlineExceeded(f"the service accepted nothing for {SEND_SECONDS_MAX:.0f} s") from None

    def _has_capacity(self) -> bool:
        if self._ended or self._closed:
            return True
        waiting_items = len(self._unsent) + self._replay_buffer.unacknowledged_items
        return self._waiting_bytes < self._bytes_max and waiting_items < ITEMS_MAX

    @property
    def _waiting_bytes(self) -> int:
        """Bytes of audio that wait to be sent or acknowledged."""
        return self._audio_bytes - self._sent_bytes + self._replay_buffer.unacknowledged_bytes


def outbox_for(config: LiveConfig) -> Outbox:
    """The outbox for a session's encoding. It has a replay buffer if the session can be resumed."""
    can_resume = config.resume_seconds > 0
    frame_bytes = config.frame_bytes
    if frame_bytes is None:
        return Outbox(EncodedReplayBuffer() if can_resume else NoReplayBuffer(), UNSENT_BYTES_MAX)
    bytes_max = max(1, round(UNSTORED_SECONDS_MAX * config.sample_rate) * frame_bytes)
    return Outbox(SampleReplayBuffer(config.sample_rate, frame_bytes) if can_resume else NoReplayBuffer(), bytes_max)
