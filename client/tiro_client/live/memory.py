"""What a live session sends again when its connection was lost: what the service does not have yet.

Samples can be taken up at any of them: each acknowledgement lets some go. A compressed stream can only be decoded from
its beginning, so all of it is kept, up to a limit.
"""

from collections import deque
from dataclasses import dataclass
from typing import Protocol

import grpc

from tiro.streaming.v1.streaming_pb2 import StreamingTranscribeRequest
from tiro_client.errors import InternalError

ENCODED_BYTES_MAX = 32 * 1024 * 1024
"""Compressed audio that is kept: two hours of Opus at 32 kbit/s, half an hour of FLAC at 16 kHz."""
ENCODED_ITEMS_MAX = 200_000
"""Messages that are kept of a compressed stream: five hours in pieces of 100 ms."""

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Item:
    """Audio or a control, and where it ends in the session."""

    request: StreamingTranscribeRequest
    audio_bytes: int
    """Bytes of audio up to its end."""
    controls: int
    """Controls up to and including it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the service has. The default is nothing."""

    offset_nanoseconds: int = 0
    """How much audio."""
    controls: int = 0
    """How many controls."""


class Memory(Protocol):
    """Keeps what was sent for as long as it may have to be sent again."""

    from_start: bool
    """Whether the audio is sent again from its beginning."""
    complete: bool
    """Whether everything that may have to be sent again is there."""

    @property
    def unstored_bytes(self) -> int:
        """Bytes of audio that were sent and wait for an acknowledgement. 0 where none is waited for."""

    @property
    def unstored_items(self) -> int:
        """Items that were sent and wait for an acknowledgement. 0 where none is waited for."""

    def keep(self, item: Item) -> None:
        """Take what is about to be sent."""

    def forget(self, stored: Stored) -> None:
        """Let go what the service has."""

    def recall(self, stored: Stored, /) -> list[Item]:
        """Give back, in order, what has to be sent again, if it is complete.

        Raises:
            InternalError: The service has less than it said.
        """


class NoMemory:
    """For a session that is not resumed."""

    from_start = False
    complete = False
    unstored_bytes = 0
    unstored_items = 0

    def keep(self, item: Item) -> None:
        """Nothing is kept."""

    def forget(self, stored: Stored) -> None:
        """Nothing is kept."""

    def recall(self, _stored: Stored, /) -> list[Item]:
        """Nothing was kept."""
        return []


class SampleMemory:
    """For encodings whose bytes are samples.

    Args:
        rate_hz: Samples a second.
        frame_bytes: Bytes of one sample of all channels.
    """

    from_start = False
    complete = True

    def __init__(self, rate_hz: int, frame_bytes: int) -> None:
        self._rate_hz = rate_hz
        self._frame_bytes = frame_bytes
        self._items: deque[Item] = deque()
        self._kept_bytes = 0
        self._stored_bytes = 0

    @property
    def unstored_bytes(self) -> int:
        """Bytes of audio that were sent and are not acknowledged."""
        return max(0, self._kept_bytes - self._stored_bytes)

    @property
    def unstored_items(self) -> int:
        """Items that were sent and are not acknowledged."""
        return len(self._items)

    def keep(self, item: Item) -> None:
        """Keep it until it is acknowledged."""
        self._items.append(item)
        self._kept_bytes = item.audio_bytes

    def forget(self, stored: Stored) -> None:
        """Let go what is acknowledged to its end."""
        # To the nearest: the service rounds a sample's time to nanoseconds.
        frames = (stored.offset_nanoseconds * self._rate_hz + _NANOSECONDS // 2) // _NANOSECONDS
        self._stored_bytes = max(self._stored_bytes, frames * self._frame_bytes)
        while self._items and self._is_stored(self._items[0], stored.controls):
            self._items.popleft()

    def recall(self, stored: Stored) -> list[Item]:
        """What is not acknowledged; a piece of which a part is, is cut.

        Raises:
            InternalError: The service has less than it has acknowledged.
        """
        before = self._stored_bytes
        self._stored_bytes = 0
        self.forget(stored)
        if self._stored_bytes < before:
            raise InternalError("the service has lost audio that it had acknowledged", code=grpc.StatusCode.DATA_LOSS)
        items = [self._rest_of(item) for item in self._items]
        self._items.clear()
        self._kept_bytes = self._stored_bytes
        return items

    def _is_stored(self, item: Item, controls: int) -> bool:
        return item.audio_bytes <= self._stored_bytes and item.controls <= controls

    def _rest_of(self, item: Item) -> Item:
        audio = item.request.audio
        stored = self._stored_bytes - (item.audio_bytes - len(audio))
        if stored <= 0 or not audio:
            return item
        return Item(StreamingTranscribeRequest(audio=audio[stored:]), item.audio_bytes, item.controls)


class EncodedMemory:
    """For encodings that are decoded from their beginning.

    Args:
        bytes_max: The most that is kept. A longer stream is not resumed.
    """

    from_start = True
    unstored_bytes = 0
    unstored_items = 0

    def __init__(self, bytes_max: int = ENCODED_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._items: list[Item] = []
        self.complete = True

    def keep(self, item: Item) -> None:
        """Keep it to the session's end, unless the stream has become too long."""
        fits = item.audio_bytes <= self._bytes_max and len(self._items) < ENCODED_ITEMS_MAX
        self.complete = self.complete and fits
        if self.complete:
            self._items.append(item)
        else:
            self._items.clear()

    def forget(self, stored: Stored) -> None:
        """Audio is kept whatever is acknowledged."""

    def recall(self, stored: Stored) -> list[Item]:
        """All audio, and the controls that the service does not have, in their places."""
        items, self._items = self._items, []
        return [item for item in items if item.request.audio or item.controls > stored.controls]
