"""Channels that cancel each other out are not mixed."""

import io
import wave
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pytest

from tiro_core.audio.cancellation import ChannelChooser
from tiro_core.audio.decode import decode
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.report import DecodeReport

AsFile = Callable[[bytes], BinaryIO]
Samples = npt.NDArray[np.float64]

RATE = 16_000
SECONDS = 4
RANDOM = np.random.default_rng(11)
SPEECH = RANDOM.normal(0, 0.1, SECONDS * RATE)
OTHER = RANDOM.normal(0, 0.1, SECONDS * RATE)
SILENCE = np.zeros(SECONDS * RATE)


def wav(channels: list[Samples], width: int = 2) -> bytes:
    """Return a wav file with these channels."""
    file = io.BytesIO()
    scaled = (np.stack(channels, axis=1) * (2 ** (8 * width - 1) - 1)).astype(np.int32)
    with wave.open(file, "wb") as target:
        target.setnchannels(len(channels))
        target.setsampwidth(width)
        target.setframerate(RATE)
        if width == 1:
            target.writeframes((scaled + 128).astype(np.uint8).tobytes())
        else:
            target.writeframes(scaled.astype("<i2" if width == 2 else "<i4").tobytes())
    return file.getvalue()


async def mixed(
    launcher: MediaLauncher, file: BinaryIO, limits: DecodeLimits
) -> tuple[npt.NDArray[np.float64], DecodeReport]:
    """Return the decoded samples in [-1, 1], and the report."""
    async with decode(launcher, file, rate=RATE, limits=limits) as stream:
        samples = np.concatenate([chunk async for chunk in stream]) / 32768
    assert stream.report is not None
    return samples, stream.report


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("part", [-1.0, -0.95])
async def test_inverted_stereo_is_one_channel(
    *, launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, width: int, part: float
) -> None:
    """Of a channel and its inverse one is taken, and the report has the time."""
    samples, report = await mixed(launcher, as_file(wav([SPEECH, part * SPEECH], width)), limits)
    assert samples.std() == pytest.approx(SPEECH.std(), rel=0.05)
    assert report.single_channel_seconds == pytest.approx(SECONDS, abs=0.1)


@pytest.mark.parametrize(
    "channels",
    [[SPEECH, SPEECH], [SPEECH, OTHER], [SPEECH, SILENCE], [SPEECH, SILENCE, SILENCE, SILENCE], [SPEECH, -0.3 * OTHER]],
    ids=["same", "two speakers", "one silent", "three silent", "quiet"],
)
async def test_other_channels_are_mixed(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, channels: list[Samples]
) -> None:
    """Channels that are alike, unrelated or silent are mixed, so that nobody is lost."""
    samples, report = await mixed(launcher, as_file(wav(channels)), limits)
    assert report.single_channel_seconds == 0
    assert np.corrcoef(samples, np.mean(channels, axis=0))[0, 1] > 0.9


async def test_only_the_part_that_cancels_is_one_channel(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile
) -> None:
    """A recording that is inverted from its middle on is mixed before, and one channel behind."""
    half = SPEECH.size // 2
    samples, report = await mixed(
        launcher, as_file(wav([SPEECH, np.concatenate((SPEECH[:half], -SPEECH[half:]))])), limits
    )
    assert samples[half + RATE :].std() == pytest.approx(SPEECH.std(), rel=0.05)
    assert report.single_channel_seconds == pytest.approx(SECONDS / 2, abs=1.0)


async def test_a_named_channel_is_taken_as_it_is(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile
) -> None:
    """Channels that are decoded separately are not compared."""
    async with decode(launcher, as_file(wav([SPEECH, -SPEECH])), rate=RATE, channel=1, limits=limits) as stream:
        samples = np.concatenate([chunk async for chunk in stream]) / 32768
    assert stream.report is not None
    assert stream.report.single_channel_seconds == 0
    assert np.corrcoef(samples, -SPEECH)[0, 1] > 0.99


def test_silence_decides_nothing() -> None:
    """In silence the choice stays as it was, in either direction."""
    chooser = ChannelChooser()
    loud, quiet = np.stack([SPEECH, -SPEECH])[:, :1_000], np.zeros((2, 1_000))
    assert chooser.listen(quiet, 0.1) is None
    chosen = chooser.listen(loud, 0.1)
    assert chosen is not None
    for _ in range(100):
        assert chooser.listen(quiet, 1.0) == chosen
