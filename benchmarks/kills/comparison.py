"""The effect of kills on real speech: the finals of a session against those of the same audio without a kill."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from tiro_client.transcript import Word

AROUND_SECONDS = 10.0
"""A difference within this many seconds of audio of a kill counts as caused by it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two texts, with its times in seconds of the audio."""

    start: float
    end: float
    expected: str
    found: str

    def distance(self, seconds: float) -> float:
        """Its distance to a moment of the audio, in seconds."""
        return max(self.start - seconds, seconds - self.end, 0.0)

    @property
    def changes_words(self) -> bool:
        """Whether it is more than punctuation and capitals."""
        return _letters(self.expected) != _letters(self.found)

    def __str__(self) -> str:
        return f"{self.start:.1f} to {self.end:.1f} s: {self.expected!r} became {self.found!r}"


def differences(expected: Sequence[Word], found: Sequence[Word]) -> list[Difference]:
    """Compare word by word, spelling and punctuation included."""
    matcher = SequenceMatcher(None, [word.text for word in expected], [word.text for word in found], autojunk=False)
    return [
        Difference(*_span(ours or theirs), expected=_text(ours), found=_text(theirs))
        for kind, a, b, c, d in matcher.get_opcodes()
        if kind != "equal"
        for ours, theirs in [(expected[a:b], found[c:d])]
    ]


def _span(words: Sequence[Word]) -> tuple[float, float]:
    return words[0].start_seconds, words[-1].end_seconds


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _text(words: Sequence[Word]) -> str:
    return " ".join(word.text for word in words)
