"""Telling the others that this worker is alive, what it can do, and how busy it is."""

import asyncio
import socket
from collections.abc import Callable

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.transcription.v1 import engine_pb2 as contract
from tiro_core.clock import now
from tiro_core.logs import get_logger
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import MessagingError
from tiro_core.messaging.records import RecordStore
from tiro_engines.interface import Capabilities, Engine

INTERVAL_SECONDS = topology.WORKER_EXPIRY_SECONDS / 5

log = get_logger()


def describe(worker_id: str, engine: Engine, *, job_slots: int, session_slots: int) -> WorkerRecord:
    """What a worker with this engine can do."""
    can = engine.capabilities
    return WorkerRecord(
        worker_id=worker_id,
        host_name=socket.gethostname(),
        engine=engine.model.engine,
        model=engine.model.model,
        model_digest=engine.model.digest,
        language_codes=sorted(can.languages),
        detects_language=can.detects_language,
        translates=can.translates,
        word_time_offsets=can.word_timestamps,
        capabilities=_capabilities(can),
        regions=sorted(can.regions),
        job_slots=job_slots if can.batch else 0,
        session_slots=session_slots if can.live else 0,
        cloud=can.cloud,
        start_time=now(),
    )


def _capabilities(can: Capabilities) -> list["contract.Engine.Capability.ValueType"]:
    """Those that have no field of their own."""
    has = {
        contract.Engine.CAPABILITY_HOTWORDS: can.hotwords,
        contract.Engine.CAPABILITY_INITIAL_PROMPT: can.initial_prompt,
        contract.Engine.CAPABILITY_TEMPERATURE: can.temperature,
        contract.Engine.CAPABILITY_BEAM_SIZE: can.beam_size,
        contract.Engine.CAPABILITY_VOICE_ACTIVITY_FILTER: can.voice_activity_filter,
    }
    return [capability for capability, able in has.items() if able]


class Registration:
    """This worker's record among the live ones. It expires when it is not renewed."""

    def __init__(self, bus: Bus, record: WorkerRecord, describe_load: Callable[[WorkerRecord], None]) -> None:
        """`describe_load` writes into the record what is under way."""
        self._store = RecordStore(bus, topology.WORKERS_BUCKET, WorkerRecord)
        self._record = record
        self._describe_load = describe_load
        self._changed = asyncio.Event()
        self.known = asyncio.Event()
        """Set once the others can know of this worker."""

    def load_changed(self) -> None:
        """Something that others go by has changed: tell it now rather than at the next renewal."""
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
        """Say that this worker takes nothing any more."""
        await self._store.delete(self._record.worker_id)
