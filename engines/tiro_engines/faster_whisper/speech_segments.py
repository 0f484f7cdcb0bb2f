"""Finding the speech in a recording, in segments that Whisper can decode whole, and grouping them into batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faster_whisper.vad import VadOptions, get_speech_timestamps

from tiro_engines.interface import SAMPLE_RATE, Samples

SEGMENT_SECONDS_MAX = 28
"""Two seconds less than Whisper's window: with no silence after the last word the decoder loops.

Word error rate of 20 minutes of long recordings with tiny.en by the longest segment: 10 s 13.5 %, 15 s 12.8, 20 s 11.3,
28 s 10.9; faster-whisper's long form has 12.7, its batched pipeline 14.3.
"""
PAUSE_SECONDS_MAX = 1.0
"""A longer pause is not decoded: Whisper hallucinates over silence. Shorter ones show Whisper where sentences end."""
PAUSE_MILLISECONDS_MIN = 160
"""A segment that is too long is split at a pause of at least this length, where there is one, rather than in a word."""


@dataclass(frozen=True, slots=True)
class SpeechSegment:
    """Speech in a window, with a little silence around it."""

    start: int
    """Its first sample in the window."""
    end: int
    """The sample after its last one."""


def find_speech_segments(samples: Samples) -> list[SpeechSegment]:
    """Find the speech in a window: in order, without overlap, each at most `SEGMENT_SECONDS_MAX`."""
    segments: list[SpeechSegment] = []
    options = VadOptions(max_speech_duration_s=SEGMENT_SECONDS_MAX, min_silence_duration_ms=PAUSE_MILLISECONDS_MIN)
    for found in get_speech_timestamps(samples, options):
        speech = SpeechSegment(int(found["start"]), int(found["end"]))
        if segments and _continues(segments[-1], speech):
            speech = SpeechSegment(segments.pop().start, speech.end)
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
