"""What is tried again, how often, and how long after."""

import asyncio
import random
from collections.abc import AsyncIterable
from datetime import timedelta

import grpc
import stamina

from tiro_client.errors import ResourceExhausted, TiroError, Unavailable

ATTEMPTS_MAX = 6
"""How often a call is tried."""
RETRY_SECONDS_MAX = 30.0
"""How long a call is tried, all attempts together."""
WAIT_SECONDS_MIN = 0.1
WAIT_SECONDS_MAX = 5.0
"""The longest wait between attempts, whatever the service asks for."""
FRUITLESS_MAX = 15
"""How often a stream is tried without progress in between: with the waits, a service may be away for 50 s."""

_BROKEN = {
    grpc.StatusCode.UNAVAILABLE,
    # What gRPC and proxies make of a stream that was reset.
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
}
_AWAY = {"NOT_READY", "SHUTTING_DOWN", "STORAGE_UNAVAILABLE"}


def is_transient(error: Exception) -> bool:
    """Whether the same call may succeed a little later: the service is away, or full and says when to come again."""
    if isinstance(error, Unavailable):
        return True
    return isinstance(error, ResourceExhausted) and error.retry_after is not None


def is_lost(error: TiroError) -> bool:
    """Whether a stream broke although nothing is wrong with it: the connection, or the service behind it, has gone.

    Such an error comes from gRPC or a proxy, which know no reasons, or from a service that cannot go on just now.
    """
    return error.reason in _AWAY or (not error.reason and error.code in _BROKEN)


def retrying() -> AsyncIterable[stamina.Attempt]:
    """Attempts at a call that is safe to repeat."""
    return stamina.retry_context(
        on=_wait_before_retry,
        attempts=ATTEMPTS_MAX,
        timeout=RETRY_SECONDS_MAX,
        wait_initial=WAIT_SECONDS_MIN,
        wait_max=WAIT_SECONDS_MAX,
        wait_jitter=WAIT_SECONDS_MIN,
    )


def _wait_before_retry(error: Exception) -> bool | timedelta:
    if not is_transient(error):
        return False
    # The service knows best when it will be there; True leaves it to the growing wait.
    asked = error.retry_after if isinstance(error, TiroError) else None
    return True if asked is None else min(asked, timedelta(seconds=WAIT_SECONDS_MAX))


class Resumption:
    """Decides whether a broken stream is resumed, and paces it.

    A retry policy with a count or a time limit fits a call. A stream may run for hours and break many times: what is
    limited here is how often it breaks without progress in between.
    """

    def __init__(self) -> None:
        self._fruitless = 0

    async def pause(self, error: TiroError, *, progressed: bool) -> None:
        """Wait until it is time to resume.

        Args:
            error: What broke the stream.
            progressed: Whether the stream achieved anything since it was last resumed.

        Raises:
            TiroError: `error`, when the stream is not to be resumed any more.
        """
        self._fruitless = 0 if progressed else self._fruitless + 1
        if self._fruitless >= FRUITLESS_MAX:
            raise error
        growing = WAIT_SECONDS_MIN * 2**self._fruitless
        asked = error.retry_after.total_seconds() if error.retry_after else 0.0
        jitter = random.uniform(0, WAIT_SECONDS_MIN)  # noqa: S311 - spreads callers over time, keeps no secret
        await asyncio.sleep(min(max(growing, asked), WAIT_SECONDS_MAX) + jitter)
