"""Whether a service can do its work: named checks of its resources, repeated in the background.

A check is registered where the resource that it checks is opened. A service is ready while none of its checks fails.
`FAILURES_MIN` and `SUCCESSES_MIN` keep an unstable resource from changing the readiness at every check.
"""

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import Gauge

from tiro_core.logs.logger import get_logger

INTERVAL_SECONDS = 1.0
"""The time from the answer of a check to its next run, unless it is registered with another interval.

A check that has failed runs again after this time at the latest."""
LIMIT_SECONDS = 2.0
"""How long one check may take, unless it is registered with another limit."""
FAILURES_MIN = 3
"""Consecutive failures of a check after which the service is not ready."""
SUCCESSES_MIN = 2
"""Consecutive successes after which it is ready again. At the start, one is enough."""

READY = Gauge("tiro_ready", "1 while the service reports that it is ready")
CHECKS = Gauge("tiro_ready_check", "1 while a check of a resource passes, by the name of the check", ["check"])

log = get_logger()


class CheckFailed(Exception):  # noqa: N818 - reads as the condition it reports
    """A resource cannot be used. The message says which, and what an operator can do about it."""


class Readiness:
    """The checks of one service, and their results."""

    def __init__(self) -> None:
        self._checks: list[_Check] = []
        self._report: Callable[[bool], Awaitable[None]] | None = None
        self._ready = False
        self._logged: dict[str, str] = {}
        self.answered = asyncio.Event()
        """Set once every check has run and the first result is reported."""

    def add(
        self,
        name: str,
        check: Callable[[], Awaitable[None]],
        *,
        every_seconds: float = INTERVAL_SECONDS,
        limit_seconds: float = LIMIT_SECONDS,
    ) -> None:
        """Register a check, before `run`.

        Args:
            name: The name of the resource, for logs and metrics.
            check: Returns when the resource can be used, and raises otherwise: `CheckFailed` with a reason, or any
                other exception.
            every_seconds: The time from a success to the next run.
            limit_seconds: How long the check may take.
        """
        self._checks.append(_Check(name, check, every_seconds, limit_seconds))

    @property
    def reasons(self) -> dict[str, str]:
        """The reasons why the service is not ready, by the name of the check. Empty when it is ready."""
        return {check.name: check.reason for check in self._checks if not check.passes}

    async def run(self, report: Callable[[bool], Awaitable[None]]) -> None:
        """Run the checks until cancelled, and report each change, the first answer included."""
        self._report = report
        try:
            async with asyncio.TaskGroup() as tasks:
                for check in self._checks:
                    tasks.create_task(self._repeat(check), name=f"check-{check.name}")
        finally:
            READY.set(0)

    async def _repeat(self, check: "_Check") -> None:
        while True:
            await check.make()
            await self._settle()
            await asyncio.sleep(check.wait_seconds)

    async def _settle(self) -> None:
        reasons = self.reasons
        known = all(check.answered for check in self._checks)
        if not known or self._report is None:
            return
        if reasons and reasons != self._logged:
            log.warning("not_ready", reasons=reasons)
        elif self._logged and not reasons:
            log.info("ready_again", after=self._logged)
        self._logged = reasons
        if (not reasons) != self._ready:
            self._ready = not reasons
            READY.set(self._ready)
            await self._report(self._ready)
        self.answered.set()


class _Check:
    """One check, and its last results."""

    def __init__(
        self, name: str, check: Callable[[], Awaitable[None]], every_seconds: float, limit_seconds: float
    ) -> None:
        self.name = name
        self.answered = False
        self.passes = False
        self.reason = "not checked yet"
        self._check = check
        self._every_seconds = every_seconds
        self._limit_seconds = limit_seconds
        self._same = 0
        """Consecutive results that differ from `passes`."""

    @property
    def wait_seconds(self) -> float:
        """The wait until the next run."""
        steady = self.passes and not self._same
        return self._every_seconds if steady else min(self._every_seconds, INTERVAL_SECONDS)

    async def make(self) -> None:
        """Run the check once."""
        reason = await self._fault()
        CHECKS.labels(self.name).set(not reason)
        first, self.answered = not self.answered, True
        if reason:
            self.reason = reason
        if (not reason) == self.passes:
            self._same = 0
            return
        self._same += 1
        if first or self._same >= (FAILURES_MIN if reason else SUCCESSES_MIN):
            self.passes = not reason
            self._same = 0

    async def _fault(self) -> str:
        try:
            async with asyncio.timeout(self._limit_seconds):
                await self._check()
        except CheckFailed as failed:
            return str(failed)
        except TimeoutError:
            return f"no answer within {self._limit_seconds:g} s"
        except Exception as error:  # noqa: BLE001 - any exception means that the resource cannot be used
            return f"{type(error).__name__}: {error}"
        return ""
