"""Tells text that Whisper heard from text that it made up, in recordings and live."""

import zlib
from dataclasses import dataclass

COMPRESSION_RATIO_MAX = 2.4
"""Text that compresses better than this repeats itself. This and the next are Whisper's own thresholds."""
INVENTED = ((-0.6, 0.9), (-0.7, 0.6), (-1.0, 0.4))
"""Less log probability than the first together with more no-speech probability than the second.

Whisper's own pair is (-1.0, 0.6). Measured with tiny.en and base: over what voice activity lets through, texts of
speech with less than -0.7 had 0.36 at most; of 39 texts over silence, noise and music without it, these leave 11.
"""


@dataclass(frozen=True, slots=True)
class Generated:
    """What the decoder wrote over a window."""

    tokens: list[int]
    text: str
    log_probability: float
    """Mean natural logarithm of the tokens' probabilities."""
    no_speech_probability: float
    unended: bool = False
    """The decoder was stopped at its limit."""


def is_repetitive(generated: Generated) -> bool:
    """Whether the text goes round in circles."""
    encoded = generated.text.encode()
    return len(encoded) / len(zlib.compress(encoded)) > COMPRESSION_RATIO_MAX


def is_invented(generated: Generated) -> bool:
    """Whether there is no text, or nothing spoken behind it."""
    if not any(character.isalnum() for character in generated.text):
        return True
    return any(
        generated.log_probability < unlikely and generated.no_speech_probability > silent
        for unlikely, silent in INVENTED
    )
