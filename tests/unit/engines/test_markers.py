"""Word markers in samples after lossless transport."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiro_engines.fake.markers import MARKER_SAMPLES, WORD_MAX, encode, find, first_sound
from tiro_engines.interface import Samples

numbers = st.lists(st.integers(0, WORD_MAX), max_size=6)


def samples_of(pcm: np.ndarray, full_scale: float = 32768) -> Samples:
    """Turn PCM16 into float samples."""
    return (pcm / full_scale).astype(np.float32)


@given(words=numbers, gap_ms=st.integers(0, 300), before=st.integers(0, 5_000))
def test_encoded_markers_are_found(words: list[int], gap_ms: int, before: int) -> None:
    """Markers are found in order and at their positions, at any offset, also without a gap between them."""
    pcm = np.concatenate((np.zeros(before, np.int16), encode(words, gap_ms=gap_ms)))
    found = list(find(samples_of(pcm)))
    spacing = MARKER_SAMPLES + 16 * gap_ms
    assert [marker.word for marker in found] == words
    assert [marker.start for marker in found] == [before + index * spacing for index in range(len(words))]


@given(words=numbers, scale=st.sampled_from([32767.0, 32768.0]), dither=st.integers(-1, 1))
def test_markers_survive_rounding(words: list[int], scale: float, dither: int) -> None:
    """Markers are found after conversion to float and back at either usual scale, with an error of one step."""
    pcm = encode(words)
    again = np.rint(samples_of(pcm) * scale).astype(np.int16) + dither
    assert [marker.word for marker in find(samples_of(again, scale))] == words


@given(word=st.integers(0, WORD_MAX), cut=st.integers(1, MARKER_SAMPLES - 1))
def test_an_incomplete_marker_is_no_word(word: int, cut: int) -> None:
    """A marker that is split anywhere is found on neither side."""
    samples = samples_of(encode([word], gap_ms=0))
    assert list(find(samples[:cut])) == list(find(samples[cut:])) == []


def test_noise_is_no_word() -> None:
    """Loud noise has no marker."""
    assert list(find(np.random.default_rng(1).uniform(-1, 1, 160_000).astype(np.float32))) == []


def test_a_number_out_of_range_is_refused() -> None:
    """A word outside the range is an error, not another word."""
    with pytest.raises(ValueError, match="not -1"):
        encode([-1])
    with pytest.raises(ValueError, match=str(WORD_MAX + 1)):
        encode([WORD_MAX + 1])


def test_first_sound_is_the_first_sample_that_is_not_silent() -> None:
    """The first sound is the first sample of a marker, and None in silence."""
    assert first_sound(samples_of(np.concatenate((np.zeros(99, np.int16), encode([1]))))) == 99
    assert first_sound(np.zeros(99, np.float32)) is None
