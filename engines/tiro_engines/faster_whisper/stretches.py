"""Where there is speech in a recording, in stretches that Whisper can hear whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faster_whisper.vad import VadOptions, get_speech_timestamps

from tiro_engines.interface import SAMPLE_RATE, Samples

STRETCH_SECONDS_MAX = 28
"""Two seconds less than Whisper's window: with no silence behind the last word the decoder loops.

Word error rate of 20 minutes of long recordings with tiny.en by the longest stretch: 10 s 13.5 %, 15 s 12.8, 20 s 11.3,
28 s 10.9; faster-whisper's long form has 12.7, its batched pipeline 14.3.
"""
PAUSE_SECONDS_MAX = 1.0
"""A longer pause is not decoded: Whisper writes words over silence. A shorter one tells it where a sentence ends."""
PAUSE_MILLISECONDS_MIN = 160
"""A stretch may end at a pause this short, rather than in a word."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Speech, in samples of the window it was found in, with a little silence around it."""

    start: int
    end: int


def find_stretches(samples: Samples) -> list[Stretch]:
    """Find the speech in a window: in order, without overlap, each at most `STRETCH_SECONDS_MAX`."""
    stretches: list[Stretch] = []
    options = VadOptions(max_speech_duration_s=STRETCH_SECONDS_MAX, min_silence_duration_ms=PAUSE_MILLISECONDS_MIN)
    for found in get_speech_timestamps(samples, options):
        speech = Stretch(int(found["start"]), int(found["end"]))
        if stretches and _goes_on(stretches[-1], speech):
            speech = Stretch(stretches.pop().start, speech.end)
        stretches.append(speech)
    return stretches


def _goes_on(before: Stretch, speech: Stretch) -> bool:
    pause = speech.start - before.end
    return pause <= PAUSE_SECONDS_MAX * SAMPLE_RATE and speech.end - before.start <= STRETCH_SECONDS_MAX * SAMPLE_RATE


def together(stretches: Sequence[Stretch], seconds_max: float, pad_seconds: float) -> Iterator[list[Stretch]]:
    """Group neighbours that are decoded together.

    Args:
        stretches: In order.
        seconds_max: As much may be encoded at once, but for a single stretch: all are padded as the longest one is.
        pad_seconds: The silence behind each.
    """
    group: list[Stretch] = []
    longest = 0
    for stretch in stretches:
        length = stretch.end - stretch.start
        padded = max(longest, length) / SAMPLE_RATE + pad_seconds
        if group and padded * (len(group) + 1) > seconds_max:
            yield group
            group, longest = [], 0
        group.append(stretch)
        longest = max(longest, length)
    if group:
        yield group
