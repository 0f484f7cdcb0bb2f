"""The registration of this worker: a record of its capabilities and load, which it renews while it is alive."""

import asyncio
import socket
from collections.abc import Callable

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro_core.clock import now
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import MessagingError
from tiro_core.messaging.records import RecordStore
from tiro_engines.interface import Capability, Engine
from tiro_transcriber.pipeline.stage_types import stage_features

INTERVAL_SECONDS = topology.WORKER_EXPIRY_SECONDS / 5

log = get_logger()


def describe(worker_id: str, engine: Engine, *, job_slots: int, session_slots: int) -> WorkerRecord:
    """The record of a worker with this engine.

    Args:
        worker_id: The id of the worker.
        engine: The loaded engine.
        job_slots: The number of jobs that it may take at once, 0 for none.
        session_slots: The number of live sessions that it may take at once, 0 for none.
    """
    can = engine.capabilities
    features = set(can.features | stage_features())
    if not job_slots:
        features.discard(Capability.CAPABILITY_BATCH)
    if not session_slots:
        features.discard(Capability.CAPABILITY_LIVE)
    return WorkerRecord(
        worker_id=worker_id,
        host_name=socket.gethostname(),
        engine=engine.model.engine,
        model=engine.model.model,
        model_digest=engine.model.digest,
        language_codes=sorted(can.languages),
        capabilities=sorted(features),
        regions=sorted(can.regions),
        job_slots=job_slots if Capability.CAPABILITY_BATCH in features else 0,
        session_slots=session_slots if Capability.CAPABILITY_LIVE in features else 0,
        cloud=can.cloud,
        start_time=now(),
    )


class Registration:
    """The record of this worker in the bucket of live workers. It expires when it is not renewed."""

    def __init__(self, bus: Bus, record: WorkerRecord, describe_load: Callable[[WorkerRecord], None]) -> None:
        """`describe_load` writes the present load into the record."""
        self._store = RecordStore(bus, topology.WORKERS_BUCKET, WorkerRecord)
        self._record = record
        self._describe_load = describe_load
        self._changed = asyncio.Event()
        self.known = asyncio.Event()
        """Set once the record is written, so that other services know this worker."""

    def load_changed(self) -> None:
        """Write the record now rather than at the next renewal, because the load has changed."""
        self._changed.set()

    async def keep(self) -> None:
        """Renew the record until cancelled."""
        while True:
            self._changed.clear()
            self._describe_load(self._record)
            try:
                await self._store.put(self._record.worker_id, self._record)
            except MessagingError as error:
                log.warning("registration_late", error=str(error))
            else:
                self.known.set()
            try:
                async with asyncio.timeout(INTERVAL_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def end(self) -> None:
        """Delete the record: this worker takes no more work."""
        await self._store.delete(self._record.worker_id)
