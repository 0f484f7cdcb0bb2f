"""Echoes: text that Whisper copies from hotwords or prompt, although it is not in the audio.

An echo is found by its length: several words in a row as in the prompt, or several hotwords in a row in their order.
Speakers do say such words, so the window is decoded again without hotwords and prompt. What that text has as well, in
whatever spelling, was said.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from tiro_engines.interface import RecognitionOptions
from tiro_engines.whole_words import SPACELESS

WORDS_MIN = 4
"""The shortest echo in a longer text, in words."""
WHOLE_WORDS_MIN = 2
"""The shortest echo that is the whole text, in words."""
HOTWORDS_MIN = 3
"""The fewest hotwords that are an echo: speakers say two names in a row."""
CHARACTERS_PER_WORD = 2
"""In languages without spaces."""
CONFIRMED_SHARE = 0.6
"""The share of an echo's characters that the text decoded without a prompt must have, for the echo to be speech."""
BLOCK_MIN = 2
"""The shortest equal part that counts for this share: single characters are equal by chance."""


def echo_in(text: str, options: RecognitionOptions) -> str | None:
    """The longest echo in a text. None where there is none.

    Args:
        text: The text of a window.
        options: The options it was decoded with.
    """
    spaceless = options.language in SPACELESS
    units = _units(text, spaceless=spaceless)
    found = _copied(units, [_units(options.decoding.initial_prompt, spaceless=spaceless)], 1)
    of_hotwords = _copied(units, [_units(word, spaceless=spaceless) for word in options.hotwords], HOTWORDS_MIN)
    longest = max(found, of_hotwords, key=len)
    least = WHOLE_WORDS_MIN if len(longest) == len(units) else WORDS_MIN
    if len(longest) < least * (CHARACTERS_PER_WORD if spaceless else 1):
        return None
    return ("" if spaceless else " ").join(longest)


def is_confirmed(echo: str, text: str) -> bool:
    """Whether a text that was decoded without a prompt has the words of an echo, perhaps in another spelling."""
    blocks = SequenceMatcher(None, echo, text.casefold(), autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks if block.size >= BLOCK_MIN) >= CONFIRMED_SHARE * len(echo)


def _units(text: str, *, spaceless: bool) -> list[str]:
    """The words of a text without case and punctuation; its characters where words are not separated."""
    words = re.findall(r"[^\W_]+", text.casefold())
    return list("".join(words)) if spaceless else words


def _copied(units: Sequence[str], phrases: Sequence[Sequence[str]], phrases_min: int) -> list[str]:
    """The longest run of a text that the phrases, one after the other, have as well.

    Args:
        units: The words of the text.
        phrases: The words of each phrase.
        phrases_min: The fewest phrases that the run must touch.
    """
    joined = [unit for phrase in phrases for unit in phrase]
    owners = [number for number, phrase in enumerate(phrases) for _ in phrase]
    matcher = SequenceMatcher(None, units, joined, autojunk=False)
    blocks = [
        block
        for block in matcher.get_matching_blocks()
        if block.size and owners[block.b + block.size - 1] - owners[block.b] + 1 >= phrases_min
    ]
    longest = max(blocks, key=lambda block: block.size, default=None)
    return list(units[longest.a : longest.a + longest.size]) if longest else []
