"""An operation that is interrupted at a chosen step, by another process's operation or by the death of its process.

Processes interact through NATS only. So the steps of an operation are the moments before a request of its connection is
sent, and after the answer has arrived. A test repeats an operation: at the n-th step it is suspended while another
operation runs from beginning to end, or it dies there.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.settings import CoreSettings

NEVER = -1
"""A step that no operation reaches."""


class Killed(BaseException):
    """The process has died. None of its code may handle this."""


class Steps:
    """Counts the steps of an operation, and interrupts it.

    Attributes:
        taken: Number of steps that the operation has taken.
    """

    def __init__(
        self,
        *,
        interrupt_at: int = NEVER,
        interruption: Callable[[], Awaitable[object]] | None = None,
        die_at: int = NEVER,
    ) -> None:
        """Prepare an operation.

        Args:
            interrupt_at: The step at which it is suspended, counted from 0.
            interruption: Runs while it is suspended.
            die_at: The step at which its process dies.
        """
        self.taken = 0
        self._interrupt_at = interrupt_at
        self._interruption = interruption
        self._die_at = die_at
        self._suspended = asyncio.Lock()

    @property
    def has_interrupted(self) -> bool:
        """Whether the operation has come to the step at which it is interrupted."""
        return self.taken > self._interrupt_at

    @property
    def has_died(self) -> bool:
        """Whether the operation has come to the step at which it dies."""
        return 0 <= self._die_at < self.taken

    async def step(self) -> None:
        """One step. Other steps of the operation wait while it is suspended."""
        async with self._suspended:
            self._require_alive()
            number, self.taken = self.taken, self.taken + 1
            if number == self._interrupt_at and self._interruption is not None:
                await self._interruption()
            self._require_alive()

    def _require_alive(self) -> None:
        if self.has_died:
            raise Killed


@asynccontextmanager
async def interrupted_bus(settings: CoreSettings, monkeypatch: pytest.MonkeyPatch, steps: Steps) -> AsyncIterator[Bus]:
    """A connection whose every request is two steps."""
    async with open_bus(settings, "interrupted") as bus:
        request = bus.client.request

        async def stepping(*args: Any, **options: Any) -> Any:
            await steps.step()
            answer = await request(*args, **options)
            await steps.step()
            return answer

        with monkeypatch.context() as patch:
            patch.setattr(bus.client, "request", stepping)
            yield bus
