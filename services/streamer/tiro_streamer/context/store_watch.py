"""Watching whether NATS can store live sessions, by its monitoring ports: on a full disk, writes only time out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tiro_core.logs.logger import get_logger
from tiro_core.messaging.monitoring.monitor import FRESH_SECONDS, ServerMonitor
from tiro_streamer.errors import storage_full

RESERVE_BYTES = 64 * 1024 * 1024
"""The free space of NATS below which new sessions are refused: present sessions and other services still need some."""

log = get_logger()


class StoreWatch:
    """Checks the monitoring ports of NATS at intervals. Use `open_store_watch`."""

    def __init__(self, monitor: ServerMonitor, *, replicas: int) -> None:
        self._monitor = monitor
        self._failures_max = (replicas - 1) // 2
        self._is_nearly_full = False
        self._unwritable = asyncio.Event()

    def require_room(self) -> None:
        """Require free space for a new session.

        Raises:
            TiroError: STORAGE_FULL.
        """
        if self._is_nearly_full or self._unwritable.is_set():
            raise storage_full()

    async def until_unwritable(self) -> None:
        """Wait until NATS has failed to write a stream, which it writes again only after a restart.

        Raises:
            TiroError: STORAGE_FULL, at that time. It never returns.
        """
        await self._unwritable.wait()
        raise storage_full()

    async def raise_if_full(self, *, within_seconds: float) -> None:
        """Wait for a time, and raise if NATS reports that it is full.

        Raises:
            TiroError: STORAGE_FULL.
        """
        self.require_room()
        with suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                await self.until_unwritable()

    async def run(self) -> None:
        """Check the monitoring ports until cancelled."""
        while True:
            await self._check()
            await asyncio.sleep(FRESH_SECONDS)

    async def _check(self) -> None:
        try:
            state = await self._monitor.state()
        except OSError as error:
            log.debug("store_unknown", error=str(error))
            return
        # All streams of a node are on one disk; those that are written often fail first.
        failed = [stream for stream, nodes in state.unwritable().items() if len(nodes) > self._failures_max]
        if failed:
            if not self._unwritable.is_set():
                log.error("store_unwritable", streams=failed, note="restart nats-server: see docs/operations.md")
            self._unwritable.set()
        else:
            self._unwritable.clear()
        self._is_nearly_full = state.free_bytes < RESERVE_BYTES


@asynccontextmanager
async def open_store_watch(monitor: ServerMonitor, *, replicas: int) -> AsyncIterator[StoreWatch]:
    """A watch that runs while the context lasts.

    Args:
        monitor: The monitoring ports.
        replicas: Copies of every stream: a minority of them may fail.
    """
    watch = StoreWatch(monitor, replicas=replicas)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(watch.run(), name="store-watch")
        try:
            yield watch
        finally:
            running.cancel()
