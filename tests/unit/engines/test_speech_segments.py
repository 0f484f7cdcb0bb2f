"""Speech segments, by the speech probabilities of frames, and batches of them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tiro_engines.faster_whisper.speech_segments import SEGMENT_SECONDS_MAX, batches, find_speech_segments
from tiro_engines.faster_whisper.speech_stretches import LONG_PAD_SAMPLES, PAD_SAMPLES, SpeechSegment
from tiro_engines.interface import SAMPLE_RATE

FRAME = 512
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


def segments_of(pattern: str, repeat: int = 1) -> list[SpeechSegment]:
    """Find segments. Each letter stands for `repeat` frames: `S` is speech, `s` less probable speech, `.` silence."""
    probabilities = [{"S": 0.9, "s": 0.4}.get(letter, 0.0) for letter in pattern for _ in range(repeat)]
    return find_speech_segments(probabilities, len(probabilities) * FRAME)


def test_speech_is_found_with_some_silence_around_it() -> None:
    """Less probable speech continues a segment and does not begin one. Short pauses are inside a segment."""
    start, end = 100 * FRAME, 160 * FRAME
    (segment,) = segments_of("." * 96 + "ssss" + "S" * 30 + "ss..ss" + "S" * 20 + "ssss" + "." * 100)
    assert segment == SpeechSegment(start - LONG_PAD_SAMPLES, end + PAD_SAMPLES)


def test_more_silence_is_kept_before_speech_that_follows_a_long_silence() -> None:
    """After 2 s of silence 0.4 s of it are kept, after 4 s one second; at the beginning what there is."""
    first, second, third = segments_of("S.SSS" + "." * 64 + "SSSS" + "." * 126 + "SSSSS")
    assert first.start == 0
    assert second.start == 69 * FRAME - PAD_SAMPLES
    assert third == SpeechSegment(199 * FRAME - LONG_PAD_SAMPLES, 204 * FRAME)


@given(st.text("Ss.", max_size=120))
def test_segments_are_in_order_and_limited(pattern: str) -> None:
    """Any probabilities give segments in order, inside the window, of at most 28 s, with all probable speech."""
    found = segments_of(pattern, repeat=25)
    assert all(before.end <= after.start for before, after in pairwise(found))
    assert all(0 < segment.end - segment.start <= SEGMENT_SECONDS_MAX * SAMPLE_RATE for segment in found)
    for index, letter in enumerate(pattern):
        begin, end = index * 25 * FRAME, (index + 1) * 25 * FRAME
        if letter == "S":
            inside = sum(max(0, min(end, one.end) - max(begin, one.start)) for one in found)
            assert inside == end - begin
