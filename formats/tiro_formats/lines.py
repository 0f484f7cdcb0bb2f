"""Lines of a cue: as few as possible, of similar width, broken after a punctuation mark where that is near."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len

SENTENCE_MARKS = (".", "?", "!", "…", "。", "？", "！", "؟", "۔", "।")  # noqa: RUF001 - marks of several scripts
CLAUSE_MARKS = (",", ";", ":", "、", "，", "；", "：", "،", "؛")  # noqa: RUF001
_CLOSING = "\"'”’»)]}」』）】〉》〕"  # noqa: RUF001
"""What may follow such a mark."""
SENTENCE_COLUMNS = 16
"""A line that ends with a sentence may be this much wider or narrower than one that does not."""
CLAUSE_COLUMNS = 12
"""The same for a clause."""
FULL_SHARE = 0.5
"""The least share of a full cue that one which ends at a mark has."""


def fits(texts: Sequence[str], columns_max: int, lines_max: int, reserved: int = 0) -> bool:
    """Whether texts, one after the other, fit some lines.

    Args:
        texts: The texts, each with the space before it.
        columns_max: The columns of a line.
        lines_max: The lines.
        reserved: The columns of the first line that are taken.
    """
    return len(_filled(texts, columns_max, reserved)) <= lines_max


def wrapped(texts: Sequence[str], columns_max: int, reserved: int = 0) -> list[str]:
    """Texts joined into lines; see `fits`."""
    needed = len(_filled(texts, columns_max, reserved))
    if needed == 2:  # noqa: PLR2004 - two lines are broken once
        return _broken_once(texts, columns_max, reserved)
    even = cell_len("".join(texts)) // needed - 1
    columns = min(max(even, *(cell_len(text.strip()) for text in texts)), columns_max)
    while len(lines := _filled(texts, columns, reserved)) > needed and columns < columns_max:
        columns += 1
    return lines


def best_end(texts: Sequence[str]) -> int:
    """The number of texts up to the last sentence, or else clause, that ends in their later part. All without one."""
    length = sum(map(len, texts))
    for marks in (SENTENCE_MARKS, CLAUSE_MARKS):
        before = length
        for count in range(len(texts), 0, -1):
            if before < FULL_SHARE * length:
                break
            if _ends_with(texts[count - 1], marks):
                return count
            before -= len(texts[count - 1])
    return len(texts)


def _broken_once(texts: Sequence[str], columns_max: int, reserved: int) -> list[str]:
    """The two lines of the least difference in width, a punctuation mark counted for."""

    def lines_at(count: int) -> list[str]:
        return ["".join(texts[:count]).strip(), "".join(texts[count:]).strip()]

    def cost(count: int) -> tuple[bool, int]:
        first, second = (cell_len(line) for line in lines_at(count))
        bonus = SENTENCE_COLUMNS if _ends_with(texts[count - 1], SENTENCE_MARKS) else 0
        bonus = bonus or (CLAUSE_COLUMNS if _ends_with(texts[count - 1], CLAUSE_MARKS) else 0)
        is_too_wide = first + _room(reserved, columns_max, first) > columns_max or second > columns_max
        return is_too_wide, abs(first + reserved - second) - bonus

    return lines_at(min(range(1, len(texts)), key=cost))


def _filled(texts: Iterable[str], columns_max: int, reserved: int) -> list[str]:
    """Texts joined into lines, each as full as possible."""
    lines: list[str] = []
    for text in texts:
        taken = _room(reserved, columns_max, cell_len(text.strip())) if len(lines) == 1 else 0
        if lines and taken + cell_len((lines[-1] + text).strip()) <= columns_max:
            lines[-1] += text
        else:
            lines.append(text.strip())
    return lines


def _room(reserved: int, columns_max: int, width: int) -> int:
    """The columns to leave for a label: none where it does not fit beside the text at all."""
    return reserved if reserved + width <= columns_max else 0


def _ends_with(text: str, marks: tuple[str, ...]) -> bool:
    return text.rstrip(_CLOSING).endswith(marks)
