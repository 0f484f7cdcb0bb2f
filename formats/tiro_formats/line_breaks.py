"""Where a line of text may be broken: the Unicode line breaking algorithm (UAX #14), as ICU implements it.

No line begins with a closing bracket, a full stop, a small kana or a long-vowel mark, and none ends with an opening
bracket. Thai, Lao, Khmer and Burmese are broken between the words of ICU's dictionaries.
"""

import re
from collections.abc import Iterator

from icu4py.breakers import LineBreaker
from rich.cells import cell_len, split_graphemes

_LOCALE = "und"
"""No language: ICU then has the strict rules for small kana, as Japanese typesetting (JLREQ)."""
_AS = {0xFF5E: 0x301C}
"""The full-width tilde is broken as the wave dash, for which it stands in Japanese."""


def breakable(text: str, columns_max: int) -> list[str]:
    """The parts of a text between which a line may be broken, none wider than a line.

    Args:
        text: The text.
        columns_max: The columns of a line; wide characters count two.

    Returns:
        The parts, without the space after them. One that follows a space begins with one space.
    """
    parts: list[str] = []
    position = 0
    before = ""
    for broken in LineBreaker(text.translate(_AS), _LOCALE):
        piece, position = text[position : position + len(broken)], position + len(broken)
        said = " ".join(piece.split())
        if said:
            parts += _narrowed(f" {said}" if before or piece[0].isspace() else said, columns_max)
        before = " " if piece[-1].isspace() else "" if said else before
    return parts


def _narrowed(part: str, columns_max: int) -> Iterator[str]:
    """A part that is too wide, broken at its spaces, else where it must be. Graphemes stay whole."""
    if cell_len(part.strip()) <= columns_max:
        yield part
        return
    for word in re.findall(r" ?[^ ]+", part):
        yield from _cut(word, columns_max)


def _cut(word: str, columns_max: int) -> Iterator[str]:
    if cell_len(word.strip()) <= columns_max:
        yield word
        return
    spans, _ = split_graphemes(word)
    part, columns = "", 0
    for begin, end, width in spans:
        if part and columns + width > columns_max:
            yield part
            part, columns = "", 0
        part += word[begin:end]
        columns += width
    yield part
