"""Decodes the windows of one live session with Whisper."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tiro_engines.faster_whisper.languages import Languages, SpokenLanguage
from tiro_engines.faster_whisper.tasks import BEHIND, CAREFUL, PARTIAL, QUICK, Task
from tiro_engines.faster_whisper.windows import ENCODER_SECONDS_MAX, WhisperWindows
from tiro_engines.interface import RecognitionOptions, Samples
from tiro_engines.windowed.decoder import Context, Decoded, DecodedWord, PartialWindow

CONTEXT_TOKENS = (64, 32, 16, 8, 4, 0)
"""Of the same utterance, before what a partial decodes: so many as there are, of these numbers. Only windows with equal
numbers can be decoded together."""


class WhisperDecoder:
    """The `WindowDecoder` of one session."""

    seconds_max = ENCODER_SECONDS_MAX - PARTIAL.pad_seconds

    def __init__(
        self,
        whisper: Any,
        languages: Languages,
        windows: WhisperWindows,
        options: RecognitionOptions,
        require_language: Callable[[str | None], None],
    ) -> None:
        self._windows = windows
        self._language = SpokenLanguage(whisper, languages)
        self._require_language = require_language
        self.configure(options)

    def configure(self, options: RecognitionOptions) -> None:
        """Take other options; see `WindowDecoder.configure`."""
        self._require_language(options.language)
        self._language.named = options.language
        self._hotwords = " ".join(options.hotwords) or None

    def partial(self, window: PartialWindow) -> Task:
        """What decoding a partial greedily takes, alone or together with those of other sessions."""
        tokens = _tokens(window.before)
        count = next(count for count in CONTEXT_TOKENS if count <= len(tokens))
        context = tokens[len(tokens) - count :]
        return Task(window.samples, PARTIAL, self._language, self._hotwords, context=context)

    def decode_partial(self, window: PartialWindow) -> Decoded:
        """Decode greedily; of a repetitive result, what is said once."""
        return self._windows.decode([self.partial(window)])[0]

    def decode_final(
        self, samples: Samples, agreed: Sequence[DecodedWord] = (), context: Context | None = None
    ) -> Decoded:
        """Decode greedily. What is doubted is decoded again with beam search behind its context, or else alone."""
        quick = Task(samples, QUICK, self._language, self._hotwords, prefix=_tokens(agreed))
        tasks = [quick]
        if context is not None:
            tasks.append(replace(quick, effort=BEHIND, preceding=self._windows.preceding(context)))
        for task in tasks:
            decoded = self._windows.decode([task])[0]
            if decoded.words:
                return decoded
        return self._windows.decode([replace(quick, effort=CAREFUL)])[0]


def _tokens(words: Sequence[DecodedWord]) -> list[int]:
    return [token for word in words for token in word.tokens]
