"""Conversion and resampling of samples."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiro_core.audio.errors import AudioError
from tiro_core.audio.pcm import Resampler, mulaw_to_pcm16, pcm16_from_bytes, pcm16_to_float32
from tiro_engines.pcm import float32_to_pcm16


def test_mulaw_is_expanded_as_ffmpeg_does() -> None:
    """Each of the 256 codes gives the same sample as FFmpeg's decoder."""
    every_byte = bytes(range(256))
    decoder = av.CodecContext.create("pcm_mulaw", "r")
    decoder.sample_rate, decoder.layout = 8_000, "mono"
    (frame,) = decoder.decode(av.Packet(every_byte))
    assert np.array_equal(mulaw_to_pcm16(every_byte), frame.to_ndarray()[0])


def test_samples_are_little_endian() -> None:
    """The first byte is the low one."""
    assert pcm16_from_bytes(b"\x01\x00\xff\xff\x00\x80").tolist() == [1, -1, -32768]


def test_half_a_sample_is_refused() -> None:
    """An odd number of bytes is AUDIO_FORMAT_MISMATCH."""
    with pytest.raises(AudioError) as refusal:
        pcm16_from_bytes(b"\x01\x00\xff")
    assert refusal.value.reason == "AUDIO_FORMAT_MISMATCH"


def test_floats_stay_within_one() -> None:
    """Full scale is -1.0 to 32767/32768."""
    floats = pcm16_to_float32(np.array([-32768, 0, 32767], np.int16))
    assert floats.dtype == np.float32
    assert floats.tolist() == [-1.0, 0.0, 32767 / 32768]


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
def test_any_rate_becomes_16_khz_without_losing_time(rate: int) -> None:
    """Resampling keeps the length of two seconds and the pitch of a tone."""
    tone = (16_000 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)).astype(np.int16)
    resampler = Resampler(rate)
    samples = np.concatenate([resampler.push(tone), resampler.flush()])
    assert samples.size == pytest.approx(32_000, abs=2)
    assert np.argmax(np.abs(np.fft.rfft(samples))) / 2 == pytest.approx(440, abs=1)


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(0, 3_000), min_size=1, max_size=20), rate=st.sampled_from([8_000, 44_100, 48_000]))
def test_pieces_resample_as_the_whole_does(sizes: list[int], rate: int) -> None:
    """A stream that is resampled in pieces gives the same samples as in one."""
    whole = np.random.default_rng(5).integers(-9_000, 9_000, sum(sizes), np.int16)
    at_once, piecewise = Resampler(rate), Resampler(rate)
    expected = np.concatenate([at_once.push(whole), at_once.flush()])
    pieces = [piecewise.push(piece) for piece in np.split(whole, np.cumsum(sizes)[:-1])]
    assert np.array_equal(np.concatenate([*pieces, piecewise.flush()]), expected)


@pytest.mark.parametrize("rate", [0, 7_999, 48_001])
def test_a_rate_out_of_range_is_refused(rate: int) -> None:
    """Sample rates below 8 kHz and above 48 kHz are refused."""
    with pytest.raises(AudioError) as refusal:
        Resampler(rate)
    assert refusal.value.reason == "AUDIO_FORMAT_MISMATCH"


def test_every_sample_survives_a_round_trip() -> None:
    """Conversion to float32 and back keeps every sample."""
    pcm = np.arange(-32768, 32768, dtype=np.int16)
    assert np.array_equal(float32_to_pcm16(pcm16_to_float32(pcm)), pcm)


def test_floats_beyond_full_scale_are_clipped() -> None:
    """Values beyond full scale become the nearest sample, without a wrap-around."""
    assert list(float32_to_pcm16(np.array([-2.0, 1.0, 2.0], dtype=np.float32))) == [-32768, 32767, 32767]
