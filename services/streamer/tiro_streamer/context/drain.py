"""Draining: how the calls under way end when the service stops."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from tiro_core.logs.logger import get_logger
from tiro_streamer.errors import shutting_down

CLOSE_SECONDS_MAX = 5.0
"""How long sessions may take to close after the grace. It is part of `stop_clock.STOP_MARGIN_SECONDS`."""

log = get_logger()


class Drain:
    """Counts the calls under way, and ends them."""

    def __init__(self) -> None:
        self._count = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self._draining = asyncio.Event()
        self._closing = asyncio.Event()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Count one call while the context lasts, from its beginning to the end of its clean-up.

        Raises:
            TiroError: SHUTTING_DOWN; the service accepts no more calls.
        """
        if self._draining.is_set():
            raise shutting_down()
        self._count += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._empty.set()

    async def until_closing(self, *, can_move: bool) -> None:
        """Wait until a call must end: when the service stops, if it can move to another one; otherwise after the grace.

        Raises:
            TiroError: SHUTTING_DOWN, at that time. It never returns.
        """
        await (self._draining if can_move else self._closing).wait()
        raise shutting_down()

    async def unless_draining(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work that another streamer can continue, until it is done or the service stops.

        Raises:
            TiroError: SHUTTING_DOWN.
        """
        async with asyncio.TaskGroup() as tasks:
            draining = tasks.create_task(self.until_closing(can_move=True), name="draining")
            await work
            draining.cancel()

    async def drain(self, grace_seconds: float) -> None:
        """Accept no more calls; wait for those under way; after the grace end them, and wait for their clean-up.

        gRPC's own `stop(grace)` may return before the handlers have cleaned up.
        """
        self._draining.set()
        log.info("draining", sessions=self._count, grace_seconds=grace_seconds)
        if not await self._emptied_within(grace_seconds):
            log.warning("ending_sessions", sessions=self._count)
            self._closing.set()
            if not await self._emptied_within(CLOSE_SECONDS_MAX):
                log.error("sessions_left", sessions=self._count)

    async def _emptied_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True
