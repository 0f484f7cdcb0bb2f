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
    for period in range(1, len(tokens) // 2 + 1):
        run = _run(tokens, period)
        if run >= max(period, RUN_MIN):
            return list(tokens[: len(tokens) - run])
    return None


def _run(tokens: Sequence[T], period: int) -> int:
    """The number of tokens at the end that are equal to those `period` tokens before them."""
    run = 0
    while run < len(tokens) - period and tokens[-1 - run] == tokens[-1 - run - period]:
        run += 1
    return run
