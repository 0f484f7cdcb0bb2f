"""The languages of a Whisper model, and how each is decoded."""

from dataclasses import dataclass
from typing import Any

from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens

DEFAULT_SYMBOLS = -1
"""Whisper's name for its default set of symbols that are not speech."""
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
