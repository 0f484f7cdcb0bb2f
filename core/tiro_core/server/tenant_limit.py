"""A limit on what is open at once, of which one tenant may have a share: so none can take everything."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import grpc

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.errors import TiroError

RETRY_AFTER = timedelta(seconds=1)
"""When a caller may try again that has reached a limit of this kind."""


class TenantLimit:
    """Counts what is open, for each tenant and for all of them."""

    def __init__(self, what: str, total_max: int, *, share: float, total_reached: Callable[[], TiroError]) -> None:
        """Make a limit.

        Args:
            what: Names what is counted, for callers, as in `calls`.
            total_max: How many may be open at once.
            share: The part of them that one tenant may have, more than 0 and at most 1; at least one of them.
            total_reached: Makes the error for a caller that comes when all are open.
        """
        self._what = what
        self._total_max = total_max
        self._tenant_max = min(total_max, max(1, int(total_max * share)))
        self._total_reached = total_reached
        self._open: Counter[str] = Counter()

    def acquire(self, tenant: str) -> None:
        """Count one more, which `release` gives back.

        Raises:
            TiroError: TENANT_LIMIT_REACHED; or what `total_reached` makes.
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
            f"the tenant has {self._tenant_max} {self._what.replace('_', ' ')} open already, as many as one tenant may",
            {"limit": self._what, "max": str(self._tenant_max)},
            retry_after=RETRY_AFTER,
        )
