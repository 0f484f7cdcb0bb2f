"""Decoding a file to samples."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tiro_core.audio.headerless import HEADERLESS_BY_NAME
from tiro_core.audio.launcher import HasFileno, MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.stream import PcmStream
from tiro_core.audio.wire import Job


@asynccontextmanager
async def decode(
    launcher: MediaLauncher,
    file: HasFileno | int,
    *,
    rate: int | None = 16_000,
    channel: int | None = None,
    track: int = 0,
    container: str = "",
    limits: DecodeLimits,
) -> AsyncIterator[PcmStream]:
    """Decode `file` to int16 mono, in a process that ends with the context.

    Channels are mixed down, unless one is named. Damaged packets are skipped and counted in the report.

    Args:
        launcher: where the process comes from.
        file: an open regular file or its descriptor, read from its start, not from its position. All writes to it must
            have been flushed.
        rate: output sample rate in Hz; None keeps the source's own.
        channel: the one channel to decode, counted from 0; None mixes all of them.
        track: the sound track to decode, from 1; 0 takes the one that a player takes.
        container: the container that a probe has found. It counts for formats without a header alone.
        limits: what decoding may cost.

    Yields:
        The samples. Iterating raises `AudioError` when the audio is refused.
    """
    headerless = container if container in HEADERLESS_BY_NAME else ""
    job = Job(kind="decode", limits=limits, rate=rate, channel=channel, track=track, headerless=headerless)
    process = await launcher.start(job, file)
    try:
        yield PcmStream(process)
    finally:
        await process.aclose()
