"""When a word was first shown and did not change any more."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True, slots=True)
class ShownWord:
    """A word of a partial or final. Times in seconds of the recording."""

    text: str
    start: float
    end: float
    stable: bool


@dataclass(frozen=True, slots=True)
class SettledWord:
    """A word of a final, and when it was shown."""

    word: ShownWord
    shown_at: float
    """First in a partial, or in the final, without a change until the final."""
    stable_at: float
    """First stable, or final."""


class Utterance:
    """The partials since the last final, to be compared with the next one."""

    def __init__(self) -> None:
        self._partials: list[tuple[float, Sequence[ShownWord]]] = []
        self.stable = 0
        """Stable words, as they were when their final came."""
        self.changed = 0
        """Those that the final does not have."""

    def show(self, at: float, words: Sequence[ShownWord]) -> None:
        """Add a partial."""
        self._partials.append((at, words))

    def settle(self, at: float, final: Sequence[ShownWord]) -> list[SettledWord]:
        """Compare the partials with their final, and forget those that it covers."""
        if not final:
            return []
        shown, stable = [at] * len(final), [at] * len(final)
        later = at
        for when, words in reversed(self._partials):
            same = matching([word.text for word in words], [word.text for word in final])
            for ours, theirs in same.items():
                if shown[theirs] == later:  # in every partial since
                    shown[theirs] = when
                if words[ours].stable:
                    stable[theirs] = min(stable[theirs], when)
            later = when
        self._count_changes(final)
        # Words of partials behind a split utterance belong to the next final.
        left = [(when, [word for word in words if word.start >= final[-1].end]) for when, words in self._partials]
        self._partials = [(when, words) for when, words in left if words]
        return [SettledWord(word, *times) for word, *times in zip(final, shown, stable, strict=True)]

    def _count_changes(self, final: Sequence[ShownWord]) -> None:
        if not self._partials:
            return
        last = [word.text for word in self._partials[-1][1] if word.stable and word.end <= final[-1].end]
        self.stable += len(last)
        self.changed += len(last) - len(matching(last, [word.text for word in final]))


def matching(ours: Sequence[str], theirs: Sequence[str]) -> dict[int, int]:
    """Which words are the same, by the longest common runs: from indices in one list to indices in the other."""
    matcher = SequenceMatcher(None, [_spelling(word) for word in ours], [_spelling(word) for word in theirs], False)
    return {a + i: b + i for a, b, size in matcher.get_matching_blocks() for i in range(size)}


def _spelling(word: str) -> str:
    return "".join(filter(str.isalnum, word.casefold()))
