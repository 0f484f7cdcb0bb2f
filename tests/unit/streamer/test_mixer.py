"""Interleaved live channels become one."""

import numpy as np
import pytest

from tiro_core.audio.pcm import mulaw_to_pcm16, pcm16_from_bytes
from tiro_streamer.input.decoders.mixer import Mixer

RATE = 16_000
SPEECH = np.random.default_rng(3).normal(0, 3_000, RATE).astype(np.int16)
MESSAGE_BYTES = 6_400


def mixed(mixer: Mixer, data: bytes) -> np.ndarray:
    """The samples of a stream in messages of `MESSAGE_BYTES`."""
    pieces = [mixer.mix(data[start : start + MESSAGE_BYTES]) for start in range(0, len(data), MESSAGE_BYTES)]
    return np.frombuffer(b"".join(pieces), dtype="<i2")


def test_channels_that_cancel_are_not_mixed() -> None:
    """Of a channel and its inverse one is taken."""
    data = np.stack([SPEECH, -SPEECH], axis=1).astype("<i2").tobytes()
    samples = mixed(Mixer(pcm16_from_bytes, 2, RATE), data)
    assert np.array_equal(samples, SPEECH) or np.array_equal(samples, -SPEECH)


@pytest.mark.parametrize("other", [SPEECH, SPEECH[::-1], np.zeros_like(SPEECH)], ids=["same", "unrelated", "silent"])
def test_other_channels_are_mixed(other: np.ndarray) -> None:
    """The mean is taken of channels that do not cancel."""
    data = np.stack([SPEECH, other], axis=1).astype("<i2").tobytes()
    mean = np.stack([SPEECH, other]).mean(axis=0).astype(np.int16)
    assert np.array_equal(mixed(Mixer(pcm16_from_bytes, 2, RATE), data), mean)


def test_mu_law_that_cancels() -> None:
    """The sign bit of mu-law inverts a sample: the same holds."""
    one = np.random.default_rng(4).integers(0, 128, RATE).astype(np.uint8)
    data = np.stack([one, one | 0x80], axis=1).tobytes()
    samples = mixed(Mixer(mulaw_to_pcm16, 2, RATE), data)
    assert np.abs(samples).mean() > 1_000
