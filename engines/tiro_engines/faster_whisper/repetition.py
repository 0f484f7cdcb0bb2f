"""Whisper's loop: over a short pad it sometimes does not stop, and says the last sentence again until its limit."""

from collections.abc import Hashable, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)

RUN_MIN = 3
"""Two words that are the same are said; a longer run that came before it at once is a loop."""


def said_once(tokens: Sequence[T]) -> list[T] | None:
    """Return the tokens, or words, without what is repeated at their end, said once. None where nothing is.

    The loop is the shortest stretch that fills the end at least twice, the last time perhaps in part.
    """
    for period in range(1, len(tokens) // 2 + 1):
        run = _run(tokens, period)
        if run >= max(period, RUN_MIN):
            return list(tokens[: len(tokens) - run])
    return None


def _run(tokens: Sequence[T], period: int) -> int:
    """How many tokens at the end are the same as those a period before them."""
    run = 0
    while run < len(tokens) - period and tokens[-1 - run] == tokens[-1 - run - period]:
        run += 1
    return run
