"""Tells text that Whisper heard from text that it made up, in recordings and live."""

import zlib
from dataclasses import dataclass

COMPRESSION_RATIO_MAX = 2.4
"""Text that compresses better than this repeats itself. This and the next are Whisper's own thresholds."""
NO_SPEECH_PROBABILITY_MAX = 0.6
LOG_PROBABILITY_MIN = -0.7
"""Whisper's own is -1.0, over 30 s. Over what voice activity lets through, measured with tiny.en and base:

invented finals had -0.89 or less together with a no-speech probability of 0.63 or more, spoken ones 0.36 at most.
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
    unlikely = generated.log_probability < LOG_PROBABILITY_MIN
    return not generated.text or (unlikely and generated.no_speech_probability > NO_SPEECH_PROBABILITY_MAX)
