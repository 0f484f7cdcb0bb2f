"""Decoding of whole and damaged files."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pytest

from tiro_core.audio.decode import decode
from tiro_core.audio.errors import AudioError
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.report import DecodeReport

AsFile = Callable[[bytes], BinaryIO]
Encode = Callable[..., bytes]

RATE = 16_000


async def decode_all(
    launcher: MediaLauncher, file: BinaryIO, limits: DecodeLimits, rate: int | None = RATE
) -> tuple[npt.NDArray[np.int16], DecodeReport]:
    """Return all samples and the report."""
    async with decode(launcher, file, rate=rate, limits=limits) as stream:
        chunks = [chunk async for chunk in stream]
    assert stream.report is not None
    return np.concatenate(chunks), stream.report


def loudest_hz(samples: npt.NDArray[np.int16], rate: int) -> float:
    """Return the frequency with the most energy."""
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate / samples.size)


@pytest.mark.parametrize(
    ("container", "codec", "rate", "layout"),
    [
        ("wav", "pcm_s16le", 16_000, "mono"),
        ("wav", "pcm_s16le", 48_000, "stereo"),
        ("wav", "pcm_f32le", 44_100, "5.1"),
        ("wav", "pcm_mulaw", 8_000, "mono"),
        ("mp3", "libmp3lame", 44_100, "stereo"),
        ("ipod", "aac", 44_100, "mono"),
        ("flac", "flac", 96_000, "mono"),
        ("ogg", "libopus", 48_000, "mono"),
        ("ogg", "vorbis", 44_100, "stereo"),
        ("webm", "libopus", 48_000, "stereo"),
        ("mp4", "aac", 48_000, "stereo"),
        ("adts", "aac", 16_000, "mono"),
    ],
)
async def test_every_format_becomes_the_same_samples(
    *,
    launcher: MediaLauncher,
    limits: DecodeLimits,
    as_file: AsFile,
    encode: Encode,
    container: str,
    codec: str,
    rate: int,
    layout: str,
) -> None:
    """A tone in any format is decoded at 16 kHz mono, with its pitch and length."""
    data = encode(container, codec, rate, seconds=3.0, layout=layout, video=container in {"mp4", "webm"})
    samples, report = await decode_all(launcher, as_file(data), limits)
    assert samples.dtype == np.int16
    assert samples.size == report.samples == pytest.approx(3.0 * RATE, abs=0.15 * RATE)
    assert loudest_hz(samples[RATE // 2 : -RATE // 2], RATE) == pytest.approx(440, abs=1)
    assert (report.damaged_packets, report.truncated) == (0, False)


async def test_the_source_rate_can_be_kept(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode
) -> None:
    """Without a rate samples keep that of the source, which is reported with codec and channels."""
    file = as_file(encode("flac", "flac", 22_050, seconds=1.0, layout="stereo"))
    async with decode(launcher, file, rate=None, limits=limits) as stream:
        samples = np.concatenate([chunk async for chunk in stream])
    assert stream.source is not None
    assert (stream.source.codec, stream.source.sample_rate_hz, stream.source.channels) == ("flac", 22_050, 2)
    assert samples.size == 22_050


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [("mp3", "libmp3lame", 44_100), ("ipod", "aac", 44_100), ("flac", "flac", 16_000)],
)
async def test_a_truncated_file_is_decoded_to_its_end_and_reported(
    *,
    launcher: MediaLauncher,
    limits: DecodeLimits,
    as_file: AsFile,
    encode: Encode,
    container: str,
    codec: str,
    rate: int,
) -> None:
    """Half a file gives half the audio, and is reported as truncated, with the missing seconds."""
    data = encode(container, codec, rate, seconds=8.0)
    if container == "ipod":
        data = index_first(data)
    samples, report = await decode_all(launcher, as_file(data[: len(data) // 2]), limits)
    assert 3.0 * RATE < samples.size < 5.0 * RATE
    assert report.truncated
    assert report.missing_seconds == pytest.approx(8.0 - samples.size / RATE, abs=0.1)


def index_first(data: bytes) -> bytes:
    """Move an m4a's index (moov) before its media, as a streaming server does, and correct the offsets in it."""
    mdat, moov = data.index(b"mdat") - 4, data.index(b"moov") - 4
    index = bytearray(data[moov:])
    at = index.index(b"stco") + 8
    count = int.from_bytes(index[at : at + 4], "big")
    for entry in range(at + 4, at + 4 + 4 * count, 4):
        index[entry : entry + 4] = (int.from_bytes(index[entry : entry + 4], "big") + len(index)).to_bytes(4, "big")
    return data[:mdat] + bytes(index) + data[mdat:moov]


@pytest.mark.parametrize(
    ("container", "codec", "rate"), [("mp3", "libmp3lame", 44_100), ("adts", "aac", 44_100), ("ipod", "aac", 44_100)]
)
async def test_damaged_packets_are_skipped_and_counted(
    *,
    launcher: MediaLauncher,
    limits: DecodeLimits,
    as_file: AsFile,
    encode: Encode,
    container: str,
    codec: str,
    rate: int,
) -> None:
    """Flipped bits lose their packets, not the rest of the file."""
    data = bytearray(encode(container, codec, rate, seconds=10.0))
    rng = random.Random(7)  # noqa: S311 - damage that is the same in every run
    media_end = data.index(b"moov") if container == "ipod" else len(data)
    for _ in range(40):
        data[rng.randrange(2000, media_end)] ^= 1 << rng.randrange(8)
    samples, report = await decode_all(launcher, as_file(bytes(data)), limits)
    assert report.damaged_packets > 0
    assert samples.size > 8.5 * RATE


async def test_noise_in_an_audio_container_is_undecodable(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode
) -> None:
    """A valid index over noise is AUDIO_UNDECODABLE."""
    data = bytearray(encode("ipod", "aac", 16_000, seconds=2.0))
    media, index = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[media:index] = b"\xff" * (index - media)
    with pytest.raises(AudioError) as refusal:
        await decode_all(launcher, as_file(bytes(data)), limits)
    assert refusal.value.reason == "AUDIO_UNDECODABLE"


async def test_audio_over_the_limit_is_cut_with_an_error(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode
) -> None:
    """The limit is on decoded seconds, not on bytes."""
    file = as_file(encode("flac", "flac", 16_000, seconds=20.0))
    with pytest.raises(AudioError) as refusal:
        await decode_all(launcher, file, replace(limits, duration_seconds_max=10.0))
    assert refusal.value.reason == "AUDIO_TOO_LONG"


async def test_many_files_decode_at_once(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode
) -> None:
    """Processes that share a descriptor do not affect each other's position."""
    file = as_file(encode("flac", "flac", 16_000, seconds=5.0))
    results = await asyncio.gather(*(decode_all(launcher, file, limits) for _ in range(8)))
    assert {report.samples for _, report in results} == {5 * RATE}
