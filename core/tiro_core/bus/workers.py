"""Who is alive: the workers that renew their record, as seen from a service that needs to know what is on offer."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro_core.bus import topology
from tiro_core.bus.connection import Bus
from tiro_core.bus.records import RecordStore


class WorkerDirectory:
    """The live workers, kept up to date in memory."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[WorkerRecord, float]] = {}
        self._complete = asyncio.Event()

    def alive(self) -> Iterator[WorkerRecord]:
        """Every worker that has renewed its record in time."""
        oldest = time.monotonic() - topology.WORKER_EXPIRY_SECONDS
        for worker_id, (record, seen_at) in list(self._seen.items()):
            if seen_at >= oldest:
                yield record
            else:
                del self._seen[worker_id]

    def offering(self, engine: str, model: str) -> list[WorkerRecord]:
        """The live workers with this engine and model."""
        return [record for record in self.alive() if record.engine == engine and record.model == model]

    async def follow(self, bus: Bus) -> None:
        """Keep up to date, until cancelled."""
        store = RecordStore(bus, topology.WORKERS_BUCKET, WorkerRecord)
        async with store.watch(">") as changes:
            async for change in changes:
                if change is None:
                    self._complete.set()
                elif change.value is None:
                    self._seen.pop(change.key, None)
                else:
                    self._seen[change.key] = (change.value, time.monotonic())

    async def complete(self) -> None:
        """Wait until all workers that were alive at the start are known."""
        await self._complete.wait()


@asynccontextmanager
async def open_worker_directory(bus: Bus) -> AsyncIterator[WorkerDirectory]:
    """A directory that is complete and follows the changes."""
    directory = WorkerDirectory()
    async with asyncio.TaskGroup() as tasks:
        follower = tasks.create_task(directory.follow(bus), name="worker-directory")
        await directory.complete()
        try:
            yield directory
        finally:
            follower.cancel()
