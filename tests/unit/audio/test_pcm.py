"""Plain samples need no decoder."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiro_core.audio.errors import AudioError
from tiro_core.audio.pcm import Resampler, mulaw_to_pcm16, pcm16_from_bytes, pcm16_to_float32
from tiro_engines.pcm import float32_to_pcm16


def test_mulaw_is_expanded_as_ffmpeg_does() -> None:
    """All 256 bytes give FFmpeg's samples."""
    every_byte = bytes(range(256))
    decoder = av.CodecContext.create("pcm_mulaw", "r")
    decoder.sample_rate, decoder.layout = 8_000, "mono"
    (frame,) = decoder.decode(av.Packet(every_byte))
    assert np.array_equal(mulaw_to_pcm16(every_byte), frame.to_ndarray()[0])


def test_samples_are_little_endian() -> None:
    """The first byte is the low one."""
    assert pcm16_from_bytes(b"\x01\x00\xff\xff\x00\x80").tolist() == [1, -1, -32768]


def test_half_a_sample_is_refused() -> None:
    """An odd number of bytes has lost its place."""
    with pytest.raises(AudioError) as refusal:
        pcm16_from_bytes(b"\x01\x00\xff")
    assert refusal.value.reason == "AUDIO_FORMAT_MISMATCH"


def test_floats_stay_within_one() -> None:
    """Full scale is -1 to just under 1."""
    floats = pcm16_to_float32(np.array([-32768, 0, 32767], np.int16))
    assert floats.dtype == np.float32
    assert floats.tolist() == [-1.0, 0.0, 32767 / 32768]


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
def test_any_rate_becomes_16_khz_without_losing_time(rate: int) -> None:
    """Two seconds stay two seconds, and a tone keeps its pitch."""
    tone = (16_000 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)).astype(np.int16)
    resampler = Resampler(rate)
    samples = np.concatenate([resampler.push(tone), resampler.flush()])
    assert samples.size == pytest.approx(32_000, abs=2)
    assert np.argmax(np.abs(np.fft.rfft(samples))) / 2 == pytest.approx(440, abs=1)


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(0, 3_000), min_size=1, max_size=20), rate=st.sampled_from([8_000, 44_100, 48_000]))
def test_pieces_resample_as_the_whole_does(sizes: list[int], rate: int) -> None:
    """Where the stream is cut cannot be heard."""
    whole = np.random.default_rng(5).integers(-9_000, 9_000, sum(sizes), np.int16)
    at_once, piecewise = Resampler(rate), Resampler(rate)
    expected = np.concatenate([at_once.push(whole), at_once.flush()])
    pieces = [piecewise.push(piece) for piece in np.split(whole, np.cumsum(sizes)[:-1])]
    assert np.array_equal(np.concatenate([*pieces, piecewise.flush()]), expected)


@pytest.mark.parametrize("rate", [0, 7_999, 48_001])
def test_a_rate_out_of_range_is_refused(rate: int) -> None:
    """Speech below 8 kHz is no speech, and nobody needs more than 48."""
    with pytest.raises(AudioError) as refusal:
        Resampler(rate)
    assert refusal.value.reason == "AUDIO_FORMAT_MISMATCH"


def test_every_sample_comes_back() -> None:
    """There and back changes nothing, at either end of the scale too."""
    pcm = np.arange(-32768, 32768, dtype=np.int16)
    assert np.array_equal(float32_to_pcm16(pcm16_to_float32(pcm)), pcm)


def test_what_is_too_loud_is_clipped() -> None:
    """It does not wrap around."""
    assert list(float32_to_pcm16(np.array([-2.0, 1.0, 2.0], dtype=np.float32))) == [-32768, 32767, 32767]
