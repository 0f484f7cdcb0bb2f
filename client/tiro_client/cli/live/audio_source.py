"""Where live audio comes from, and how fast."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Protocol

from tiro_client.live.config import AudioEncoding

CHUNK_SECONDS = 0.1
"""Audio a message."""


class AudioSourceError(Exception):
    """The audio cannot be had; the message says why and what to do."""


class AudioSource(Protocol):
    """Live audio."""

    @property
    def encoding(self) -> AudioEncoding:
        """How it is encoded."""

    @property
    def sample_rate(self) -> int:
        """Samples a second."""

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """The audio as it comes, `CHUNK_SECONDS` at a time.

        Raises:
            AudioSourceError: It cannot go on.
        """


@dataclass(frozen=True, slots=True)
class PacedAudio:
    """Audio from a file, as fast as it would be spoken."""

    encoding: AudioEncoding
    sample_rate: int
    pieces: Iterator[bytes]
    """Pieces that last `CHUNK_SECONDS` each."""

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The pieces, each when it would have been spoken."""
        begun = time.monotonic()
        for count, piece in enumerate(self.pieces, start=1):
            # Against the start rather than the piece before, so that delays do not add up.
            await asyncio.sleep(max(0.0, begun + count * CHUNK_SECONDS - time.monotonic()))
            yield piece
