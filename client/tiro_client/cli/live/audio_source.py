"""Sources of live audio."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Protocol

from tiro_client.live.config import AudioEncoding
from tiro_client.threads import in_daemon_thread

CHUNK_SECONDS = 0.1
"""Seconds of audio per message."""


class AudioSourceError(Exception):
    """The audio is not available. The message says why, and what to do."""


class AudioSource(Protocol):
    """Live audio."""

    @property
    def encoding(self) -> AudioEncoding:
        """The encoding of the audio."""

    @property
    def sample_rate(self) -> int:
        """Samples per second."""

    @property
    def channels(self) -> int:
        """Interleaved channels. Compressed audio states its own."""

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """The audio as it is recorded, `CHUNK_SECONDS` at a time.

        Raises:
            AudioSourceError: The source has failed.
        """


@dataclass(frozen=True, slots=True)
class PacedAudio:
    """Audio from a file, in real time."""

    encoding: AudioEncoding
    sample_rate: int
    pieces: Iterator[bytes]
    """Pieces of `CHUNK_SECONDS` each."""
    channels: int = 1

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The pieces, each at the time of its end."""
        begun = time.monotonic()
        for count, piece in enumerate(self.pieces, start=1):
            # Relative to the start, not to the piece before, so that delays do not accumulate.
            await asyncio.sleep(max(0.0, begun + count * CHUNK_SECONDS - time.monotonic()))
            yield piece


@dataclass(frozen=True, slots=True)
class PipedAudio:
    """Audio from a pipe, as its writer writes it."""

    encoding: AudioEncoding
    sample_rate: int
    pieces: Iterator[bytes]
    """Pieces, each of which is read when it is asked for."""
    is_paced: bool
    """Whether the pieces are `CHUNK_SECONDS` each, and sent no faster than in real time."""
    channels: int = 1

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The pieces as they come."""
        begun: float | None = None
        count = 0
        while (piece := await in_daemon_thread(lambda: next(self.pieces, None))) is not None:
            now = time.monotonic()
            begun = now if begun is None else begun
            if self.is_paced:
                await asyncio.sleep(max(0.0, begun + count * CHUNK_SECONDS - now))
            yield piece
            count += 1
