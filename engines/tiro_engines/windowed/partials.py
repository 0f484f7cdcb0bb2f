"""The hypothesis for the present utterance, decoded again from time to time.

A long utterance is not decoded from its beginning every time. Once words are stable and far enough from the end, the
next decoding begins after them and has them as context. So a partial costs as much as the last few seconds, for an
utterance of any length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from tiro_engines.interface import SAMPLE_RATE
from tiro_engines.windowed.agreement import LocalAgreement
from tiro_engines.windowed.boundaries import best_boundary
from tiro_engines.windowed.decoder import DecodedWord, Hypothesis, PartialWindow
from tiro_engines.windowed.window import AudioWindow

WINDOW_SAMPLES_MAX = 4 * SAMPLE_RATE
"""The longest window. After a longer one the next window begins later."""
WINDOW_SAMPLES_KEPT = SAMPLE_RATE * 3 // 2
"""The end of the window that is always decoded again: words near its beginning and end are recognized less well."""
UNCERTAIN_SAMPLES = SAMPLE_RATE // 4
"""A word that ends this near to the end of the audio may continue: it does not become stable yet."""


@dataclass(frozen=True, slots=True)
class StabilizedHypothesis:
    """The words that a partial shows, with positions in the utterance's window."""

    words: Sequence[DecodedWord]
    stable_count: int
    """The number of words at the beginning that will not change."""
    language: str


class PartialTracker:
    """Chooses what to decode for the next partial, and keeps the words on which two decodings agreed."""

    def __init__(self, start: int) -> None:
        self._agreement = LocalAgreement()
        self.decoded_until = start
        """The sample up to which everything is in a partial, or final."""
        self._window_start = start
        self._begin = start
        self._shown: StabilizedHypothesis | None = None

    def restart(self, at: int, *, decoded_until: int) -> None:
        """Begin a new hypothesis at the sample `at`. Up to `decoded_until` there is nothing to decode."""
        self._agreement.reset()
        self._begin, self.decoded_until = at, decoded_until
        self._shown = None

    def next_window(self, window: AudioWindow) -> PartialWindow:
        """The window to decode next: the end of the utterance."""
        begin = max(self._begin, window.start)
        return PartialWindow(window.since(begin), self._stable_before(begin - window.start))

    def update(self, window: AudioWindow, hypothesis: Hypothesis) -> StabilizedHypothesis | None:
        """Add the hypothesis for `next_window`, the window being the same.

        Returns:
            The hypothesis for the whole utterance. None where it has not changed, and where nothing was recognized: the
            hypothesis before is still the better one.
        """
        self.decoded_until = window.end
        self._window_start = window.start
        if not hypothesis.words:
            return None
        begin = max(self._begin, window.start)
        before = self._stable_before(begin - window.start)
        length = window.end - window.start
        words = self._agreement.update(
            [*before, *(word.shifted(begin - window.start) for word in hypothesis.words)],
            certain_until=length - UNCERTAIN_SAMPLES,
        )
        updated = StabilizedHypothesis(words, self._agreement.stable_count, hypothesis.language)
        if window.end - begin > WINDOW_SAMPLES_MAX:
            self._begin_later(begin - window.start, length)
        if self._shown is not None and _appearance(updated) == _appearance(self._shown):
            return None
        self._shown = updated
        return updated

    def stable_until(self, at: int) -> Sequence[DecodedWord]:
        """The stable words that end before the sample `at`."""
        return list(takewhile(lambda word: self._window_start + word.end <= at, self._agreement.stable))

    def _stable_before(self, begin: int) -> list[DecodedWord]:
        return [word for word in self._agreement.stable if word.end <= begin]

    def _begin_later(self, begin: int, length: int) -> None:
        """Begin the next decoding after a stable word: at the widest gap that leaves enough to decode again."""
        latest = length - WINDOW_SAMPLES_KEPT
        movable = [word for word in self._agreement.stable if word.start >= begin and word.start <= latest]
        count = best_boundary(movable, after=begin)
        if count is not None:
            self._begin = self._window_start + (movable[count - 1].end + movable[count].start + 1) // 2


def _appearance(hypothesis: StabilizedHypothesis) -> tuple[int, str]:
    return hypothesis.stable_count, "".join(word.raw for word in hypothesis.words)
