"""The bounded queue of a client's input that NATS has not stored yet: audio and controls in order."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from google.rpc.status_pb2 import Status

from tiro.events.v1.live_pb2 import EndOfAudio
from tiro.streaming.v1.streaming_pb2 import Finalize, UpdateConfig
from tiro_core.audio.pcm import SAMPLE_BYTES

CHUNK_BYTES_MAX = 128 * 1024
"""The most PCM16 that is taken from the queue at a time: 1.37 s at 48 kHz."""
ITEMS_MAX = 64
"""The most items that wait: controls, and the audio between them. Then the client is not read."""

Control: TypeAlias = Finalize | UpdateConfig | Status | EndOfAudio
"""A control of the client. A `Status` is the error of a change of the config that was refused."""


class InputQueue:
    """A bounded queue for one reader. Waiting audio is taken in chunks as large as possible.

    Two limits make `put_audio` wait: on bytes that wait for NATS, and on audio that no worker has processed.
    """

    def __init__(self, first_sample: int, *, bytes_max: int, unprocessed_samples_max: int) -> None:
        """Make a queue for the audio from `first_sample` of the session on.

        Args:
            first_sample: Samples that were stored before.
            bytes_max: The most PCM16 that may wait.
            unprocessed_samples_max: The most samples that are accepted beyond those that a worker has processed.
        """
        self._bytes_max = bytes_max
        self._unprocessed_samples_max = unprocessed_samples_max
        self._items: deque[bytearray | Control] = deque()
        self._waiting_bytes = 0
        self._blocked_writers = 0
        self._has_input = asyncio.Event()
        self._has_changed = asyncio.Event()
        self._closed = False
        self.accepted_samples = first_sample
        """Samples of the session that were put into this queue and those of its earlier connections."""
        self.processed_samples = first_sample
        """Samples that a worker has processed. Until a worker reports, those that were stored before count."""

    @property
    def blocks_writers(self) -> bool:
        """Whether a writer waits: then the limits hold input back, and not the client's silence."""
        return self._blocked_writers > 0

    async def put_audio(self, pcm16: bytes) -> None:
        """Append little-endian samples. Waits while a limit is reached."""
        await self._wait_until(lambda: self._has_capacity() and self._is_within_lead())
        last = self._items[-1] if self._items else None
        if isinstance(last, bytearray):
            last += pcm16
        else:
            self._items.append(bytearray(pcm16))
        self._waiting_bytes += len(pcm16)
        self.accepted_samples += len(pcm16) // SAMPLE_BYTES
        self._has_input.set()

    async def put_control(self, control: Control) -> None:
        """Append a control. Waits while the limit of waiting bytes is reached."""
        await self._wait_until(self._has_capacity)
        self._items.append(control)
        self._has_input.set()

    def note_processed(self, samples: int) -> None:
        """Note that a worker has processed this many samples of the session."""
        self.processed_samples = samples
        self._has_changed.set()

    async def take(self, seconds_max: float) -> bytes | Control | None:
        """Remove and return the first input: up to `CHUNK_BYTES_MAX` of audio, or a control.

        Returns:
            None when there was no input for this time, or once the queue is closed.
        """
        if not self._items and not self._closed:
            try:
                async with asyncio.timeout(seconds_max):
                    await self._has_input.wait()
            except TimeoutError:
                return None
        return None if self._closed else self._pop()

    def close(self) -> None:
        """End the queue at once: `take` returns None from here on."""
        self._closed = True
        self._has_input.set()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def _pop(self) -> bytes | Control:
        first = self._items[0]
        item: bytes | Control
        if isinstance(first, bytearray):
            item = bytes(first[:CHUNK_BYTES_MAX])
            del first[:CHUNK_BYTES_MAX]
            self._waiting_bytes -= len(item)
        else:
            item = first
        if not isinstance(first, bytearray) or not first:
            self._items.popleft()
        if not self._items:
            self._has_input.clear()
        self._has_changed.set()
        return item

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._has_changed.clear()
            self._blocked_writers += 1
            try:
                await self._has_changed.wait()
            finally:
                self._blocked_writers -= 1

    def _has_capacity(self) -> bool:
        return self._waiting_bytes < self._bytes_max and len(self._items) < ITEMS_MAX

    def _is_within_lead(self) -> bool:
        return self.accepted_samples - self.processed_samples < self._unprocessed_samples_max
