"""Moving jobs to the archive once they are over and settled."""

import asyncio
import time

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro_core.blobs.interface import BlobStore
from tiro_core.jobs.records import JobRecords, is_settled
from tiro_core.jobs.removal import remove_parts
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Unreadable
from tiro_ingest.jobs.due_keys import DueKeys
from tiro_ingest.jobs.expiry_entries import ExpiryEntries

SETTLE_SECONDS = 60.0
"""How long a job stays in the bucket of open jobs after its end, for work on it that is still under way."""
INTERVAL_SECONDS = 1.0
MOVES_AT_ONCE = 16

log = get_logger()


class JobArchiver:
    """Moves settled jobs to the archive. Several may run at once, one in each ingest service."""

    def __init__(self, bus: Bus, blobs: BlobStore, records: JobRecords, entries: ExpiryEntries) -> None:
        self._bus = bus
        self._blobs = blobs
        self._records = records
        self._entries = entries
        self._due = DueKeys()

    def on_change(self, key: str, record: TranscriptionRecord | None) -> None:
        """Note that a job was written or deleted (`record` is None)."""
        if record is not None and is_settled(record):
            self._due.schedule(key, record.end_time.ToNanoseconds() + round(SETTLE_SECONDS * 1e9))
        else:
            self._due.discard(key)

    async def run(self) -> None:
        """Move jobs when they are due, until cancelled."""
        while True:
            await self.sweep()
            await asyncio.sleep(INTERVAL_SECONDS)

    async def sweep(self) -> None:
        """Move the jobs that are due now.

        Raises:
            MessagingError: A job could not be moved. It is tried again with the next sweep.
        """
        due = list(self._due.take_due(time.time_ns()))
        for first in range(0, len(due), MOVES_AT_ONCE):
            some = due[first : first + MOVES_AT_ONCE]
            try:
                await asyncio.gather(*(self.move(key) for key in some))
            except Exception:
                for key in due[first:]:
                    self._due.schedule(key, time.time_ns())
                raise

    async def move(self, key: str) -> None:
        """Move a job, if it is settled. One whose records cannot be read stays: a write to it has it tried again."""
        try:
            await self._move(key)
        except Unreadable as error:
            log.warning("job_not_archived", key=key, reason=str(error))

    async def _move(self, key: str) -> None:
        """Move a job, if it is settled: first its parts are removed, then its expiry entry is added."""
        stored = await self._records.open.get(key)
        if stored is None or not is_settled(stored.value):
            return
        record = stored.value
        if record.split:
            await remove_parts(self._bus, self._blobs, record.tenant, record.transcription_id)
        await self._entries.add_next(record)
        if await self._records.move_to_archive(key):
            log.debug("job_archived", tenant=record.tenant, job=record.transcription_id)
