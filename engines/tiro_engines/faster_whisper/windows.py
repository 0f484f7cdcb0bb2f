"""Decodes short windows with Whisper, of one session or of several at once, encoding only what there is.

Every token that is decoded reads the whole vocabulary's matrix from memory. So windows that are decoded together cost
half as much each; encoding them together gains nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np

from tiro_engines.faster_whisper.alignment import align
from tiro_engines.faster_whisper.languages import (
    TOKENS_PER_SECOND_MAX,
    Languages,
    Vocabulary,
)
from tiro_engines.faster_whisper.repetition import said_once
from tiro_engines.faster_whisper.tasks import CAREFUL, PARTIAL, Preceding, Task
from tiro_engines.faster_whisper.trust import Generated, is_invented, is_repetitive
from tiro_engines.interface import SAMPLE_RATE
from tiro_engines.windowed.decoder import Context, Decoded, DecodedWord

ENCODER_SECONDS_MAX = 30
SAMPLES_MIN = SAMPLE_RATE // 10
"""Shorter windows hold no word, and Whisper writes nonsense over them."""
TOKENS_MIN = 8
REPEATED_TOKENS = 3
"""A run of this many tokens may not come twice when a repetitive text is decoded again."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Windows that were decoded together."""

    tasks: Sequence[Task]
    encoded: Any
    """The encoder's output for them."""
    language: str
    vocabulary: Vocabulary
    generated: list[Generated]
    """What the decoder wrote over each."""


class WhisperWindows:
    """The windows of all sessions of one loaded model. Safe to share between threads."""

    def __init__(self, whisper: Any, languages: Languages) -> None:
        self._whisper = whisper
        self._languages = languages

    def preceding(self, context: Context) -> Preceding:
        """Write a context's text in tokens, as Whisper does in mid-text: after a space."""
        tokens = self._whisper.hf_tokenizer.encode(f" {context.text}", add_special_tokens=False).ids
        return Preceding(context.samples, tokens)

    def decode(self, tasks: Sequence[Task]) -> list[Decoded]:
        """Decode windows, those together that can be: of one language, hotwords and effort, with equal context."""
        decoded = [Decoded(language=task.language.guess) for task in tasks]
        groups: dict[object, list[int]] = {}
        for number, task in enumerate(tasks):
            if len(task.samples) >= SAMPLES_MIN:
                groups.setdefault(_company(number, task), []).append(number)
        for group in groups.values():
            for number, one in zip(group, self._decode([tasks[number] for number in group]), strict=True):
                decoded[number] = one
        return decoded

    def hear(self, tasks: Sequence[Task]) -> Heard:
        """Decode tasks that belong together: of one language, hotwords and effort, with equal context."""
        encoded = self._whisper.encode(self._features(tasks))
        language = tasks[0].language.of(encoded)
        vocabulary = self._languages.vocabulary(language)
        return Heard(tasks, encoded, language, vocabulary, self._generate(encoded, vocabulary, tasks))

    def place(self, heard: Heard, texts: Sequence[list[int]]) -> list[tuple[DecodedWord, ...]]:
        """The words of each window with their times.

        Args:
            heard: The windows.
            texts: What of their text is wanted, in tokens. None for windows whose words are not.
        """
        lengths = [len(task.audio) for task in heard.tasks]
        return align(self._whisper, heard.vocabulary.tokenizer, heard.encoded, texts, lengths)

    def _decode(self, tasks: Sequence[Task]) -> list[Decoded]:
        """Decode tasks that belong together, and show what can be trusted."""
        heard = self.hear(tasks)
        generated = heard.generated
        if any(_is_decoded_again(task, text) for task, text in zip(tasks, generated, strict=True)):
            generated = self._generate(heard.encoded, heard.vocabulary, tasks, REPEATED_TOKENS)
        placed = self.place(heard, [_trusted(task, text) for task, text in zip(tasks, generated, strict=True)])
        return [Decoded(_result(task, words), heard.language) for task, words in zip(tasks, placed, strict=True)]

    def _features(self, tasks: Sequence[Task]) -> Any:
        """Log-mel features of shape (tasks, bins, frames): all windows padded as the longest one needs."""
        pad_seconds = tasks[0].effort.pad_seconds
        heard = [task.audio for task in tasks]
        longest = max(map(len, heard))
        length = min(longest + round(pad_seconds * SAMPLE_RATE), ENCODER_SECONDS_MAX * SAMPLE_RATE)
        extract = self._whisper.feature_extractor
        return np.stack([extract(np.pad(samples, (0, length - len(samples))), padding=0) for samples in heard])

    def _generate(
        self, encoded: Any, vocabulary: Vocabulary, tasks: Sequence[Task], no_repeat_ngram_size: int = 0
    ) -> list[Generated]:
        prompts = [self._prompt(vocabulary, task) for task in tasks]
        tokens = max(_tokens_max(vocabulary, task) for task in tasks)
        results = self._whisper.model.generate(
            encoded,
            prompts,
            beam_size=tasks[0].effort.beam_size,
            no_repeat_ngram_size=no_repeat_ngram_size,
            # CTranslate2 generates at most half of this, and what the prompt leaves of it
            max_length=min(max(2 * tokens, len(prompts[0]) + tokens), self._whisper.max_length),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=vocabulary.suppressed,
        )
        return [_generated(vocabulary, result, tokens) for result in results]

    def _prompt(self, vocabulary: Vocabulary, task: Task) -> list[int]:
        prompt: list[int] = self._whisper.get_prompt(
            vocabulary.tokenizer, list(task.context), without_timestamps=True, hotwords=task.hotwords
        )
        return [*prompt, *task.written]


