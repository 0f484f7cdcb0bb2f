"""A limit on calls or other things open at once, of which one tenant may use only a share."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import grpc

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.errors import TiroError

RETRY_AFTER = timedelta(seconds=1)
"""When a caller that has reached such a limit may try again."""


class TenantLimit:
    """Counts the open things of each tenant and of all together."""

    def __init__(self, what: str, total_max: int, *, share: float, total_reached: Callable[[], TiroError]) -> None:
        """Make a limit.

        Args:
            what: The name of the counted things, for callers, as in `calls`.
            total_max: How many may be open at once.
            share: The fraction of `total_max` that one tenant may use, more than 0 and at most 1. It is at least one
                thing.
            total_reached: Makes the error for a caller when `total_max` is reached.
        """
        self._what = what
        self._total_max = total_max
        self._tenant_max = min(total_max, max(1, int(total_max * share)))
        self._total_reached = total_reached
        self._open: Counter[str] = Counter()

    def acquire(self, tenant: str) -> None:
        """Count one more. `release` undoes it.

        Raises:
            TiroError: TENANT_LIMIT_REACHED, or the error of `total_reached`.
        """
        if self._open.total() >= self._total_max:
            raise self._total_reached()
        if self._open[tenant] >= self._tenant_max:
            raise self._tenant_reached()
        self._open[tenant] += 1

    def release(self, tenant: str) -> None:
        """Count one less."""
        self._open[tenant] -= 1
        if not self._open[tenant]:
            del self._open[tenant]

    @contextmanager
    def entered(self, tenant: str) -> Iterator[None]:
        """Count one while the context lasts.

        Raises:
            TiroError: As `acquire`.
        """
        self.acquire(tenant)
        try:
            yield
        finally:
            self.release(tenant)

    def _tenant_reached(self) -> TiroError:
        return TiroError(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            reasons.ERROR_REASON_TENANT_LIMIT_REACHED,
            f"the tenant has {self._tenant_max} {self._what.replace('_', ' ')} open already, the limit of one tenant",
            {"limit": self._what, "max": str(self._tenant_max)},
            retry_after=RETRY_AFTER,
        )
