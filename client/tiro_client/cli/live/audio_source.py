"""Sources of live audio."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from tiro_client.live.config import AudioEncoding

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
        while (piece := await _next_in_thread(self.pieces)) is not None:
            now = time.monotonic()
            begun = now if begun is None else begun
            if self.is_paced:
                await asyncio.sleep(max(0.0, begun + count * CHUNK_SECONDS - now))
            yield piece
            count += 1


async def _next_in_thread(pieces: Iterator[bytes]) -> bytes | None:
    """The next piece; None at the end.

    The thread is a daemon: a pipe whose writer is silent does not keep the program from ending.

    Raises:
        OSError: The pipe cannot be read.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes | None] = loop.create_future()

    def settle(piece: bytes | None, error: Exception | None) -> None:
        if answer.done():  # nobody waits any more
            return
        if error is None:
            answer.set_result(piece)
        else:
            answer.set_exception(error)

    def read() -> None:
        piece, error = None, None
        try:
            piece = next(pieces, None)
        except Exception as failure:  # noqa: BLE001 - the waiting task gets it
            error = failure
        with suppress(RuntimeError):  # the event loop is closed
            loop.call_soon_threadsafe(settle, piece, error)

    threading.Thread(target=read, name="pipe", daemon=True).start()
    return await answer
