"""The live workers, those that renew their record, for services that check what a deployment can serve."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.mirror import Mirror, open_mirror
from tiro_core.messaging.records import RecordStore


class WorkerDirectory:
    """The live workers."""

    def __init__(self, mirror: Mirror[WorkerRecord]) -> None:
        self._mirror = mirror

    def alive(self) -> Iterator[WorkerRecord]:
        """Every worker that has renewed its record in time."""
        return self._mirror.written_within(topology.WORKER_EXPIRY_SECONDS)

    def offering(self, engine: str, model: str) -> list[WorkerRecord]:
        """The live workers with this engine and model."""
        return [record for record in self.alive() if record.engine == engine and record.model == model]


@asynccontextmanager
async def open_worker_directory(bus: Bus) -> AsyncIterator[WorkerDirectory]:
    """A directory that is complete and follows the changes."""
    async with open_mirror(RecordStore(bus, topology.WORKERS_BUCKET, WorkerRecord)) as mirror:
        yield WorkerDirectory(mirror)
