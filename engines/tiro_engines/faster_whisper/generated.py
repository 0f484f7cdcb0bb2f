"""The output of Whisper's decoder over a window, and the signs that there is no speech behind it."""

import zlib
from dataclasses import dataclass

from tiro_engines.faster_whisper.repetition import without_repetition

COMPRESSION_RATIO_MAX = 2.4
"""Text that compresses better than this is repetitive. The threshold is Whisper's own."""
HALLUCINATED = ((-0.6, 0.9), (-0.7, 0.6), (-1.0, 0.4))
"""Pairs of limits. A text is hallucinated if its log probability is below the first and its no-speech probability above
the second limit of a pair.

Whisper's own pair is (-1.0, 0.6). Measured with tiny.en and base: after voice activity detection, texts of speech with
a log probability below -0.7 had a no-speech probability of at most 0.36; of 39 texts over silence, noise and music
without that detection, these pairs accept 11.
"""


SILENCE_SECONDS = 0.6
"""The silence around the speech of a window, at the least."""
SPEECH_SECONDS_MIN = 0.5


@dataclass(frozen=True, slots=True)
class Generated:
    """The decoder's output for a window."""

    tokens: list[int]
    text: str
    log_probability: float
    """Mean natural logarithm of the tokens' probabilities."""
    no_speech_probability: float
    """0 to 1."""
    truncated: bool = False
    """Whether the decoder was stopped at its limit of tokens."""


def is_repetitive(generated: Generated) -> bool:
    """Whether the text is repetitive."""
    encoded = generated.text.encode()
    return len(encoded) / len(zlib.compress(encoded)) > COMPRESSION_RATIO_MAX


def is_loop(generated: Generated, seconds: float, tokens_per_second_max: float) -> bool:
    """Whether a text repeats itself because the decoder loops. Speakers repeat themselves too, at the pace of speech.

    Args:
        generated: The decoder's output.
        seconds: The length of the window.
        tokens_per_second_max: The fastest repetition that is speech.
    """
    if not is_repetitive(generated) and without_repetition(generated.tokens) is None:
        return False
    speech_seconds = max(SPEECH_SECONDS_MIN, seconds - SILENCE_SECONDS)
    return generated.truncated or len(generated.tokens) > tokens_per_second_max * speech_seconds


def is_hallucinated(generated: Generated) -> bool:
    """Whether there is no text, or no speech behind it."""
    if not any(character.isalnum() for character in generated.text):
        return True
    return any(
        generated.log_probability < unlikely and generated.no_speech_probability > silence
        for unlikely, silence in HALLUCINATED
    )
