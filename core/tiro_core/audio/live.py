"""Decoding a stream that is still being written."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum

from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.stream import PcmStream
from tiro_core.audio.wire import Job


class LiveFormat(Enum):
    """Compressed formats that can be decoded while they are being written."""

    FLAC = "flac"
    OGG_OPUS = "ogg"


class LiveDecoder(PcmStream):
    """Samples of compressed live audio, as soon as they can be decoded.

    Write and read from two tasks: the process stops taking input while nobody reads its output.
    """

    async def write(self, data: bytes) -> None:
        """Pass on more of the stream, cut anywhere, waiting while the process is behind.

        Raises:
            DecodeTimeoutError: the process took nothing for the time it was given.
            DecodeCrashedError: the process is gone. A refusal of the audio is raised by the iteration instead.
        """
        await self._process.write(data)

    async def end(self) -> None:
        """Say that the stream is complete: what is left of it comes out, then the iteration ends."""
        self._process.end_input()


@asynccontextmanager
async def decode_live(
    launcher: MediaLauncher, live_format: LiveFormat, *, rate: int | None = None, limits: DecodeLimits
) -> AsyncIterator[LiveDecoder]:
    """Decode a live stream to int16 mono, in a process that ends with the context.

    Args:
        launcher: where the process comes from.
        live_format: what the stream was announced to be.
        rate: output sample rate in Hz; None keeps the source's own.
        limits: what decoding may cost. Time spent waiting for input does not count; a session of hours wants more
            processor time than a file.

    Yields:
        The decoder. Iterating raises `AudioFormatMismatchError` when the stream is not what it was announced to be.
    """
    job = Job(kind="live", limits=limits, rate=rate, live_format=live_format.value)
    process = await launcher.start(job)
    try:
        yield LiveDecoder(process)
    finally:
        await process.aclose()
