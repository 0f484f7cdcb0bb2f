"""Finding phrases in a text: whole words, the longest phrase first.

The phrases are a tree of words, so a text needs about one look-up a word, for any number of phrases.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import regex

_WORD = regex.compile(r"(?w)\S(?:\B\S)*")
"""The text between two default word boundaries of Unicode (UAX #29), unless it is white space."""


@dataclass(frozen=True, slots=True)
class Match:
    """A phrase that was found."""

    start: int
    """The index of its first character."""
    end: int
    """The index after its last character."""
    replacement: str


@dataclass(frozen=True, slots=True)
class Found:
    """The phrases in a text."""

    matches: Sequence[Match]
    """From left to right, without overlaps."""
    settled: int
    """The matches before this character stay when the text grows: no word before it can become the beginning of a
    longer phrase."""


@dataclass(slots=True)
class _Node:
    """The phrases that begin with certain words."""

    following: dict[str, "_Node"] = field(default_factory=dict)
    """The nodes of the phrases that continue, by the next word."""
    replacement: str | None = None
    """The replacement of the phrase that ends here. None: none ends here."""


@dataclass(frozen=True, slots=True)
class _Token:
    key: str
    start: int
    end: int


class Phrases:
    """Phrases and their replacements."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        """`pairs` are phrases and their replacements. Of two equal phrases the later one is used."""
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
            # Whether a phrase matches here depends on the words up to `seen`. A word after the text is not known yet.
            if seen > len(tokens) or tokens[seen - 1].end > stable_end:
                settled = min(settled, tokens[position].start)
            if replacement is not None:
                matches.append(Match(tokens[position].start, tokens[position + length - 1].end, replacement))
            position += length
        return Found(matches, settled)

    def _longest(self, tokens: Sequence[_Token], position: int) -> tuple[int, str | None, int]:
        """The longest phrase that begins at a word.

        Returns:
            The number of its words (1 without a phrase), its replacement (None without a phrase), and the index after
            the last word on which this depends.
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
    """The key of a word: equal for words that differ only in case, or in their Unicode normalization."""
    if word.isascii():
        return word.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", word).casefold())
