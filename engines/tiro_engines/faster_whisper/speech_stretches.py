"""Stretches of speech by the speech probabilities of frames, as Silero's own segmentation finds them.

faster-whisper has that segmentation, but not for a detector whose state is reset in long silences (`windowed.silero`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tiro_engines.interface import SAMPLE_RATE
from tiro_engines.windowed.voice import FRAME_SAMPLES

THRESHOLD = 0.5
"""The probability from which on a frame begins speech."""
FLOOR = 0.35
"""The probability below which a frame is silence. Between the two, speech and silence continue."""
PAD_SAMPLES = SAMPLE_RATE * 400 // 1000
"""The silence kept on both sides of a stretch."""
LONG_PAD_SAMPLES = SAMPLE_RATE
"""The same before a stretch that follows `LONG_SILENCE_SAMPLES`: the detector finds its beginning later."""
LONG_SILENCE_SAMPLES = 4 * SAMPLE_RATE
SHORT_PAUSE_FRAMES = 4
"""The shortest pause (128 ms) at which a stretch that is too long is split."""


@dataclass(frozen=True, slots=True)
class SpeechSegment:
    """Speech in a window, with a little silence around it."""

    start: int
    """Its first sample in the window."""
    end: int
    """The sample after its last one."""


def speech_stretches(
    probabilities: Sequence[float], length: int, *, pause_frames: int, frames_max: int | None = None
) -> list[SpeechSegment]:
    """Find the speech in a window: stretches between pauses, in order, without overlap.

    Args:
        probabilities: The speech probability of each frame.
        length: The samples of the window.
        pause_frames: The shortest pause that ends a stretch.
        frames_max: The longest stretch; a longer one is split. None: no limit.
    """
    found = [
        (begin * FRAME_SAMPLES, min(end * FRAME_SAMPLES, length))
        for stretch in _runs(probabilities, 0, len(probabilities), pause_frames)
        for begin, end in _bounded(probabilities, *stretch, frames_max or len(probabilities))
    ]
    ends_before: list[int | None] = [None, *(end for _, end in found)]
    starts_after: list[int | None] = [*(start for start, _ in found[1:]), None]
    return [
        SpeechSegment(start - _lead_in(before, start), end + _hangover(end, after, length))
        for (start, end), before, after in zip(found, ends_before, starts_after, strict=False)
    ]


def _lead_in(end_before: int | None, start: int) -> int:
    """The silence kept before a stretch, which shares it with the stretch before."""
    if end_before is None:
        return min(start, LONG_PAD_SAMPLES)
    silence = start - end_before
    return LONG_PAD_SAMPLES if silence >= LONG_SILENCE_SAMPLES else min(PAD_SAMPLES, silence // 2)


def _hangover(end: int, start_after: int | None, length: int) -> int:
    """The silence kept after a stretch, which shares it with the stretch after."""
    return min(PAD_SAMPLES, length - end if start_after is None else (start_after - end) // 2)


def _runs(probabilities: Sequence[float], begin: int, end: int, pause_frames: int) -> Iterator[tuple[int, int]]:
    """The runs of speech in some frames: the first frame, and the one after the last."""
    start = silence = None
    for frame in range(begin, end):
        if probabilities[frame] >= THRESHOLD:
            start = frame if start is None else start
            silence = None
        elif probabilities[frame] < FLOOR and start is not None:
            silence = frame if silence is None else silence
            if frame - silence >= pause_frames:
                yield start, silence
                start = silence = None
    if start is not None:
        yield start, end


def _bounded(probabilities: Sequence[float], begin: int, end: int, frames_max: int) -> Iterator[tuple[int, int]]:
    """Split a run that is too long: at the last short pause within the limit, or else at the limit."""
    while end - begin > frames_max:
        runs = list(_runs(probabilities, begin, begin + frames_max, SHORT_PAUSE_FRAMES))
        if len(runs) > 1:
            yield begin, runs[-2][1]
            begin = runs[-1][0]
        else:
            yield begin, begin + frames_max
            begin += frames_max
    yield begin, end
