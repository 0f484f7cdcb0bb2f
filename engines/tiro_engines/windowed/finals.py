"""Decoding a final completely.

Whisper sometimes ends its text after the first sentence, although seconds of speech follow. The text up to there is
correct and probable; only its length shows the fault: few tokens for much voice. Such a window is decoded in two parts.
"""

from collections.abc import Sequence

from tiro_engines.interface import SAMPLE_RATE, Samples
from tiro_engines.windowed.boundaries import best_pause
from tiro_engines.windowed.decoder import DecodingContext, Hypothesis, WindowDecoder
from tiro_engines.windowed.endpointer import Pause

TOKENS_PER_SECOND_MIN = 1.0
"""Tokens per second of voice. Slow speech has two words a second, which are more tokens in every language."""
VOICED_SAMPLES_MIN = 3 * SAMPLE_RATE
"""The shortest voice for which a short text is a fault."""
PART_SAMPLES_MIN = SAMPLE_RATE
SPLITS_MAX = 2
"""How often a part may be split again."""


def decode_all(
    decoder: WindowDecoder,
    samples: Samples,
    pauses: Sequence[Pause],
    context: DecodingContext | None = None,
    splits_max: int = SPLITS_MAX,
) -> Hypothesis:
    """Decode a window; where the text is too short, decode it in two parts instead, split at its longest pause.

    Args:
        decoder: Decodes one part.
        samples: The window.
        pauses: Its pauses, in order, in samples from its beginning.
        context: The final before it.
        splits_max: How often a part may be split again.
    """
    hypothesis = decoder.decode_final(samples, context=context)
    pause = best_pause([one for one in pauses if PART_SAMPLES_MIN <= one.middle <= len(samples) - PART_SAMPLES_MIN])
    if splits_max == 0 or pause is None or not _is_too_short(hypothesis, len(samples), pauses):
        return hypothesis
    at = pause.middle
    earlier = [one for one in pauses if one.end <= pause.start]
    first = decode_all(decoder, samples[:at], earlier, splits_max=splits_max - 1)
    later = [Pause(one.start - at, one.end - at) for one in pauses if one.start >= pause.end]
    second = decode_all(decoder, samples[at:], later, splits_max=splits_max - 1)
    words = (*first.words, *(word.shifted(at) for word in second.words))
    return Hypothesis(words, first.language or second.language, hypothesis.warnings)


def _is_too_short(hypothesis: Hypothesis, length: int, pauses: Sequence[Pause]) -> bool:
    voiced = length - sum(pause.end - pause.start for pause in pauses)
    tokens = sum(max(1, len(word.tokens)) for word in hypothesis.words)
    return voiced > VOICED_SAMPLES_MIN and tokens * SAMPLE_RATE < TOKENS_PER_SECOND_MIN * voiced
