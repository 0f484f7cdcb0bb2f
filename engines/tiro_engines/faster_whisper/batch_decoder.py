"""Decodes short windows with Whisper, of one session or of several in one batch, encoding only their audio and a pad.

Each decoded token reads the matrix of the whole vocabulary from memory, so windows that are decoded in one batch cost
half as much each. Encoding them together has no gain.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, dropwhile
from typing import Any

import numpy as np

from tiro_engines.faster_whisper.alignment import WindowText, align
from tiro_engines.faster_whisper.generated import Generated, is_hallucinated, is_loop
from tiro_engines.faster_whisper.languages import (
    TOKENS_PER_SECOND_MAX,
    Languages,
    Vocabulary,
)
from tiro_engines.faster_whisper.repetition import without_repetition
from tiro_engines.faster_whisper.tasks import CAREFUL, PARTIAL, DecodingTask, PrecedingFinal
from tiro_engines.interface import SAMPLE_RATE, Samples
from tiro_engines.windowed.decoder import DecodedWord, DecodingContext, Hypothesis

ENCODER_SECONDS_MAX = 30
SAMPLES_MIN = SAMPLE_RATE // 10
"""A shorter window holds no word, and Whisper hallucinates over it."""
TOKENS_MIN = 8
REPEATED_TOKENS = 3
"""A sequence of this many tokens may not come twice when a repetitive text is decoded again."""


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """Windows that were decoded in one batch."""

    tasks: Sequence[DecodingTask]
    encoded: Any
    """The encoder's output for the windows."""
    language: str
    vocabulary: Vocabulary
    generated: list[Generated]
    """The decoder's output for each window."""


