"""Telling what is said from what a decoder goes on repeating."""

import pytest

from tiro_transcriber.engines.faster_whisper.repetition import said_once


@pytest.mark.parametrize(
    ("tokens", "once"),
    [
        ("the best of times. the best of times. the best of times.", "the best of times."),
        ("we add everything. we add everything. we add", "we add everything."),
        ("I really really really really", "I really"),
        ("a b c d e a b c d e a b", "a b c d e"),
    ],
)
def test_a_loop_is_said_once(tokens: str, once: str) -> None:
    """What fills the end at least twice is kept the first time; the last time may be incomplete."""
    words = tokens.split()
    numbers = [sorted(set(words)).index(word) for word in words]
    kept = said_once(numbers)
    assert kept == numbers[: len(once.split())]


@pytest.mark.parametrize(
    "tokens",
    ["", "no no", "it was the best of times, it was the worst of times,", "very very good", "one two three four"],
)
def test_what_people_say_twice_is_no_loop(tokens: str) -> None:
    """A word said again, or the same beginning of two clauses, is speech."""
    words = tokens.split()
    assert said_once([sorted(set(words)).index(word) for word in words]) is None
