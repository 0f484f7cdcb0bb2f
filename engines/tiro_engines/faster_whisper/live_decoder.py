"""Decodes the windows of one live session with Whisper."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tiro_engines.faster_whisper.batch_decoder import ENCODER_SECONDS_MAX, BatchDecoder
from tiro_engines.faster_whisper.echoes import echo_in, is_confirmed
from tiro_engines.faster_whisper.languages import Languages
from tiro_engines.faster_whisper.prompts import fitted
from tiro_engines.faster_whisper.spoken_language import SpokenLanguage
from tiro_engines.faster_whisper.tasks import CAREFUL, PARTIAL, QUICK, WITH_CONTEXT, DecodingTask
from tiro_engines.interface import RecognitionOptions, Samples
from tiro_engines.windowed.decoder import DecodedWord, DecodingContext, Hypothesis, PartialWindow

PROMPT_TOKENS = (64, 32, 16, 8, 4, 0)
"""Lengths of a partial's prompt, which is the end of the stable text of the utterance: the longest that the text fills.

Only windows with prompts of one length can be decoded in one batch.
"""


class WhisperDecoder:
    """The `WindowDecoder` of one session."""

    seconds_max = ENCODER_SECONDS_MAX - PARTIAL.pad_seconds

    def __init__(
        self,
        whisper: Any,
        languages: Languages,
        batch_decoder: BatchDecoder,
        options: RecognitionOptions,
        require_language: Callable[[str | None], None],
    ) -> None:
        self._whisper = whisper
        self._batch_decoder = batch_decoder
        self._language = SpokenLanguage(whisper, languages)
        self._require_language = require_language
        self.configure(options)

    def configure(self, options: RecognitionOptions) -> None:
        """Use other options; see `WindowDecoder.configure`."""
        self._require_language(options.language)
        self._language.named, self._language.candidates = options.language, options.candidates
        fit = fitted(self._whisper, options)
        self._options, self._warnings = fit.options, fit.warnings
        self._hotwords = _joined(fit.options)
        self._partial_hotwords = _joined(fitted(self._whisper, options, reserved=PROMPT_TOKENS[0]).options)

    def partial_task(self, window: PartialWindow) -> DecodingTask:
        """The task of a partial, to be decoded greedily, alone or in a batch with those of other sessions."""
        tokens = _tokens(window.preceding)
        count = next(count for count in PROMPT_TOKENS if count <= len(tokens))
        prompt = tokens[len(tokens) - count :]
        return DecodingTask(window.samples, PARTIAL, self._language, self._partial_hotwords, prompt=prompt)

    def decode_partial(self, window: PartialWindow) -> Hypothesis:
        """Decode greedily, and drop repetitions."""
        return self._batch_decoder.decode([self.partial_task(window)])[0]

    def decode_final(
        self, samples: Samples, prefix: Sequence[DecodedWord] = (), context: DecodingContext | None = None
    ) -> Hypothesis:
        """Decode the window, and decode it again without hotwords where its text copies these.

        The warnings about the options come with the first text.
        """
        before = self._language.guess
        quick = DecodingTask(samples, QUICK, self._language, self._hotwords, prefix=_tokens(prefix))
        hypothesis = self._decode(quick, before, context)
        echo = echo_in(_text(hypothesis), replace(self._options, language=hypothesis.language))
        if echo is not None:
            again = replace(quick, language=self._language.fixed(hypothesis.language), hotwords=None)
            plain = self._decode(again, before, context)
            hypothesis = hypothesis if is_confirmed(echo, _text(plain)) else plain
        if not hypothesis.words:
            return hypothesis
        warnings, self._warnings = self._warnings, ()
        return replace(hypothesis, warnings=warnings)

    def _decode(self, quick: DecodingTask, before: str, context: DecodingContext | None) -> Hypothesis:
        """Decode greedily. A text that is rejected is decoded again with beam search: with its context, then alone.

        Args:
            quick: The first task.
            before: The language of the context. Empty: it is unknown.
            context: The final before the window.
        """
        hypothesis = self._batch_decoder.decode([quick])[0]
        if hypothesis.words:
            return hypothesis
        # The language is heard once, in the utterance alone.
        careful = replace(quick, effort=CAREFUL, language=self._language.fixed(hypothesis.language))
        if context is not None and before in ("", hypothesis.language):
            preceding = self._batch_decoder.preceding_final(context)
            hypothesis = self._batch_decoder.decode([replace(careful, effort=WITH_CONTEXT, preceding=preceding)])[0]
            if hypothesis.words:
                return hypothesis
        return self._batch_decoder.decode([careful])[0]


def _joined(options: RecognitionOptions) -> str | None:
    return " ".join(options.hotwords) or None


def _text(hypothesis: Hypothesis) -> str:
    return "".join(word.raw for word in hypothesis.words)


def _tokens(words: Sequence[DecodedWord]) -> list[int]:
    return [token for word in words for token in word.tokens]
