"""Compressed streams are decoded while they are written."""

import asyncio
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
import pytest

from tiro_core.audio.decode import decode
from tiro_core.audio.errors import AudioError
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.live import LiveDecoder, LiveFormat, decode_live

AsFile = Callable[[bytes], BinaryIO]
Encode = Callable[..., bytes]

FORMATS = [(LiveFormat.FLAC, "flac", 16_000), (LiveFormat.OGG_OPUS, "libopus", 48_000)]


async def feed(decoder: LiveDecoder, data: bytes, piece_bytes: int = 777) -> None:
    """Write `data` in pieces of any boundaries, and end the stream."""
    for start in range(0, len(data), piece_bytes):
        await decoder.write(data[start : start + piece_bytes])
    await decoder.end()


@pytest.mark.parametrize(("live_format", "codec", "rate"), FORMATS)
async def test_a_live_stream_gives_the_samples_of_the_file(
    *,
    launcher: MediaLauncher,
    limits: DecodeLimits,
    as_file: AsFile,
    encode: Encode,
    live_format: LiveFormat,
    codec: str,
    rate: int,
) -> None:
    """A stream in pieces gives the same samples as the whole file."""
    data = encode(live_format.value, codec, rate, seconds=10.0)
    async with decode(launcher, as_file(data), rate=None, limits=limits) as stream:
        expected = np.concatenate([chunk async for chunk in stream])
    async with decode_live(launcher, live_format, limits=limits) as decoder, asyncio.TaskGroup() as tasks:
        tasks.create_task(feed(decoder, data))
        received = np.concatenate([chunk async for chunk in decoder])
    assert decoder.source is not None
    assert decoder.source.sample_rate_hz == rate
    assert np.array_equal(received, expected)


@pytest.mark.parametrize(("live_format", "codec", "rate"), FORMATS)
async def test_samples_come_before_the_stream_ends(
    *, launcher: MediaLauncher, limits: DecodeLimits, encode: Encode, live_format: LiveFormat, codec: str, rate: int
) -> None:
    """While the stream is open, six written seconds of ten give at least four seconds of samples."""
    data = encode(live_format.value, codec, rate, seconds=10.0)
    async with decode_live(launcher, live_format, limits=limits) as decoder:
        await decoder.write(data[: len(data) * 6 // 10])
        samples = 0
        async with asyncio.timeout(10):
            while samples < 4 * rate:
                samples += (await anext(decoder)).size
        await decoder.end()


@pytest.mark.parametrize(
    ("live_format", "data", "reason"),
    [
        (LiveFormat.FLAC, b"", "EMPTY_AUDIO"),
        (LiveFormat.OGG_OPUS, b"", "EMPTY_AUDIO"),
        (LiveFormat.FLAC, b"OggS" + bytes(2000), "AUDIO_FORMAT_MISMATCH"),
        (LiveFormat.FLAC, b"fLaC", "AUDIO_FORMAT_MISMATCH"),
        (LiveFormat.OGG_OPUS, b"OggS" + bytes(2000), "AUDIO_FORMAT_MISMATCH"),
        (LiveFormat.OGG_OPUS, b"RIFF" * 100_000, "AUDIO_FORMAT_MISMATCH"),
    ],
)
async def test_a_stream_that_is_not_as_announced_is_refused(
    launcher: MediaLauncher, limits: DecodeLimits, live_format: LiveFormat, data: bytes, reason: str
) -> None:
    """The reader gets the reason; the writer gets no error of a closed pipe."""
    async with decode_live(launcher, live_format, limits=limits) as decoder:
        await feed(decoder, data, piece_bytes=100_000)
        with pytest.raises(AudioError) as refusal:
            await anext(decoder)
    assert refusal.value.reason == reason


async def test_ogg_with_another_codec_is_refused(launcher: MediaLauncher, limits: DecodeLimits, encode: Encode) -> None:
    """Ogg with a codec other than Opus is AUDIO_FORMAT_MISMATCH."""
    async with decode_live(launcher, LiveFormat.OGG_OPUS, limits=limits) as decoder:
        await feed(decoder, encode("ogg", "vorbis", 44_100, layout="stereo"))
        with pytest.raises(AudioError, match="holds vorbis") as refusal:
            await anext(decoder)
    assert refusal.value.reason == "AUDIO_FORMAT_MISMATCH"
