"""The wait before something is tried again."""

import random

_DOUBLINGS_MAX = 30


def backoff(tries: int, *, first_seconds: float, seconds_max: float) -> float:
    """The wait after a number of tries: doubled with each, half of it random, so that callers do not return together.

    Args:
        tries: The tries so far, 1 or more.
        first_seconds: The longest wait after the first try.
        seconds_max: The longest wait.
    """
    full = min(seconds_max, first_seconds * 2.0 ** min(tries - 1, _DOUBLINGS_MAX))
    return full / 2 + random.uniform(0, full / 2)  # noqa: S311 - jitter keeps no secret
