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

    Write and read in two tasks: the process stops reading its input while its output is not read.
    """

    async def write(self, data: bytes) -> None:
        """Write the next bytes of the stream, split anywhere, waiting while the process is behind.

        Raises:
            DecodeTimeoutError: the process read nothing within its time limit.
            DecodeCrashedError: the process has ended. A refusal of the audio is raised by the iteration instead.
        """
        await self._process.write(data)

    async def end(self) -> None:
        """End the stream: the remaining samples come out, then the iteration ends."""
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
        limits: limits of the decoding process. Time spent waiting for input does not count; a session of hours needs
            more processor time than a file.

    Yields:
        The decoder. Iterating raises `AudioFormatMismatchError` when the stream is not what it was announced to be.
    """
    job = Job(kind="live", limits=limits, rate=rate, live_format=live_format.value)
    process = await launcher.start(job)
    try:
        yield LiveDecoder(process)
    finally:
        await process.aclose()
