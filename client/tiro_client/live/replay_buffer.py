"""The buffer of audio and controls that a live session sends again after a lost connection: what is not stored yet.

PCM samples can be resumed at any sample, so each acknowledgement releases some of them. A compressed stream can only be
decoded from its beginning, so all of it is kept, up to a limit.
"""

from collections import deque
from dataclasses import dataclass
from typing import Protocol

import grpc

from tiro.streaming.v1.streaming_pb2 import StreamingTranscribeRequest
from tiro_client.errors import InternalError

ENCODED_BYTES_MAX = 32 * 1024 * 1024
"""Compressed audio that is kept: two hours of Opus at 32 kbit/s, half an hour of FLAC at 16 kHz. A session with more of
it cannot be resumed: a lost connection then raises `Unavailable`, which says so."""
ENCODED_ITEMS_MAX = 200_000
"""Messages that are kept of a compressed stream: five hours in pieces of 100 ms. The same applies beyond it."""

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Item:
    """Audio or a control, with its position in the session."""

    request: StreamingTranscribeRequest
    audio_bytes: int
    """Bytes of audio from the start of the session to the end of this item."""
    control_count: int
    """Controls from the start of the session, this one included."""


@dataclass(frozen=True, slots=True)
class StoredPosition:
    """How much of a session the service has stored. The default is nothing."""

    offset_nanoseconds: int = 0
    """The length of the stored audio."""
    control_count: int = 0


class ReplayBuffer(Protocol):
    """Keeps sent items for as long as they may have to be sent again."""

    replays_from_start: bool
    """Whether the audio is sent again from its beginning."""
    is_complete: bool
    """Whether everything that may have to be sent again is kept."""

    @property
    def unacknowledged_bytes(self) -> int:
        """Bytes of sent audio that wait for an acknowledgement. 0 if the buffer does not depend on acknowledgements."""

    @property
    def unacknowledged_items(self) -> int:
        """Sent items that wait for an acknowledgement. 0 if the buffer does not depend on acknowledgements."""

    def append(self, item: Item) -> None:
        """Keep an item that is about to be sent."""

    def release(self, stored: StoredPosition) -> None:
        """Release what the service has acknowledged."""

    def take_unstored(self, stored: StoredPosition, /) -> list[Item]:
        """Remove and return the items that have to be sent again, in order. Meaningful if `is_complete`.

        Raises:
            InternalError: The service has stored less than it had acknowledged.
        """


class NoReplayBuffer:
    """For a session that is not resumed: keeps nothing."""

    replays_from_start = False
    is_complete = False
    unacknowledged_bytes = 0
    unacknowledged_items = 0

    def append(self, item: Item) -> None:
        """Discard the item."""

    def release(self, stored: StoredPosition) -> None:
        """Nothing is kept."""

    def take_unstored(self, _stored: StoredPosition, /) -> list[Item]:
        """Nothing is kept."""
        return []


class SampleReplayBuffer:
    """For encodings whose bytes are samples: keeps what is not acknowledged.

    Args:
        sample_rate: Samples per second.
        frame_bytes: Bytes of one sample of all channels.
    """

    replays_from_start = False
    is_complete = True

    def __init__(self, sample_rate: int, frame_bytes: int) -> None:
        self._sample_rate = sample_rate
        self._frame_bytes = frame_bytes
        self._items: deque[Item] = deque()
        self._sent_bytes = 0
        self._stored_bytes = 0

    @property
    def unacknowledged_bytes(self) -> int:
        """Bytes of audio that were sent and are not acknowledged."""
        return max(0, self._sent_bytes - self._stored_bytes)

    @property
    def unacknowledged_items(self) -> int:
        """Items that were sent and are not acknowledged."""
        return len(self._items)

    def append(self, item: Item) -> None:
        """Keep an item until it is acknowledged."""
        self._items.append(item)
        self._sent_bytes = item.audio_bytes

    def release(self, stored: StoredPosition) -> None:
        """Release the items that are acknowledged to their end."""
        # Rounded to the nearest sample: the service rounds a sample's time to nanoseconds.
        frames = (stored.offset_nanoseconds * self._sample_rate + _NANOSECONDS // 2) // _NANOSECONDS
        self._stored_bytes = max(self._stored_bytes, frames * self._frame_bytes)
        while self._items and self._is_stored(self._items[0], stored.control_count):
            self._items.popleft()

    def take_unstored(self, stored: StoredPosition) -> list[Item]:
        """Remove and return what is not stored. Audio that is stored in part is cut.

        Raises:
            InternalError: The service has stored less than it had acknowledged.
        """
        acknowledged = self._stored_bytes
        self._stored_bytes = 0
        self.release(stored)
        if self._stored_bytes < acknowledged:
            raise InternalError("the service has lost audio that it had acknowledged", code=grpc.StatusCode.DATA_LOSS)
        items = [self._unstored_part(item) for item in self._items]
        self._items.clear()
        self._sent_bytes = self._stored_bytes
        return items

    def _is_stored(self, item: Item, control_count: int) -> bool:
        return item.audio_bytes <= self._stored_bytes and item.control_count <= control_count

    def _unstored_part(self, item: Item) -> Item:
        audio = item.request.audio
        stored = self._stored_bytes - (item.audio_bytes - len(audio))
        if stored <= 0 or not audio:
            return item
        return Item(StreamingTranscribeRequest(audio=audio[stored:]), item.audio_bytes, item.control_count)


class EncodedReplayBuffer:
    """For compressed encodings, which are decoded from their beginning: keeps everything.

    Args:
        bytes_max: The most audio that is kept. A longer stream is not resumed.
    """

    replays_from_start = True
    unacknowledged_bytes = 0
    unacknowledged_items = 0

    def __init__(self, bytes_max: int = ENCODED_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._items: list[Item] = []
        self.is_complete = True

    def append(self, item: Item) -> None:
        """Keep an item to the session's end, unless the stream has become too long to be resumed."""
        fits = item.audio_bytes <= self._bytes_max and len(self._items) < ENCODED_ITEMS_MAX
        self.is_complete = self.is_complete and fits
        if self.is_complete:
            self._items.append(item)
        else:
            self._items.clear()

    def release(self, stored: StoredPosition) -> None:
        """Audio is kept although it is acknowledged."""

    def take_unstored(self, stored: StoredPosition) -> list[Item]:
        """Remove and return all audio, and in between the controls that the service has not stored."""
        items, self._items = self._items, []
        return [item for item in items if item.request.audio or item.control_count > stored.control_count]
