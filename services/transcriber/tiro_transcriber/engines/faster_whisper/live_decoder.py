"""Decodes the short windows of live speech with Whisper, encoding only what there is.

Whisper was trained on 30 s, silence filling them up. An utterance with 2 s of it costs a quarter and serves for a
partial; with 8 s it gives a final as good as with 30. With none the decoder repeats itself until its length limit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tiro_transcriber.engines.faster_whisper.alignment import align
from tiro_transcriber.engines.faster_whisper.languages import Languages, Vocabulary
from tiro_transcriber.engines.faster_whisper.trust import Generated, is_invented, is_repetitive
from tiro_transcriber.engines.interface import SAMPLE_RATE, RecognitionOptions, Samples
from tiro_transcriber.live.decoder import Decoded, DecodedWord

ENCODER_SECONDS_MAX = 30
SAMPLES_MIN = SAMPLE_RATE // 10
"""Shorter windows hold no word, and Whisper writes nonsense over them."""
TOKENS_PER_SECOND_MAX = 25
"""The fastest speech in the scripts that take most tokens. It ends a repetition long before the model's own limit."""
TOKENS_MIN = 16
LANGUAGE_PROBABILITY_MIN = 0.5
"""Below this the language heard earlier in the session is the better guess; the same limit as faster-whisper's."""
REPEATED_TOKENS = 3
"""A run of this many tokens may not come twice when a repetitive text is decoded again."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much a decoding may cost."""

    pad_seconds: float
    beam_size: int


PARTIAL = Effort(pad_seconds=2, beam_size=1)
FINAL = Effort(pad_seconds=8, beam_size=2)
CONTEXT_TOKENS_MAX = 64
"""Of the same utterance, before what a partial decodes."""


@dataclass(frozen=True, slots=True)
class Task:
    """How to decode a window, and what is known of its text, in tokens."""

    effort: Effort
    context: Sequence[int] = ()
    """Said before the window."""
    prefix: Sequence[int] = ()
    """Said at the window's beginning: the result begins with it."""


class WhisperDecoder:
    """The `WindowDecoder` of one session."""

    seconds_max = ENCODER_SECONDS_MAX - PARTIAL.pad_seconds

    def __init__(
        self,
        whisper: Any,
        languages: Languages,
        options: RecognitionOptions,
        require_language: Callable[[str | None], None],
    ) -> None:
        self._whisper = whisper
        self._languages = languages
        self._options = options
        self._require_language = require_language
        self._heard: str | None = None

    def configure(self, options: RecognitionOptions) -> None:
        """Take other options; see `WindowDecoder.configure`."""
        self._require_language(options.language)
        self._options = options

    def decode_partial(self, samples: Samples, before: Sequence[DecodedWord] = ()) -> Decoded:
        """Decode greedily; a repetitive result is withheld."""
        return self._decode(samples, Task(PARTIAL, context=_tokens(before)[-CONTEXT_TOKENS_MAX:]))

    def decode_final(self, samples: Samples, agreed: Sequence[DecodedWord] = ()) -> Decoded:
        """Decode with beam search; a repetitive result is decoded again without repetitions."""
        return self._decode(samples, Task(FINAL, prefix=_tokens(agreed)))

    def _decode(self, samples: Samples, task: Task) -> Decoded:
        if len(samples) < SAMPLES_MIN:
            return Decoded(language=self._options.language or self._heard or "")
        encoded = self._whisper.encode(self._features(samples, task.effort.pad_seconds))
        language = self._language(encoded)
        vocabulary = self._languages.vocabulary(language)
        generated = self._generate(encoded, vocabulary, len(samples), task)
        if is_repetitive(generated) and task.effort is FINAL:
            generated = self._generate(encoded, vocabulary, len(samples), task, REPEATED_TOKENS)
        # What cannot be trusted is withheld, but for the words that were promised.
        doubtful = is_invented(generated) or is_repetitive(generated)
        tokens = list(task.prefix) if doubtful else generated.tokens
        return Decoded(align(self._whisper, vocabulary.tokenizer, encoded, tokens, len(samples)), language)

    def _features(self, samples: Samples, pad_seconds: float) -> Any:
        pad = min(round(pad_seconds * SAMPLE_RATE), ENCODER_SECONDS_MAX * SAMPLE_RATE - len(samples))
        return self._whisper.feature_extractor(np.pad(samples, (0, pad)), padding=0)

    def _language(self, encoded: Any) -> str:
        if self._options.language is not None:
            return self._options.language
        if not self._languages.several:
            return next(iter(self._languages.codes))
        token, probability = self._whisper.model.detect_language(encoded)[0][0]
        detected = str(token).strip("<|>")
        if probability < LANGUAGE_PROBABILITY_MIN:
            return self._heard or detected
        self._heard = detected
        return detected

    def _generate(
        self,
        encoded: Any,
        vocabulary: Vocabulary,
        samples: int,
        task: Task,
        no_repeat_ngram_size: int = 0,
    ) -> Generated:
        hotwords = " ".join(self._options.hotwords) or None
        context = list(task.context)
        prompt = self._whisper.get_prompt(vocabulary.tokenizer, context, without_timestamps=True, hotwords=hotwords)
        prompt += task.prefix
        tokens = len(task.prefix) + TOKENS_MIN + TOKENS_PER_SECOND_MAX * samples // SAMPLE_RATE
        result = self._whisper.model.generate(
            encoded,
            [prompt],
            beam_size=task.effort.beam_size,
            no_repeat_ngram_size=no_repeat_ngram_size,
            # CTranslate2 generates at most half of this, and what the prompt leaves of it
            max_length=min(max(2 * tokens, len(prompt) + tokens), self._whisper.max_length),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=vocabulary.suppressed,
        )[0]
        chosen = result.sequences_ids[0]
        return Generated(
            tokens=chosen,
            text=vocabulary.tokenizer.decode(chosen).strip(),
            log_probability=result.scores[0] * len(chosen) / (len(chosen) + 1),
            no_speech_probability=result.no_speech_prob,
        )


def _tokens(words: Sequence[DecodedWord]) -> list[int]:
    return [token for word in words for token in word.tokens]
