"""Telling what is said from what a decoder goes on repeating."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from tiro_engines.faster_whisper.batch_decoder import _accepted
from tiro_engines.faster_whisper.generated import Generated
from tiro_engines.faster_whisper.repetition import without_repetition
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
def test_a_loop_is_without_repetition(tokens: str, once: str) -> None:
    """What fills the end at least twice is kept the first time; the last time may be incomplete."""
    words = tokens.split()
    numbers = [sorted(set(words)).index(word) for word in words]
    kept = without_repetition(numbers)
    assert kept == numbers[: len(once.split())]


@pytest.mark.parametrize(
    "tokens",
    ["", "no no", "it was the best of times, it was the worst of times,", "very very good", "one two three four"],
)
def test_what_people_say_twice_is_no_loop(tokens: str) -> None:
    """A word said again, or the same beginning of two clauses, is speech."""
    words = tokens.split()
    assert without_repetition([sorted(set(words)).index(word) for word in words]) is None


SENTENCE = [1, 2, 3, 4, 5, 6]


def trusted(effort: Effort, generated: Generated, prefix: list[int] | None = None) -> list[int]:
    """What is shown of what a decoder wrote."""
    task = DecodingTask(np.zeros(16_000, np.float32), effort, cast("Any", None), prefix=prefix or [])
    return _accepted(task, generated)


def test_a_partial_that_does_not_end_is_cut_or_withheld() -> None:
    """Where nothing repeats, it is a runaway: nothing of it is shown."""
    loop = Generated(SENTENCE * 3, "one two", -0.1, 0.0, truncated=True)
    assert trusted(PARTIAL, loop) == SENTENCE
    runaway = Generated(list(range(30)), "one two", -0.1, 0.0, truncated=True)
    assert trusted(PARTIAL, runaway) == []


def test_a_partial_says_nothing_twice() -> None:
    """Also where a loop ends by itself. Who really says a sentence twice sees it in the final."""
    twice = Generated(SENTENCE * 2, "He had a smile. He had a smile.", -0.1, 0.0)
    assert trusted(PARTIAL, twice) == SENTENCE
    assert trusted(CAREFUL, twice) == SENTENCE * 2


def test_a_final_loses_nothing_to_the_limit() -> None:
    """What is said very fast is kept; a loop is said once; what was promised stays, whatever is cut."""
    fast = Generated(list(range(30)), "one two", -0.1, 0.0, truncated=True)
    assert trusted(CAREFUL, fast) == list(range(30))
    loop = Generated(SENTENCE * 10, "one two three four. " * 10, -0.1, 0.0)
    assert trusted(CAREFUL, loop) == SENTENCE
    assert trusted(CAREFUL, loop, prefix=SENTENCE * 2) == SENTENCE * 2


@pytest.mark.parametrize("effort", [QUICK, WITH_CONTEXT])
def test_a_final_is_withheld_at_any_doubt(effort: Effort) -> None:
    """As long as another way of decoding is left: nothing of a loop, a runaway or an invention is kept."""
    clear = Generated(SENTENCE, "one two three four", -0.1, 0.0)
    assert trusted(effort, clear) == SENTENCE
    assert trusted(effort, replace(clear, tokens=SENTENCE * 3)) == []
    assert trusted(effort, replace(clear, text="one two three four. " * 10)) == []
    assert trusted(effort, replace(clear, truncated=True)) == []
    assert trusted(effort, replace(clear, log_probability=-0.9, no_speech_probability=0.9)) == []


def test_an_unlikely_text_is_doubted_without_context_only() -> None:
    """Behind its context a text is as likely as it gets."""
    unlikely = Generated(SENTENCE, "one two three four", -0.5, 0.0)
    assert trusted(QUICK, unlikely) == []
    assert trusted(WITH_CONTEXT, unlikely) == SENTENCE
