"""Media generated with PyAV, and a launcher."""

import io
import os
from collections.abc import AsyncIterator, Callable, Iterator
from fractions import Fraction
from typing import BinaryIO

import av
import numpy as np
import numpy.typing as npt
import psutil
import pytest
from av.audio.stream import AudioStream
from av.container import OutputContainer

from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits

TONE_HZ = 440.0
FRAME_SAMPLES = 1024


def _tone(seconds: float, rate: int) -> npt.NDArray[np.int16]:
    """Return a sine at half of full scale, int16 mono."""
    at = np.arange(round(seconds * rate)) / rate
    return (16_000 * np.sin(2 * np.pi * TONE_HZ * at)).astype(np.int16)


def _encode(
    container: str,
    codec: str,
    rate: int,
    *,
    seconds: float = 1.0,
    layout: str = "mono",
    video: bool = False,
    bit_rate: int | None = None,
) -> bytes:
    """Return a tone in `container`, with a moving picture beside it if `video`."""
    sink = io.BytesIO()
    muxer = {"mpegts_m2ts_mode": "1"} if codec == "pcm_bluray" else {}
    with av.open(sink, "w", format=container, options=muxer) as output:
        audio = output.add_stream(codec, rate=rate, options={"strict": "experimental"})  # FFmpeg's own vorbis is
        assert isinstance(audio, AudioStream)
        audio.layout = layout
        if bit_rate is not None:
            audio.bit_rate = bit_rate
        if video:
            _add_video(output, seconds)
        resampler = av.AudioResampler(
            format=audio.format.name, layout=layout, rate=rate, frame_size=audio.frame_size or FRAME_SAMPLES
        )
        frame = av.AudioFrame.from_ndarray(_tone(seconds, rate).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = rate
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(audio.encode(piece))
        output.mux(audio.encode(None))
    return sink.getvalue()


def _silent_video(seconds: float = 1.0) -> bytes:
    """Return an mp4 that has a picture and no sound."""
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as output:
        _add_video(output, seconds)
    return sink.getvalue()


def _add_video(output: OutputContainer, seconds: float) -> None:
    stream = output.add_stream("mpeg4" if output.format.name == "mp4" else "libvpx", rate=10)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for number in range(round(seconds * 10)):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number % 256, np.uint8), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 10)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """Return a function that encodes a tone of 440 Hz."""
    return _encode


@pytest.fixture
def silent_video() -> bytes:
    """Return an mp4 that has a picture and no sound."""
    return _silent_video()


@pytest.fixture
def as_file() -> Iterator[Callable[[bytes], BinaryIO]]:
    """Turn bytes into an open regular file without a name."""
    files: list[BinaryIO] = []

    def make(data: bytes) -> BinaryIO:
        file = os.fdopen(os.memfd_create("media"), "w+b")
        files.append(file)
        file.write(data)
        file.flush()
        return file

    yield make
    for file in files:
        file.close()


@pytest.fixture
def limits() -> DecodeLimits:
    """Return limits that no small file reaches. They end a test that hangs."""
    return DecodeLimits(timeout_seconds=30, cpu_seconds=30, duration_seconds_max=600)


@pytest.fixture
async def launcher() -> AsyncIterator[MediaLauncher]:
    """Yield a launcher, and check that it leaves no process and no descriptor."""
    me = psutil.Process()
    before, fds_before = set(me.children(recursive=True)), me.num_fds()
    async with MediaLauncher() as running:
        yield running
    assert set(me.children(recursive=True)) <= before
    assert me.num_fds() <= fds_before
