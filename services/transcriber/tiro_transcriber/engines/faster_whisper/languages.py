"""The languages of a Whisper model, and what decoding in each of them needs."""

from dataclasses import dataclass
from typing import Any

from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens

DEFAULT_SYMBOLS = -1
"""What Whisper means by its default set of symbols that nobody speaks."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """How a language is written in tokens, and the tokens that never stand for speech."""

    tokenizer: Any
    suppressed: list[int]


class Languages:
    """Knows the languages of one model. Safe to share between threads."""

    def __init__(self, whisper: Any) -> None:
        self._whisper = whisper
        self._vocabularies: dict[str, Vocabulary] = {}
        token_id = whisper.hf_tokenizer.token_to_id
        self.several: bool = whisper.model.is_multilingual
        self.codes: frozenset[str] = frozenset(
            code for code in whisper.supported_languages if not self.several or token_id(f"<|{code}|>") is not None
        )

    def vocabulary(self, code: str) -> Vocabulary:
        """Return the vocabulary of a language, made once."""
        if code not in self._vocabularies:
            tokenizer = Tokenizer(self._whisper.hf_tokenizer, self.several, task="transcribe", language=code)
            suppressed = list(get_suppressed_tokens(tokenizer, [DEFAULT_SYMBOLS]))
            self._vocabularies[code] = Vocabulary(tokenizer, suppressed)
        return self._vocabularies[code]
