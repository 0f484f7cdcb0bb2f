"""The decoder of compressed encodings, which FFmpeg decodes, each stream in a separate process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tiro_core.audio.errors import AudioFormatMismatchError
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.live import LiveDecoder, LiveFormat, decode_live
from tiro_core.audio.pcm import MODEL_RATE_HZ
from tiro_streamer.errors import no_capacity
from tiro_streamer.input.decoders.interface import Decoder, Sink

STALL_SECONDS_MAX = 30.0
"""How long a decoding process may read nothing of its input."""
SETTLE_SECONDS = 0.15
"""A decoding process without output for this long has decoded all of its input that it can."""
SPARE_SECONDS = 60.0
"""The margin of the limits on decoded audio and processor time, beyond the longest session."""


class CompressedDecoder:
    """Decodes in a process. The process holds back an incomplete packet or frame until the rest of its bytes comes."""

    def __init__(self, decoder: LiveDecoder, sink: Sink, announced_rate_hz: int) -> None:
        self._decoder = decoder
        self._sink = sink
        self._announced_rate_hz = announced_rate_hz
        self._moved_at = 0.0
        self._done = asyncio.Event()

    async def write(self, data: bytes) -> None:
        """Pass bytes on to the process."""
        await self._decoder.write(data)
        self._moved()

    async def settle(self) -> None:
        """Wait until nothing has gone in or come out for `SETTLE_SECONDS`."""
        clock = asyncio.get_running_loop().time
        while (rest := self._moved_at + SETTLE_SECONDS - clock()) > 0:  # noqa: ASYNC110 - waits for nothing to happen
            await asyncio.sleep(rest)

    async def end(self) -> None:
        """End the input, and wait until the process has decoded the rest."""
        await self._decoder.end()
        await self._done.wait()

    async def pump(self) -> None:
        """Pass samples from the process to the sink, until there are no more.

        Raises:
            AudioError: The stream is not what was announced.
        """
        async for samples in self._decoder:
            self._check_rate()
            await self._sink(samples.astype("<i2", copy=False).tobytes())
            self._moved()
        self._done.set()

    def _check_rate(self) -> None:
        source = self._decoder.source
        if source is not None and self._announced_rate_hz and source.sample_rate_hz != self._announced_rate_hz:
            raise AudioFormatMismatchError(
                f"the stream's header says {source.sample_rate_hz} Hz, its config {self._announced_rate_hz} Hz"
            )

    def _moved(self) -> None:
        self._moved_at = asyncio.get_running_loop().time()


@asynccontextmanager
async def open_compressed_decoder(
    live_format: LiveFormat,
    sink: Sink,
    *,
    announced_rate_hz: int,
    launcher: MediaLauncher,
    seconds_max: float,
    start_seconds_max: float,
) -> AsyncIterator[Decoder]:
    """A decoder with its process, for as long as the context lasts.

    Args:
        live_format: The announced format of the stream.
        sink: Gets the samples.
        announced_rate_hz: The rate that the stream's header must have, which is that of the samples. 0: any rate; the
            samples are resampled to the models' rate.
        launcher: Starts processes.
        seconds_max: The longest session, which bounds the processor time of the process.
        start_seconds_max: How long to wait while the limit of processes is reached.

    Raises:
        TiroError: NO_CAPACITY; no process has ended in this time.
    """
    limits = DecodeLimits(
        duration_seconds_min=0.0,
        # The session's limit, which counts decoded samples, is reached first.
        duration_seconds_max=seconds_max + SPARE_SECONDS,
        timeout_seconds=STALL_SECONDS_MAX,
        cpu_seconds=int(seconds_max + SPARE_SECONDS),
    )
    rate = None if announced_rate_hz else MODEL_RATE_HZ
    process = decode_live(launcher, live_format, rate=rate, limits=limits)
    starting = asyncio.timeout(start_seconds_max)
    try:
        async with starting, process as decoder:
            starting.reschedule(None)
            compressed = CompressedDecoder(decoder, sink, announced_rate_hz)
            async with asyncio.TaskGroup() as tasks:
                pumping = tasks.create_task(compressed.pump(), name="decoded-audio")
                yield compressed
                pumping.cancel()
    except TimeoutError:
        if starting.expired():
            raise no_capacity("all decoding processes") from None
        raise
