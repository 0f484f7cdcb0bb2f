"""Sound behind the end that a header states is read, or its bytes are reported."""

import struct
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
import pytest

from tiro_core.audio.decode import decode
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.probe import probe
from tiro_core.audio.report import DecodeReport

AsFile = Callable[[bytes], BinaryIO]
Encode = Callable[..., bytes]

RATE = 16_000
SECONDS = 4.0
STALE_BYTES = RATE
"""Half a second of 16-bit samples."""
SIZE_FIELDS = {
    "wav": (b"data", 4, "<I"),
    "aiff": (b"SSND", 4, ">I"),
    "caf": (b"data", 4, ">Q"),
    "w64": (b"data", 16, "<Q"),
}
"""The name of the chunk with the sound, where its size is from there, and how it is written."""


async def decoded(
    launcher: MediaLauncher, file: BinaryIO, limits: DecodeLimits
) -> tuple[np.ndarray, DecodeReport, float]:
    """Return the samples, the report, and the seconds that the probe measures."""
    async with decode(launcher, file, rate=RATE, limits=limits) as stream:
        samples = np.concatenate([chunk async for chunk in stream])
    assert stream.report is not None
    return samples, stream.report, (await probe(launcher, file, limits=limits)).duration_seconds


@pytest.mark.parametrize("container", SIZE_FIELDS)
@pytest.mark.parametrize("stale_bytes", [0, 2, STALE_BYTES])
async def test_sound_behind_the_stated_size_is_read(
    *, launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode, container: str, stale_bytes: int
) -> None:
    """A recorder that was cut off leaves an old size in the header; all samples are read."""
    codec = "pcm_s16be" if container == "aiff" else "pcm_s16le"
    data = bytearray(encode(container, codec, RATE, seconds=SECONDS))
    name, offset, size_format = SIZE_FIELDS[container]
    struct.pack_into(size_format, data, data.index(name) + offset, stale_bytes + (24 if container == "w64" else 0))
    samples, report, probed = await decoded(launcher, as_file(bytes(data)), limits)
    assert samples.size == pytest.approx(SECONDS * RATE, abs=16)
    assert probed == pytest.approx(SECONDS, abs=0.01)
    assert not report.truncated


async def test_chunks_behind_the_sound_are_no_sound(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode
) -> None:
    """Notes and pictures in chunks behind the samples are passed over."""
    notes = bytes(100_000)
    chunks = b"LIST" + struct.pack("<I", 4 + 8 + 10) + b"INFOISFT" + struct.pack("<I", 10) + b"a recorder"
    chunks += b"id3 " + struct.pack("<I", len(notes)) + notes
    data = encode("wav", "pcm_s16le", RATE, seconds=SECONDS) + chunks
    samples, report, _ = await decoded(launcher, as_file(data), limits)
    assert samples.size == SECONDS * RATE
    assert report.unread_bytes == 0


@pytest.mark.parametrize("container", SIZE_FIELDS)
async def test_appended_recordings_of_samples_are_read(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode, container: str
) -> None:
    """Of two files in one, the second one's samples are read too."""
    data = encode(container, "pcm_s16be" if container == "aiff" else "pcm_s16le", RATE, seconds=SECONDS)
    samples, _, _ = await decoded(launcher, as_file(data * 2), limits)
    assert samples.size == pytest.approx(2 * SECONDS * RATE, abs=RATE // 4)


@pytest.mark.parametrize(
    ("container", "codec", "seconds"), [("ipod", "aac", 4.0), ("asf", "wmav2", 60.0), ("tta", "tta", 60.0)]
)
async def test_appended_recordings_that_are_not_read_are_reported(
    *,
    launcher: MediaLauncher,
    limits: DecodeLimits,
    as_file: AsFile,
    encode: Encode,
    container: str,
    codec: str,
    seconds: float,
) -> None:
    """Where a container ends before the file, the report has the number of bytes behind it."""
    data = encode(container, codec, RATE, seconds=seconds, bit_rate=48_000)
    _, whole, _ = await decoded(launcher, as_file(data), limits)
    _, twice, _ = await decoded(launcher, as_file(data * 2), limits)
    assert whole.unread_bytes == 0
    assert twice.unread_bytes == pytest.approx(len(data), abs=70_000)
