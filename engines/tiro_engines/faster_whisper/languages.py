"""The languages of a Whisper model, and how each is decoded and detected."""

from dataclasses import dataclass
from typing import Any

from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens

DEFAULT_SYMBOLS = -1
"""Whisper's name for its default set of symbols that are not speech."""
LANGUAGE_PROBABILITY_MIN = 0.5
"""A detected language with a lower probability is dropped for the one detected earlier in the session; the limit of
faster-whisper."""
TOKENS_PER_SECOND_MAX = 25
"""The fastest speech in the scripts that need the most tokens. It ends a loop long before the model's own limit."""
COMPACT = frozenset({"de", "en", "es", "fr", "it", "nl", "pt"})
"""Languages in which most words are one or two tokens."""
COMPACT_TOKENS_PER_SECOND_MAX = 8
"""The fastest speech in these languages has 6 words a second; read speech has 4 tokens a second."""


REPEATED_TOKENS_PER_SECOND_MAX = 12
"""The fastest repetition that is speech. Decoders loop faster than speakers repeat themselves."""
COMPACT_REPEATED_TOKENS_PER_SECOND_MAX = 6
"""The same in these languages."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens of a language."""

    tokenizer: Any
    suppressed: list[int]
    """Tokens that never stand for speech."""
    tokens_per_second_max: int
    repeated_tokens_per_second_max: int


class Languages:
    """The languages of one model. Safe to share between threads."""

    def __init__(self, whisper: Any) -> None:
        self._whisper = whisper
        self._vocabularies: dict[str, Vocabulary] = {}
        token_id = whisper.hf_tokenizer.token_to_id
        self.several: bool = whisper.model.is_multilingual
        self.codes: frozenset[str] = frozenset(
            code for code in whisper.supported_languages if not self.several or token_id(f"<|{code}|>") is not None
        )

    def vocabulary(self, code: str) -> Vocabulary:
        """The vocabulary of a language, made once."""
        if code not in self._vocabularies:
            tokenizer = Tokenizer(self._whisper.hf_tokenizer, self.several, task="transcribe", language=code)
            suppressed = list(get_suppressed_tokens(tokenizer, [DEFAULT_SYMBOLS]))
            most, repeated = TOKENS_PER_SECOND_MAX, REPEATED_TOKENS_PER_SECOND_MAX
            if code in COMPACT:
                most, repeated = COMPACT_TOKENS_PER_SECOND_MAX, COMPACT_REPEATED_TOKENS_PER_SECOND_MAX
            self._vocabularies[code] = Vocabulary(tokenizer, suppressed, most, repeated)
        return self._vocabularies[code]


class SpokenLanguage:
    """The language of one session: named by its caller, or detected."""

    def __init__(self, whisper: Any, languages: Languages) -> None:
        self._whisper = whisper
        self._languages = languages
        self._detected: str | None = None
        self.named: str | None = None
        """The language that the caller has named. None: it is detected."""

    @property
    def known(self) -> str | None:
        """The language that needs no detection. None where it must be detected."""
        return self.named or (None if self._languages.several else next(iter(self._languages.codes)))

    @property
    def guess(self) -> str:
        """The language as far as it is known, without a new detection; empty where it is unknown."""
        return self.named or self._detected or ""

    def detect(self, encoded: Any) -> str:
        """The language of an encoded window."""
        if self.known is not None:
            return self.known
        token, probability = self._whisper.model.detect_language(encoded)[0][0]
        detected = str(token).strip("<|>")
        if probability < LANGUAGE_PROBABILITY_MIN:
            return self._detected or detected
        self._detected = detected
        return detected