def _company(number: int, task: Task) -> object:
    """What tasks have in common that are decoded together; a language that must be heard first has none."""
    language = task.language.known
    return (language, task.effort, task.hotwords, len(task.context), len(task.written)) if language else number


def _tokens_max(vocabulary: Vocabulary, task: Task) -> int:
    # What is stopped at its limit is cut or doubted; the last try must hold also what is said faster than usual.
    per_second = TOKENS_PER_SECOND_MAX if task.effort is CAREFUL else vocabulary.tokens_per_second_max
    return len(task.written) + TOKENS_MIN + round(per_second * len(task.samples) / SAMPLE_RATE)


def _generated(vocabulary: Vocabulary, result: Any, tokens_max: int) -> Generated:
    chosen = result.sequences_ids[0]
    return Generated(
        tokens=chosen,
        text=vocabulary.tokenizer.decode(chosen).strip(),
        log_probability=result.scores[0] * len(chosen) / (len(chosen) + 1),
        no_speech_probability=result.no_speech_prob,
        unended=len(chosen) >= tokens_max,
    )


def _is_decoded_again(task: Task, generated: Generated) -> bool:
    """Whether a text goes round in circles that must not: there is nothing else to go by."""
    return task.effort is CAREFUL and is_repetitive(generated)


def _trusted(task: Task, generated: Generated) -> list[int]:
    """The tokens to show. What cannot be trusted is withheld, but for the words that were promised, in a last try."""
    once = said_once(generated.tokens)
    loops = is_repetitive(generated) or (task.effort is PARTIAL and (generated.unended or once is not None))
    if task.effort.doubted_below is not None:
        unlikely = generated.log_probability < task.effort.doubted_below
        doubted = unlikely or loops or generated.unended or is_invented(generated) or once is not None
        return [] if doubted else generated.tokens
    if is_invented(generated):
        return list(task.prefix)
    return max(list(task.prefix), once or [], key=len) if loops else generated.tokens


def _result(task: Task, words: tuple[DecodedWord, ...]) -> tuple[DecodedWord, ...]:
    """The words of the window itself."""
    if task.preceding is None:
        return words
    ends = accumulate(len(word.tokens) for word in words)
    begin = len(task.preceding.samples)
    return tuple(
        replace(word, start=max(0, word.start - begin), end=max(0, word.end - begin))
        for word, end in zip(words, ends, strict=True)
        if end - len(word.tokens) >= len(task.preceding.tokens)
    )
