"""The filter between decoder and transcript: it passes on recognized speech, and reports the text that it drops."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from tiro_engines.faster_whisper.credits import is_subtitle_credit
from tiro_engines.faster_whisper.generated import Generated, is_hallucinated, is_repetitive
from tiro_engines.faster_whisper.repetition import without_repetition
from tiro_engines.interface import SAMPLE_RATE, Cancelled, DroppedText, Segment

REPEATED_WORDS_PER_SECOND_MAX = 5.0
"""The fastest repetition that can be speech. The fastest readers say 6 words a second, but not the same ones."""
FASTER_THAN_SPEECH = "a repetition faster than speech"
"""Why a repetition is left out."""


class HallucinationFilter:
    """The filter of one window.

    Attributes:
        dropped: The text that was left out so far.
    """

    def __init__(self, emit: Callable[[Segment], None], cancelled: threading.Event) -> None:
        self._emit = emit
        self._cancelled = cancelled
        self.dropped: list[DroppedText] = []

    def raise_if_cancelled(self) -> None:
        """Raise `Cancelled` once the caller has set its event. `accept` does this first."""
        if self._cancelled.is_set():
            raise Cancelled

    def accept(self, segment: Segment, generated: Generated) -> None:
        """Pass a segment on, or drop it, or drop the repetition at its end.

        Args:
            segment: Text with its times.
            generated: The decoder's output of which the segment was made.

        Raises:
            Cancelled: The caller has cancelled the window.
        """
        self.raise_if_cancelled()
        if is_hallucinated(generated):
            silence, unlikely = generated.no_speech_probability, generated.log_probability
            self.drop(segment, f"no speech probability {silence:.2f}, mean log probability {unlikely:.2f}")
        elif is_subtitle_credit(segment.text):
            self.drop(segment, "credits of subtitles")
        elif (once := _once(segment, generated)) is not None:
            self.drop(_rest(segment, once), FASTER_THAN_SPEECH)
            self._emit(once)
        else:
            self._emit(segment)

    def drop(self, segment: Segment, reason: str) -> None:
        """Leave a text out, and report it.

        Args:
            segment: The text with its times.
            reason: The reason, for people.
        """
        if segment.text:
            self.dropped.append(DroppedText(segment.text, segment.start, segment.end, reason))


def _once(segment: Segment, generated: Generated) -> Segment | None:
    """The part of a segment before its repetition; None where it has none."""
    words = [word.text for word in segment.words] or segment.text.split()
    allowed = REPEATED_WORDS_PER_SECOND_MAX * (segment.end - segment.start) / SAMPLE_RATE
    if len(words) <= allowed or not is_repetitive(generated):
        return None
    kept = without_repetition([word.strip(",.?!").lower() for word in words])
    if not kept:
        return None
    text = segment.text[: _end(segment.text, words[: len(kept)])]
    timed = segment.words[: len(kept)]
    return replace(segment, text=text, words=timed, end=timed[-1].end if timed else segment.end)


def _end(text: str, words: Sequence[str]) -> int:
    """The offset in a text, which begins with some words, at which the last of these words ends."""
    position = 0
    for word in words:
        position = text.index(word, position) + len(word)
    return position


def _rest(segment: Segment, kept: Segment) -> Segment:
    return replace(segment, text=segment.text[len(kept.text) :].strip(), start=kept.end, words=())
