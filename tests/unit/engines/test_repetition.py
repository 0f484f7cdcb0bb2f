"""Repetition in the output of a decoder, and which output is accepted."""

from dataclasses import replace
from itertools import accumulate
from typing import Any, cast

import numpy as np
import pytest

from tiro_engines.faster_whisper.batch_decoder import _accepted
from tiro_engines.faster_whisper.generated import Generated
from tiro_engines.faster_whisper.languages import (
    COMPACT_REPEATED_TOKENS_PER_SECOND_MAX,
    COMPACT_TOKENS_PER_SECOND_MAX,
    Vocabulary,
)
from tiro_engines.faster_whisper.repetition import spoken_count, without_repetition
from tiro_engines.faster_whisper.tasks import CAREFUL, PARTIAL, QUICK, WITH_CONTEXT, DecodingTask, Effort


@pytest.mark.parametrize(
    ("tokens", "once"),
    [
        ("the best of times. the best of times. the best of times.", "the best of times."),
        ("we add everything. we add everything. we add", "we add everything."),
        ("I really really really really", "I really"),
        ("a b c d e a b c d e a b", "a b c d e"),
    ],
)
def test_a_loop_is_reduced_to_its_first_pass(tokens: str, once: str) -> None:
    """A phrase that fills the end at least twice is kept once. Its last repetition may be incomplete."""
    words = tokens.split()
    numbers = [sorted(set(words)).index(word) for word in words]
    kept = without_repetition(numbers)
    assert kept == numbers[: len(once.split())]


@pytest.mark.parametrize(
    "tokens",
    ["", "no no", "it was the best of times, it was the worst of times,", "very very good", "one two three four"],
)
def test_repetition_of_speech_is_no_loop(tokens: str) -> None:
    """A repeated word, or two clauses with the same beginning, is not a loop."""
    words = tokens.split()
    assert without_repetition([sorted(set(words)).index(word) for word in words]) is None


@pytest.mark.parametrize(
    ("text", "seconds", "kept"),
    [
        ("he had a smile he had a smile he had a smile", [0.3] * 8 + [0.02] * 4, 8),
        ("he had a smile he had a smile he had a smile", [0.3] * 4 + [0.02] * 8, 4),
        ("he had a smile he had a smile", [0.3] * 8, 8),
        ("no no no no no no", [0.3] * 6, 6),
        ("no no no no no no", [0.3] * 3 + [0.0] * 3, 4),
        ("one two three four", [0.0] * 4, 4),
    ],
)
def test_rounds_without_time_were_not_said(text: str, seconds: list[float], kept: int) -> None:
    """The last rounds of a loop are left out as far as they are faster than speech."""
    ends = list(accumulate(seconds))
    spans = [(end - length, end) for end, length in zip(ends, seconds, strict=True)]
    assert spoken_count(text.split(), spans, 7) == kept


SENTENCE = [1, 2, 3, 4, 5, 6]


VOCABULARY = Vocabulary(None, [], COMPACT_TOKENS_PER_SECOND_MAX, COMPACT_REPEATED_TOKENS_PER_SECOND_MAX)


def accepted(
    effort: Effort, generated: Generated, prefix: list[int] | None = None, *, seconds: float = 1.0
) -> list[int]:
    """The accepted tokens of a decoder's output."""
    samples = np.zeros(round(seconds * 16_000), np.float32)
    return _accepted(DecodingTask(samples, effort, cast("Any", None), prefix=prefix or []), generated, VOCABULARY)


def test_a_truncated_partial_is_reduced_or_withheld() -> None:
    """A truncated loop is reduced to its first pass. Truncated output without repetition is withheld."""
    loop = Generated(SENTENCE * 3, "one two", -0.1, 0.0, truncated=True)
    assert accepted(PARTIAL, loop) == SENTENCE
    runaway = Generated(list(range(30)), "one two", -0.1, 0.0, truncated=True)
    assert accepted(PARTIAL, runaway) == []


@pytest.mark.parametrize("effort", [PARTIAL, QUICK, WITH_CONTEXT, CAREFUL])
def test_what_is_said_twice_is_kept(effort: Effort) -> None:
    """A repetition at the pace of speech is kept. One that is faster is a loop, although it ended by itself."""
    twice = Generated(SENTENCE * 2, "He had a smile. He had a smile.", -0.1, 0.0)
    assert accepted(effort, twice, seconds=4.0) == SENTENCE * 2
    reduced = SENTENCE if effort in {PARTIAL, CAREFUL} else []
    assert accepted(effort, twice, seconds=1.0) == reduced
    often = Generated(SENTENCE * 10, "one two three four. " * 10, -0.1, 0.0)
    assert accepted(effort, often, seconds=20.0) == SENTENCE * 10
    assert accepted(effort, replace(often, truncated=True), seconds=20.0) == reduced


def test_a_careful_final_keeps_truncated_output() -> None:
    """Fast speech is kept, a loop is reduced to its first pass, and a prefix stays in any case."""
    fast = Generated(list(range(30)), "one two", -0.1, 0.0, truncated=True)
    assert accepted(CAREFUL, fast) == list(range(30))
    loop = Generated(SENTENCE * 10, "one two three four. " * 10, -0.1, 0.0)
    assert accepted(CAREFUL, loop) == SENTENCE
    assert accepted(CAREFUL, loop, prefix=SENTENCE * 2) == SENTENCE * 2


@pytest.mark.parametrize("effort", [QUICK, WITH_CONTEXT])
def test_a_quick_final_is_withheld_at_any_doubt(effort: Effort) -> None:
    """While another effort is left, a loop, truncated output and a hallucination are withheld."""
    clear = Generated(SENTENCE, "one two three four", -0.1, 0.0)
    assert accepted(effort, clear) == SENTENCE
    assert accepted(effort, replace(clear, tokens=SENTENCE * 3)) == []
    assert accepted(effort, replace(clear, text="one two three four. " * 10)) == []
    assert accepted(effort, replace(clear, truncated=True)) == []
    assert accepted(effort, replace(clear, log_probability=-0.9, no_speech_probability=0.9)) == []


def test_an_unlikely_text_is_withheld_without_context_only() -> None:
    """With context a text of low probability is accepted: more effort would not raise it."""
    unlikely = Generated(SENTENCE, "one two three four", -0.5, 0.0)
    assert accepted(QUICK, unlikely) == []
    assert accepted(WITH_CONTEXT, unlikely) == SENTENCE