class BatchDecoder:
    """Decodes the windows of all sessions of one loaded model. Safe to share between threads."""

    def __init__(self, whisper: Any, languages: Languages) -> None:
        self._whisper = whisper
        self._languages = languages

    def preceding_final(self, context: DecodingContext) -> PrecedingFinal:
        """The text of a context in tokens: after a space, as Whisper writes in mid-text."""
        tokens = self._whisper.hf_tokenizer.encode(f" {context.text}", add_special_tokens=False).ids
        return PrecedingFinal(context.samples, tokens)

    def decode(self, tasks: Sequence[DecodingTask]) -> list[Hypothesis]:
        """Decode windows. Those of one language, hotwords, effort and length of prompt are decoded in one batch."""
        hypotheses = [Hypothesis(language=task.language.guess) for task in tasks]
        groups: dict[object, list[int]] = {}
        for number, task in enumerate(tasks):
            if len(task.samples) >= SAMPLES_MIN:
                groups.setdefault(_batch_key(number, task), []).append(number)
        for group in groups.values():
            for number, one in zip(group, self._decode([tasks[number] for number in group]), strict=True):
                hypotheses[number] = one
        return hypotheses

    def generate(self, tasks: Sequence[DecodingTask], no_repeat_ngram_size: int = 0) -> DecodedBatch:
        """Decode one batch to tokens.

        Args:
            tasks: Tasks of one language, hotwords, effort and length of prompt.
            no_repeat_ngram_size: Sequences of this many tokens may not come twice. 0: any may.
        """
        encoded = self._whisper.encode(self._features(tasks))
        language = _language(tasks[0], encoded)
        vocabulary = self._languages.vocabulary(language)
        generated = self._generate(encoded, vocabulary, tasks, no_repeat_ngram_size)
        return DecodedBatch(tasks, encoded, language, vocabulary, generated)

    def words(self, batch: DecodedBatch, texts: Sequence[list[int]]) -> list[tuple[DecodedWord, ...]]:
        """The words of each window with their times.

        Args:
            batch: The windows.
            texts: The text tokens of each window that are to be aligned; empty where none are.
        """
        windows = [
            WindowText(text, len(task.audio), task.word_borders) for task, text in zip(batch.tasks, texts, strict=True)
        ]
        return align(self._whisper, batch.vocabulary.tokenizer, batch.encoded, windows)

    def _decode(self, tasks: Sequence[DecodingTask]) -> list[Hypothesis]:
        """Decode one batch. The hypotheses have the words that are accepted."""
        batch = self.generate(tasks)
        generated = batch.generated
        vocabulary = batch.vocabulary
        # No higher effort is left for a loop, so it is decoded once more, with repetitions forbidden.
        if tasks[0].effort is CAREFUL and any(
            loops(task.audio, text, vocabulary) for task, text in zip(tasks, generated, strict=True)
        ):
            generated = self._generate(batch.encoded, vocabulary, tasks, REPEATED_TOKENS)
        words = self.words(
            batch, [_accepted(task, text, vocabulary) for task, text in zip(tasks, generated, strict=True)]
        )
        return [Hypothesis(_of_window(task, each), batch.language) for task, each in zip(tasks, words, strict=True)]

    def _features(self, tasks: Sequence[DecodingTask]) -> Any:
        """Log-mel features of shape (tasks, bins, frames): all windows padded as the longest one needs."""
        pad_seconds = tasks[0].effort.pad_seconds
        audio = [task.audio for task in tasks]
        longest = max(map(len, audio))
        length = min(longest + round(pad_seconds * SAMPLE_RATE), ENCODER_SECONDS_MAX * SAMPLE_RATE)
        extract = self._whisper.feature_extractor
        return np.stack([extract(np.pad(samples, (0, length - len(samples))), padding=0) for samples in audio])

    def _generate(
        self, encoded: Any, vocabulary: Vocabulary, tasks: Sequence[DecodingTask], no_repeat_ngram_size: int = 0
    ) -> list[Generated]:
        prompts = [self._prompt(vocabulary, task) for task in tasks]
        # CTranslate2 generates at most half of its length, less the prompt where that is longer.
        room = self._whisper.max_length - max(self._whisper.max_length // 2, len(prompts[0]))
        tokens = min(room, max(_tokens_max(vocabulary, task) for task in tasks))
        results = self._whisper.model.generate(
            encoded,
            prompts,
            beam_size=tasks[0].effort.beam_size,
            no_repeat_ngram_size=no_repeat_ngram_size,
            max_length=min(max(2 * tokens, len(prompts[0]) + tokens), self._whisper.max_length),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=vocabulary.suppressed,
        )
        return [_generated(vocabulary, result, tokens) for result in results]

    def _prompt(self, vocabulary: Vocabulary, task: DecodingTask) -> list[int]:
        prompt: list[int] = self._whisper.get_prompt(
            vocabulary.tokenizer, list(task.prompt), without_timestamps=True, hotwords=task.hotwords
        )
        return [*prompt, *task.forced_tokens]


def _batch_key(number: int, task: DecodingTask) -> object:
    """The key that all tasks of a batch share. A task whose language must be detected first has a separate batch."""
    language = task.language.known
    return (language, task.effort, task.hotwords, len(task.prompt), len(task.forced_tokens)) if language else number


def _language(task: DecodingTask, encoded: Any) -> str:
    """The language of a batch, which is of one session where the language must be heard."""
    if task.language.known is not None:
        return task.language.known
    if task.effort is PARTIAL:
        return task.language.of_partial(encoded, task.samples)
    return task.language.of_final(encoded, task.samples)


def _tokens_max(vocabulary: Vocabulary, task: DecodingTask) -> int:
    # A text that reaches its limit is cut or rejected; the last attempt must also hold unusually fast speech.
    per_second = TOKENS_PER_SECOND_MAX if task.effort is CAREFUL else vocabulary.tokens_per_second_max
    return len(task.forced_tokens) + TOKENS_MIN + round(per_second * len(task.samples) / SAMPLE_RATE)


def _generated(vocabulary: Vocabulary, result: Any, tokens_max: int) -> Generated:
    chosen = result.sequences_ids[0]
    return Generated(
        tokens=chosen,
        text=vocabulary.tokenizer.decode(chosen).strip(),
        log_probability=result.scores[0] * len(chosen) / (len(chosen) + 1),
        no_speech_probability=result.no_speech_prob,
        truncated=len(chosen) >= tokens_max,
    )


def loops(samples: Samples, generated: Generated, vocabulary: Vocabulary) -> bool:
    """Whether the text of a window repeats itself because the decoder loops."""
    return is_loop(generated, len(samples) / SAMPLE_RATE, vocabulary.repeated_tokens_per_second_max)


def _accepted(task: DecodingTask, generated: Generated, vocabulary: Vocabulary) -> list[int]:
    """The tokens that are accepted. The last effort always keeps the prefix, and the first round of a loop."""
    is_looping = loops(task.audio, generated, vocabulary)
    if task.effort.log_probability_min is not None:
        unlikely = generated.log_probability < task.effort.log_probability_min
        rejected = unlikely or is_looping or generated.truncated or is_hallucinated(generated)
        return [] if rejected else generated.tokens
    if is_hallucinated(generated):
        return list(task.prefix)
    if is_looping or (task.effort is PARTIAL and generated.truncated):
        return max(list(task.prefix), without_repetition(generated.tokens) or [], key=len)
    return generated.tokens


def _of_window(task: DecodingTask, words: tuple[DecodedWord, ...]) -> tuple[DecodedWord, ...]:
    """The words of the window itself: without those of the final before it, and without that final's punctuation."""
    if task.preceding is not None:
        ends = accumulate(len(word.tokens) for word in words)
        begin = len(task.preceding.samples)
        words = tuple(
            replace(word, start=max(0, word.start - begin), end=max(0, word.end - begin))
            for word, end in zip(words, ends, strict=True)
            if end - len(word.tokens) >= len(task.preceding.tokens)
        )
    return tuple(dropwhile(lambda word: not any(map(str.isalnum, word.raw)), words))
