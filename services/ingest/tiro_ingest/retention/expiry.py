"""Letting jobs and their recordings go when their time is over, and finishing removals that a crash left."""

import asyncio
import heapq
import time

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro_core.blobs.interface import StorageUnavailable
from tiro_core.clock import after, seconds_until
from tiro_core.errors import TiroError
from tiro_core.jobs.states import TERMINAL
from tiro_core.logs import get_logger
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import MessagingError
from tiro_core.messaging.records import RecordStore
from tiro_ingest.retention.remover import Remover

LOOK_SECONDS = 1.0
"""How often it is looked for what is due, and how soon what could not be removed is tried again."""

log = get_logger()


class Expiry:
    """Knows of every job that is over when it goes, and when its recording does, and sees to it.

    Several may run at once, one in each ingest service. A job is noted anew with each change, so what is noted is a
    hint: the record decides.
    """

    def __init__(self, bus: Bus, remover: Remover) -> None:
        self._records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
        self._remover = remover
        self._due: list[tuple[int, str]] = []

    def on_change(self, key: str, record: TranscriptionRecord | None) -> None:
        """A job was written, or deleted."""
        if record is not None and record.shadow_of:
            heapq.heappush(self._due, (after(record.create_time, record.ttl).ToNanoseconds(), key))
        if record is None or record.state not in TERMINAL:
            return
        if record.removing:
            heapq.heappush(self._due, (0, key))
            return
        heapq.heappush(self._due, (record.expire_time.ToNanoseconds(), key))
        if not record.audio_deleted:
            heapq.heappush(self._due, (record.audio_expire_time.ToNanoseconds(), key))

    async def run(self) -> None:
        """Let go what is due, until cancelled."""
        while True:
            await self.sweep()
            await asyncio.sleep(LOOK_SECONDS)

    async def sweep(self) -> None:
        """Let go what is due now."""
        now = time.time_ns()
        while self._due and self._due[0][0] <= now:
            key = heapq.heappop(self._due)[1]
            try:
                await self._let_go(key)
            except (MessagingError, StorageUnavailable) as error:
                log.warning("not_let_go", key=key, error=repr(error), again_in_seconds=LOOK_SECONDS)
                heapq.heappush(self._due, (time.time_ns(), key))
                return

    async def _let_go(self, key: str) -> None:
        stored = await self._records.get(key)
        if stored is None:
            return
        record = stored.value
        try:
            if _job_is_due(record):
                await self._remover.remove_job(record.tenant, record.transcription_id)
            elif _audio_is_due(record):
                await self._remover.remove_audio(record.tenant, record.transcription_id)
        except TiroError as error:
            log.debug("gone_already", key=key, error=str(error))


def _job_is_due(record: TranscriptionRecord) -> bool:
    """Whether a job is to go, or is on its way."""
    if record.shadow_of and seconds_until(after(record.create_time, record.ttl)) <= 0:
        return True  # whatever its state: it keeps a recording, and nobody waits for it
    return record.removing or (record.HasField("expire_time") and seconds_until(record.expire_time) <= 0)


def _audio_is_due(record: TranscriptionRecord) -> bool:
    """Whether a job is to let go of its recording."""
    due = record.HasField("audio_expire_time") and seconds_until(record.audio_expire_time) <= 0
    return due and not record.audio_deleted
