"""The text of the utterance under way, decoded anew now and then.

A long utterance is not decoded from its beginning every time: once words are stable and far enough from the end, the
next decoding begins behind them and has them as context. So a partial costs what the last few seconds cost, however
long somebody speaks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from tiro_engines.interface import SAMPLE_RATE
from tiro_engines.windowed.agreement import LocalAgreement
from tiro_engines.windowed.boundaries import best_boundary
from tiro_engines.windowed.decoder import Decoded, DecodedWord, PartialWindow
from tiro_engines.windowed.window import AudioWindow

WINDOW_SAMPLES_MAX = 4 * SAMPLE_RATE
"""A window that is longer is begun later next time."""
WINDOW_SAMPLES_KEPT = SAMPLE_RATE * 3 // 2
"""So much is decoded again at least: words are heard wrong where a window begins and where it ends."""
UNCERTAIN_SAMPLES = SAMPLE_RATE // 4
"""A word that ends so near to the end of what was heard may go on: it does not become stable yet."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a partial shows. Words are placed from the beginning of the utterance's window."""

    words: Sequence[DecodedWord]
    stable_count: int
    language: str


class Partials:
    """Says what to decode of the utterance, and keeps what two decodings agreed on."""

    def __init__(self, start: int) -> None:
        self._agreement = LocalAgreement()
        self.decoded_until = start
        """Everything before this sample is in a partial, or final."""
        self._window_start = start
        self._begin = start
        self._shown: Shown | None = None

    def restart(self, at: int) -> None:
        """Begin a new text at the sample `at`."""
        self._agreement.reset()
        self.decoded_until = self._begin = at
        self._shown = None

    def next(self, window: AudioWindow) -> PartialWindow:
        """What to decode next: the end of the window."""
        begin = max(self._begin, window.start)
        return PartialWindow(window.since(begin), self._before(begin - window.start))

    def show(self, window: AudioWindow, decoded: Decoded) -> Shown | None:
        """Take what `next` has been decoded to, the window being the same.

        Returns:
            What the utterance looks like now, or None where nothing has changed: not either where nothing was
            understood, because what was shown before is still the better guess.
        """
        self.decoded_until = window.end
        self._window_start = window.start
        if not decoded.words:
            return None
        begin = max(self._begin, window.start)
        before = self._before(begin - window.start)
        length = window.end - window.start
        words = self._agreement.update(
            [*before, *(word.shifted(begin - window.start) for word in decoded.words)],
            certain_until=length - UNCERTAIN_SAMPLES,
        )
        shown = Shown(words, self._agreement.stable_count, decoded.language)
        if window.end - begin > WINDOW_SAMPLES_MAX:
            self._begin_later(begin - window.start, length)
        if self._shown is not None and _looks(shown) == _looks(self._shown):
            return None
        self._shown = shown
        return shown

    def stable_until(self, at: int) -> Sequence[DecodedWord]:
        """The stable words that end before the sample `at`."""
        return list(takewhile(lambda word: self._window_start + word.end <= at, self._agreement.stable))

    def _before(self, begin: int) -> list[DecodedWord]:
        return [word for word in self._agreement.stable if word.end <= begin]

    def _begin_later(self, begin: int, length: int) -> None:
        """Begin the next decoding behind a stable word: at the widest gap that leaves enough to decode again."""
        latest = length - WINDOW_SAMPLES_KEPT
        movable = [word for word in self._agreement.stable if word.start >= begin and word.start <= latest]
        count = best_boundary(movable, after=begin)
        if count is not None:
            self._begin = self._window_start + (movable[count - 1].end + movable[count].start + 1) // 2


def _looks(shown: Shown) -> tuple[int, str]:
    return shown.stable_count, "".join(word.raw for word in shown.words)
