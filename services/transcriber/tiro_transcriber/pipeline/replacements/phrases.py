"""Finding phrases in a text: whole words, the longest phrase first.

The phrases are a tree of words. A text costs one look-up a word, however many phrases there are.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import regex

_WORD = regex.compile(r"(?w)\S(?:\B\S)*")
"""What lies between two default word boundaries of Unicode (UAX #29), white space left out."""


@dataclass(frozen=True, slots=True)
class Match:
    """A phrase that was found."""

    start: int
    """Its first character."""
    end: int
    """The character after its last one."""
    replacement: str


@dataclass(frozen=True, slots=True)
class Found:
    """The phrases in a text."""

    matches: Sequence[Match]
    """From left to right, without overlaps."""
    settled: int
    """The matches before this character stay when the text grows: a word that may still become the beginning of a
    phrase is behind it."""


@dataclass(slots=True)
class _Node:
    """The phrases that begin with certain words."""

    following: dict[str, "_Node"] = field(default_factory=dict)
    """By the next word."""
    replacement: str | None = None
    """Of the phrase that ends here."""


@dataclass(frozen=True, slots=True)
class _Token:
    key: str
    start: int
    end: int


class Phrases:
    """Phrases and their replacements."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        """`pairs` are phrases and their replacements. Of two equal phrases the later one counts."""
        self._root = _Node()
        for phrase, replacement in pairs:
            node = self._root
            for token in _tokens(phrase):
                node = node.following.setdefault(token.key, _Node())
            node.replacement = replacement

    def find(self, text: str, stable_end: int = 0) -> Found:
        """Find phrases from left to right.

        Args:
            text: The text.
            stable_end: The characters before this one stay when the text grows.
        """
        tokens = _tokens(text)
        matches: list[Match] = []
        settled = stable_end
        position = 0
        while position < len(tokens):
            length, replacement, seen = self._longest(tokens, position)
            # Whether a phrase matches here depends on the words up to `seen`. One beyond the text is not known yet.
            if seen > len(tokens) or tokens[seen - 1].end > stable_end:
                settled = min(settled, tokens[position].start)
            if replacement is not None:
                matches.append(Match(tokens[position].start, tokens[position + length - 1].end, replacement))
            position += length
        return Found(matches, settled)

    def _longest(self, tokens: Sequence[_Token], position: int) -> tuple[int, str | None, int]:
        """The longest phrase that begins at a word.

        Returns:
            How many words it has (1 where there is none), its replacement (None where there is none), and the index
            after the last word that this depends on.
        """
        node, index = self._root, position
        length, replacement = 1, None
        while node.following:
            following = node.following.get(tokens[index].key) if index < len(tokens) else None
            index += 1
            if following is None:
                break
            node = following
            if node.replacement is not None:
                length, replacement = index - position, node.replacement
        return length, replacement, max(index, position + 1)


def _tokens(text: str) -> list[_Token]:
    return [_Token(_key(found.group()), found.start(), found.end()) for found in _WORD.finditer(text)]


def _key(word: str) -> str:
    """The same for words that differ in case alone, or in how Unicode writes them."""
    if word.isascii():
        return word.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", word).casefold())
