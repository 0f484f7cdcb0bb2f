"""Batches of speech segments."""

from hypothesis import given
from hypothesis import strategies as st

from tiro_engines.faster_whisper.speech_segments import SpeechSegment, batches
from tiro_engines.interface import SAMPLE_RATE

SECONDS_MAX = 30.0
PAD_SECONDS = 8.0


@given(st.lists(st.floats(0.1, 28), max_size=40))
def test_a_batch_has_neighbours_within_the_limit(lengths: list[float]) -> None:
    """Batches have all segments in order, and none is longer than the limit of one encoding."""
    segments, position = [], 0
    for length in lengths:
        end = position + round(length * SAMPLE_RATE)
        segments.append(SpeechSegment(position, end))
        position = end
    found = list(batches(segments, SECONDS_MAX, PAD_SECONDS))
    assert [segment for batch in found for segment in batch] == segments
    for batch in found:
        longest = max(segment.end - segment.start for segment in batch) / SAMPLE_RATE
        assert len(batch) == 1 or (longest + PAD_SECONDS) * len(batch) <= SECONDS_MAX


def test_short_segments_share_a_batch() -> None:
    """Three commands of a second each are one batch."""
    segments = [SpeechSegment(start * SAMPLE_RATE, (start + 1) * SAMPLE_RATE) for start in (0, 5, 10)]
    assert list(batches(segments, SECONDS_MAX, PAD_SECONDS)) == [segments]
