"""Parts of a window of a recording."""

from collections.abc import Sequence

import numpy as np

from tiro_engines.faster_whisper.speech_stretches import SpeechSegment
from tiro_engines.interface import Window
from tiro_engines.windowed.voice import FRAME_SAMPLES


def part_of(window: Window, segment: SpeechSegment) -> Window:
    """The part of a window that a speech segment is."""
    return Window(window.samples[segment.start : segment.end], window.offset + segment.start)


def between(window: Window, start: int, end: int) -> Window:
    """A part of a window, between two samples of the recording."""
    return Window(window.samples[start - window.offset : end - window.offset], start)


def halves(part: Window) -> list[Window]:
    """A speech segment divided at the quietest moment of its middle."""
    frames = len(part.samples) // FRAME_SAMPLES
    energy = np.square(part.samples[: frames * FRAME_SAMPLES].reshape(frames, FRAME_SAMPLES)).mean(axis=1)
    first, last = frames // 3, frames - frames // 3
    quietest = first + int(np.argmin(energy[first:last]))
    at = part.offset + quietest * FRAME_SAMPLES + FRAME_SAMPLES // 2
    return [between(part, part.offset, at), between(part, at, part.offset + len(part.samples))]


def after(stretches: Sequence[SpeechSegment], sample: int) -> list[SpeechSegment]:
    """The stretches after a sample of their window, in the window that begins there."""
    return [
        SpeechSegment(max(0, stretch.start - sample), stretch.end - sample)
        for stretch in stretches
        if stretch.end > sample
    ]
