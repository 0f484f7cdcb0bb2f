"""The text before a window, hotwords and prompt, within one budget of tokens.

Whisper decodes at most 448 tokens, and CTranslate2 generates at most half of them. The text before the window gets the
other half, so that it never leaves less room for the window's own text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tiro.speech.v1.transcript_pb2 import WARNING_REASON_HOTWORDS_OMITTED, WARNING_REASON_PROMPT_TRUNCATED
from tiro_engines.interface import EngineWarning, RecognitionOptions

CONTROL_TOKENS = 5
"""The tokens beside the text: start of the text before, start of the transcript, language, task, no timestamps."""
NAMED_MAX = 10
"""The most hotwords that a warning names."""


@dataclass(frozen=True, slots=True)
class FittedOptions:
    """Options whose hotwords and prompt fit, and what was left out."""

    options: RecognitionOptions
    warnings: tuple[EngineWarning, ...]


def fitted(whisper: Any, options: RecognitionOptions, reserved: int = 0) -> FittedOptions:
    """Leave out the last hotwords and the beginning of the prompt as far as they do not fit.

    Each of the two gets at least half of the budget. What one does not need is for the other.

    Args:
        whisper: The loaded model.
        options: The options of the request.
        reserved: The tokens that other text before the window may have.
    """
    if not options.hotwords and not options.decoding.initial_prompt:
        return FittedOptions(options, ())
    tokenizer = whisper.hf_tokenizer
    budget = int(whisper.max_length) // 2 - CONTROL_TOKENS - reserved

    def encode(text: str) -> list[int]:
        tokens: list[int] = tokenizer.encode(f" {text}", add_special_tokens=False).ids
        return tokens

    prompt = options.decoding.initial_prompt.strip()
    prompt_tokens = encode(prompt) if prompt else []
    lengths = {hotword: len(encode(hotword)) for hotword in options.hotwords}
    hotwords = fitting(lengths, max(budget // 2, budget - len(prompt_tokens)))
    left = budget - sum(lengths[hotword] for hotword in hotwords)
    warnings = _hotword_warnings([hotword for hotword in lengths if hotword not in hotwords])
    if len(prompt_tokens) > left:
        prompt = tokenizer.decode(prompt_tokens[-left:]).strip("\ufffd ")  # a character may be cut
        warnings += _prompt_warnings(len(prompt_tokens), left, with_hotwords=bool(hotwords))
    decoding = replace(options.decoding, initial_prompt=prompt)
    return FittedOptions(replace(options, hotwords=hotwords, decoding=decoding), tuple(warnings))


def without_prompt(options: RecognitionOptions) -> RecognitionOptions:
    """The options without hotwords and prompt."""
    return replace(options, hotwords=(), decoding=replace(options.decoding, initial_prompt=""))


def fitting(lengths: Mapping[str, int], length_max: int) -> tuple[str, ...]:
    """The texts that fit together, chosen in order.

    Args:
        lengths: The texts with their lengths.
        length_max: The length that they may have together.
    """
    kept: list[str] = []
    for text, length in lengths.items():
        if length <= length_max:
            kept.append(text)
            length_max -= length
    return tuple(kept)


def _hotword_warnings(omitted: Sequence[str]) -> list[EngineWarning]:
    if not omitted:
        return []
    more = f" and {len(omitted) - NAMED_MAX} more" if len(omitted) > NAMED_MAX else ""
    named = ", ".join(omitted[:NAMED_MAX])
    return [EngineWarning(WARNING_REASON_HOTWORDS_OMITTED, f"the model has no room for the hotwords {named}{more}")]


def _prompt_warnings(tokens: int, left: int, *, with_hotwords: bool) -> list[EngineWarning]:
    beside = " beside the hotwords" if with_hotwords else ""
    text = f"the initial prompt has {tokens} tokens, and the model takes {left}{beside}: only its end is used"
    return [EngineWarning(WARNING_REASON_PROMPT_TRUNCATED, text)]
