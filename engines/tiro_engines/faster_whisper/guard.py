"""Between the decoder and the transcript: passes on what was spoken, and tells what it left out and why."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from tiro_engines.faster_whisper.credits import names_subtitlers
from tiro_engines.faster_whisper.repetition import said_once
from tiro_engines.faster_whisper.trust import Generated, is_invented, is_repetitive
from tiro_engines.interface import SAMPLE_RATE, Cancelled, DroppedText, Segment

REPEATED_WORDS_PER_SECOND_MAX = 5.0
"""Who repeats faster than this is no speaker. The fastest readers say 6 words a second, but not the same ones."""


class Guard:
    """The guard of one window.

    Attributes:
        dropped: What was left out so far.
    """

    def __init__(self, emit: Callable[[Segment], None], cancelled: threading.Event) -> None:
        self._emit = emit
        self._cancelled = cancelled
        self.dropped: list[DroppedText] = []

    def leave_if_cancelled(self) -> None:
        """Raise `Cancelled` once nobody wants the window any more. Done before each segment, too."""
        if self._cancelled.is_set():
            raise Cancelled

    def take(self, segment: Segment, generated: Generated) -> None:
        """Pass a segment on, or leave it out, or what of it goes round in circles.

        Args:
            segment: Text with its place.
            generated: How the decoder came by it.

        Raises:
            Cancelled: Nobody wants it.
        """
        self.leave_if_cancelled()
        if is_invented(generated):
            silent, unlikely = generated.no_speech_probability, generated.log_probability
            self._drop(segment, f"no speech probability {silent:.2f}, mean log probability {unlikely:.2f}")
        elif names_subtitlers(segment.text):
            self._drop(segment, "credits of subtitles")
        elif (once := _once(segment, generated)) is not None:
            self._drop(_rest(segment, once), "repeats itself faster than anybody speaks")
            self._emit(once)
        else:
            self._emit(segment)

    def _drop(self, segment: Segment, why: str) -> None:
        if segment.text:
            self.dropped.append(DroppedText(segment.text, segment.start, segment.end, why))


def _once(segment: Segment, generated: Generated) -> Segment | None:
    """What a segment says before it begins to repeat itself; None where it does not."""
    words = [word.text for word in segment.words] or segment.text.split()
    allowed = REPEATED_WORDS_PER_SECOND_MAX * (segment.end - segment.start) / SAMPLE_RATE
    if len(words) <= allowed or not is_repetitive(generated):
        return None
    kept = said_once([word.strip(".,!?").lower() for word in words])
    if not kept:
        return None
    text = segment.text[: _end(segment.text, words[: len(kept)])]
    timed = segment.words[: len(kept)]
    return replace(segment, text=text, words=timed, end=timed[-1].end if timed else segment.end)


def _end(text: str, words: Sequence[str]) -> int:
    """Where the last of the words ends in a text that begins with them."""
    position = 0
    for word in words:
        position = text.index(word, position) + len(word)
    return position


def _rest(segment: Segment, kept: Segment) -> Segment:
    return replace(segment, text=segment.text[len(kept.text) :].strip(), start=kept.end, words=())
