"""Which failures are retried, how often, and after how long a wait."""

import asyncio
import logging
import random
import time

import grpc

from tiro_client.errors import ResourceExhausted, TiroError, Unavailable

CALL_ATTEMPTS_MAX = 6
"""Attempts at a call, the first included."""
CALL_SECONDS_MAX = 30.0
"""No further attempt at a call begins later than this after the first one."""
STREAM_ATTEMPTS_MAX = 15
"""Attempts at a stream without progress in between. With the waits, a service may be away for 45 s."""
WAIT_SECONDS_MIN = 0.1
"""The wait before the first retry. It doubles with each further one."""
WAIT_SECONDS_MAX = 5.0
"""The longest wait between two attempts, even where the service asks for a longer one."""
STEADY_SECONDS = 5.0
"""A connection that lasted this long counts as progress, even if nothing was received over it."""

_CONNECTION_LOST_CODES = {
    grpc.StatusCode.UNAVAILABLE,
    # How gRPC and proxies report a stream that was reset.
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
}
_SERVICE_UNAVAILABLE_REASONS = {"NOT_READY", "SHUTTING_DOWN", "STORAGE_UNAVAILABLE"}
_log = logging.getLogger(__name__)


def is_transient(error: TiroError) -> bool:
    """Whether the same call may succeed later: the service is unavailable, or full and says when to retry."""
    if isinstance(error, Unavailable):
        return True
    return isinstance(error, ResourceExhausted) and error.retry_after is not None


def is_connection_lost(error: TiroError) -> bool:
    """Whether a stream was cut by its connection, or by a service that is stopping, and not for a fault of its own.

    Such an error comes from gRPC or a proxy, which give no reason, or from a service that is unavailable for now.
    """
    return error.reason in _SERVICE_UNAVAILABLE_REASONS or (not error.reason and error.code in _CONNECTION_LOST_CODES)


class Backoff:
    """Waits between the attempts at one call or stream, and ends them.

    Args:
        attempts_max: Attempts without progress in between after which the error is raised, the first included.
        seconds_max: How long after construction the last attempt may begin. None: no limit, for streams, which may run
            for hours and be resumed many times.
    """

    def __init__(self, attempts_max: int, seconds_max: float | None = None) -> None:
        self._attempts_max = attempts_max
        self._deadline = None if seconds_max is None else time.monotonic() + seconds_max
        self._failures = 0

    async def wait(self, error: TiroError, *, progressed: bool = False) -> None:
        """Wait until the next attempt is due.

        Args:
            error: What the last attempt failed with. Its `retry_after` is respected, up to `WAIT_SECONDS_MAX`.
            progressed: Whether the last attempt achieved something. The count of attempts then starts again.

        Raises:
            TiroError: `error`, when there is no further attempt.
        """
        self._failures = 0 if progressed else self._failures + 1
        seconds = self._wait_seconds(error)
        expired = self._deadline is not None and time.monotonic() + seconds > self._deadline
        if self._failures >= self._attempts_max or expired:
            raise error
        _log.info("retrying in %.1f s: %s", seconds, error)
        await asyncio.sleep(seconds)

    def _wait_seconds(self, error: TiroError) -> float:
        growing = WAIT_SECONDS_MIN * 2.0 ** max(self._failures - 1, 0)
        requested = error.retry_after.total_seconds() if error.retry_after else 0.0
        jitter = random.uniform(0, WAIT_SECONDS_MIN)  # noqa: S311 - spreads clients over time; it keeps no secret
        return min(max(growing, requested), WAIT_SECONDS_MAX) + jitter
