"""Local agreement: the words of a partial are stable on which two decodings in a row agree with enough probability.

LocalAgreement-2 of Liu, Spanakis and Niehues, "Low-Latency Sequence-to-Sequence Speech Recognition and Translation by
Partial Hypothesis Selection" (2020), as Macháček, Dabre and Bojar use it with Whisper, "Turning Whisper into Real-Time
Transcription System" (2023).
"""

from collections.abc import Sequence
from itertools import takewhile

from tiro_engines.interface import SAMPLE_RATE
from tiro_engines.windowed.decoder import DecodedWord

SAME_WORD_SAMPLES = SAMPLE_RATE
"""The largest difference between the times that two decodings give to one word."""
SURE_PROBABILITY_MIN = 0.4
"""The probability of a word from which on a decoding is sure of it."""
UNSURE_SAMPLES = SAMPLE_RATE * 3 // 2
"""A word of which one of the two decodings is not sure becomes stable this much later: later words may change it.

So does the last word: more may belong to it, as `,000` to `1,200`.

Measured with tiny.en over read speech, this and the probability: without them the final changes one stable word in 15.
"""


class LocalAgreement:
    """The stable words of the present utterance, and the rest of its last decoding."""

    def __init__(self) -> None:
        self._stable: list[DecodedWord] = []
        self._rest: list[DecodedWord] = []

    @property
    def stable(self) -> Sequence[DecodedWord]:
        """The stable words."""
        return self._stable

    @property
    def stable_count(self) -> int:
        """The number of stable words at the beginning of the last `update`."""
        return len(self._stable)

    def update(self, words: Sequence[DecodedWord], *, certain_until: int) -> list[DecodedWord]:
        """Add a new decoding of the utterance. Returns the words to show, of which the stable ones never change.

        Args:
            words: The decoding.
            certain_until: A word that ends after this sample does not become stable, because it may not be complete.
        """
        rest = self._after_stable(words)
        certain = [certain_until] * (len(rest) - 1) + [certain_until - UNSURE_SAMPLES]
        pairs = zip(self._rest, rest, certain, strict=False)
        agreed = sum(1 for _ in takewhile(lambda pair: _agree(*pair), pairs))
        self._stable += rest[:agreed]
        self._rest = rest[agreed:]
        return self._stable + self._rest

    def reset(self) -> None:
        """Begin a new utterance."""
        self._stable.clear()
        self._rest.clear()

    def _after_stable(self, words: Sequence[DecodedWord]) -> list[DecodedWord]:
        """The words after the stable ones: by count, where the decoding begins with the stable words.

        Otherwise the words after the last stable word, if the decoding has that word at about its time; else those that
        begin later.
        """
        count = len(self._stable)
        if len(words) >= count and all(map(_same, self._stable, words)):
            return list(words[count:])
        last = self._stable[-1]
        again = [
            (abs(word.end - last.end), index)
            for index, word in enumerate(words)
            if _same(word, last) and abs(word.end - last.end) <= SAME_WORD_SAMPLES
        ]
        if again:
            return list(words[min(again)[1] + 1 :])
        return [word for word in words if word.start + word.end > 2 * last.end]


def _agree(before: DecodedWord, now: DecodedWord, certain_until: int) -> bool:
    sure = min(before.probability, now.probability) >= SURE_PROBABILITY_MIN
    return _same(before, now) and now.end <= certain_until - (0 if sure else UNSURE_SAMPLES)


def _same(first: DecodedWord, second: DecodedWord) -> bool:
    return _spelling(first) == _spelling(second)


def _spelling(word: DecodedWord) -> str:
    """The word without case and punctuation, which change with every word that follows."""
    return "".join(filter(str.isalnum, word.raw.casefold())) or word.text
