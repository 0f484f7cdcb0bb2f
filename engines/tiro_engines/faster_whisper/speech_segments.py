"""Finding the speech in a recording, in segments that Whisper can decode whole, and grouping them into batches."""

from collections.abc import Iterator, Sequence

from tiro_engines.faster_whisper.speech_stretches import LONG_PAD_SAMPLES, PAD_SAMPLES, SpeechSegment, speech_stretches
from tiro_engines.interface import SAMPLE_RATE
from tiro_engines.windowed.voice import FRAME_SAMPLES

SEGMENT_SECONDS_MAX = 28
"""Two seconds less than Whisper's window: with no silence after the last word the decoder loops.

Word error rate of 20 minutes of long recordings with tiny.en by the longest segment: 10 s 13.5 %, 15 s 12.8, 20 s 11.3,
28 s 10.9; faster-whisper's long form has 12.7, its batched pipeline 14.3.
"""
PAUSE_SECONDS_MAX = 1.0
"""A longer pause is not decoded: Whisper hallucinates over silence. Shorter ones show Whisper where sentences end."""
PAUSE_FRAMES_MIN = 5
"""The shortest pause (160 ms) at which a segment that is too long is split, where there is one."""
STRETCH_FRAMES_MAX = (SEGMENT_SECONDS_MAX * SAMPLE_RATE - LONG_PAD_SAMPLES - PAD_SAMPLES) // FRAME_SAMPLES
"""The longest speech without such a pause, less the silence around it."""


def find_speech_segments(probabilities: Sequence[float], length: int) -> list[SpeechSegment]:
    """Find the speech in a window: in order, without overlap, each at most `SEGMENT_SECONDS_MAX`.

    Args:
        probabilities: The speech probability of each frame.
        length: The samples of the window.
    """
    found = speech_stretches(probabilities, length, pause_frames=PAUSE_FRAMES_MIN, frames_max=STRETCH_FRAMES_MAX)
    segments: list[SpeechSegment] = []
    for speech in found:
        if segments and _continues(segments[-1], speech):
            segments.append(SpeechSegment(segments.pop().start, speech.end))
        else:
            segments.append(speech)
    return segments


def _continues(before: SpeechSegment, speech: SpeechSegment) -> bool:
    pause = speech.start - before.end
    return pause <= PAUSE_SECONDS_MAX * SAMPLE_RATE and speech.end - before.start <= SEGMENT_SECONDS_MAX * SAMPLE_RATE


def batches(segments: Sequence[SpeechSegment], seconds_max: float, pad_seconds: float) -> Iterator[list[SpeechSegment]]:
    """Group neighbours that are decoded in one batch.

    Args:
        segments: The segments, in order.
        seconds_max: The most audio that is encoded at once, with every segment padded as the longest one. A single
            longer segment is a batch of its own.
        pad_seconds: The silence after each segment.
    """
    batch: list[SpeechSegment] = []
    longest = 0
    for segment in segments:
        length = segment.end - segment.start
        padded = max(longest, length) / SAMPLE_RATE + pad_seconds
        if batch and padded * (len(batch) + 1) > seconds_max:
            yield batch
            batch, longest = [], 0
        batch.append(segment)
        longest = max(longest, length)
    if batch:
        yield batch
