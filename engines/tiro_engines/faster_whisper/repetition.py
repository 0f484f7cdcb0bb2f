"""Finding Whisper's loops: with a short pad it sometimes repeats the last sentence until its limit of tokens."""

from collections.abc import Hashable, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)

RUN_MIN = 3
"""The shortest repetition that is a loop: speakers do say one or two words twice."""


def without_repetition(tokens: Sequence[T]) -> list[T] | None:
    """The tokens, or words, with only the first round of the loop at their end. None where there is no loop.

    The loop is the shortest sequence that fills the end at least twice, the last time perhaps in part.
    """
    period = _period(tokens)
    return list(tokens[: len(tokens) - _run(tokens, period)]) if period else None


def spoken_count(words: Sequence[Hashable], spans: Sequence[tuple[float, float]], words_per_second_max: float) -> int:
    """The number of words without the rounds of a loop at their end that are faster than speech.

    A decoder that goes on after what was said gives the last rounds no time.

    Args:
        words: The words, without case and punctuation.
        spans: The start and end of each word, in seconds.
        words_per_second_max: The fastest speech.
    """
    count = len(words)
    while period := _period(words[:count]):
        measured = period * -(-RUN_MIN // period)
        seconds = spans[count - 1][1] - spans[max(0, count - measured)][0]
        if measured <= words_per_second_max * seconds:
            break
        count -= period
    return count


def _period(tokens: Sequence[Hashable]) -> int:
    """The length of a round of the loop at the end. 0 where there is none."""
    for period in range(1, len(tokens) // 2 + 1):
        if _run(tokens, period) >= max(period, RUN_MIN):
            return period
    return 0


def _run(tokens: Sequence[Hashable], period: int) -> int:
    """The number of tokens at the end that are equal to those `period` tokens before them."""
    run = 0
    while run < len(tokens) - period and tokens[-1 - run] == tokens[-1 - run - period]:
        run += 1
    return run
