"""Removing jobs and recordings that have expired, and finishing removals that a crash has interrupted."""

import asyncio
import time

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro_core.blobs.interface import StorageUnavailable
from tiro_core.clock import after, seconds_until
from tiro_core.errors import TiroError
from tiro_core.jobs.records import JobRecords
from tiro_core.jobs.states import TERMINAL
from tiro_core.jobs.time_buckets import NARROW_SECONDS, present_moment
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.errors import MessagingError, Unreadable
from tiro_ingest.jobs.due_keys import DueKeys
from tiro_ingest.jobs.expiry_entries import WIDEST, ExpiryEntries, next_due_seconds, widest_bucket
from tiro_ingest.retention.remover import Remover

INTERVAL_SECONDS = 1.0
"""How often due jobs of the open ones are removed, and how soon a removal that failed is tried again."""
ARCHIVE_INTERVAL_SECONDS = 10.0
"""The same for jobs in the archive, whose entries are found about a minute after they are due."""
LOOK_BACK_SECONDS = 400 * 24 * 3600.0
"""A service that starts searches for entries that were due in this time: longer than any job is kept."""

log = get_logger()


class Expiry:
    """Removes jobs that are due, of those that are over and not yet in the archive.

    Several may run at once, one in each ingest service. A scheduled time is a hint: the record decides.
    """

    def __init__(self, records: JobRecords, remover: Remover) -> None:
        self._records = records
        self._remover = remover
        self._due = DueKeys()

    def on_change(self, key: str, record: TranscriptionRecord | None) -> None:
        """Note that a job was written or deleted (`record` is None)."""
        due_ns = None if record is None else _due_ns(record)
        if due_ns is None:
            self._due.discard(key)
        else:
            self._due.schedule(key, due_ns)

    async def run(self) -> None:
        """Remove jobs and recordings when they are due, until cancelled."""
        while True:
            await self.sweep()
            await asyncio.sleep(INTERVAL_SECONDS)

    async def sweep(self) -> None:
        """Remove the jobs and recordings that are due now."""
        for key in list(self._due.take_due(time.time_ns())):
            try:
                await remove_due(self._records, self._remover, key)
            except Unreadable as error:  # a record that an operator writes is due again
                log.warning("removal_not_possible", key=key, reason=str(error))
            except (MessagingError, StorageUnavailable) as error:
                log.warning("removal_failed", key=key, error=repr(error), again_in_seconds=INTERVAL_SECONDS)
                self._due.schedule(key, time.time_ns())


class ArchiveExpiry:
    """Removes archived jobs by their expiry entries. Several may run at once, one in each ingest service."""

    def __init__(self, records: JobRecords, remover: Remover, entries: ExpiryEntries) -> None:
        self._records = records
        self._remover = remover
        self._entries = entries
        oldest = max(0, present_moment() - round(LOOK_BACK_SECONDS / NARROW_SECONDS))
        self._next = oldest // WIDEST * WIDEST
        """The first moment that may have entries left. It begins a longest bucket, so that few buckets are read."""

    async def run(self) -> None:
        """Remove jobs and recordings when they are due, until cancelled."""
        while True:
            await self.sweep()
            await asyncio.sleep(ARCHIVE_INTERVAL_SECONDS)

    async def sweep(self) -> None:
        """Remove the jobs that are due, bucket by bucket: the longest ones whose time has passed.

        Raises:
            MessagingError, StorageUnavailable: The next sweep continues.
        """
        now = present_moment()
        while self._next <= now:
            bucket, length = widest_bucket(self._next, now)
            async for entry in self._entries.due_in(bucket):
                await self._apply(entry)
            if self._next == now:  # entries may still be added to this bucket
                return
            self._next += length

    async def _apply(self, entry: str) -> None:
        tenant, job = entry.split(".")[-2:]
        try:
            record = await remove_due(self._records, self._remover, f"{tenant}.{job}", has_entry=True)
        except Unreadable as error:  # its entry stays, and is tried again by the next service that starts
            log.warning("removal_not_possible", key=f"{tenant}.{job}", reason=str(error))
            return
        if record is not None:
            await self._entries.add_next(record)
        await self._entries.remove(entry)


async def remove_due(
    records: JobRecords, remover: Remover, key: str, *, has_entry: bool = False
) -> TranscriptionRecord | None:
    """Remove a job, or its recording, if that is due. Returns the job's record; None where the job is removed.

    Raises:
        MessagingError, StorageUnavailable: The removal failed.
    """
    stored = await records.get(key)
    if stored is None:
        return None
    record = stored.value
    try:
        if _is_job_due(record):
            await remover.remove_job(record.tenant, record.transcription_id, has_entry=has_entry)
            return None
        if _is_audio_due(record):
            return await remover.remove_audio(record.tenant, record.transcription_id, has_entry=has_entry)
    except TiroError as error:
        log.debug("removed_already", key=key, error=str(error))
        return None
    return record


def _due_ns(record: TranscriptionRecord) -> int | None:
    """The due time of a job, in nanoseconds of Unix time. None: in its present state it is never due."""
    if record.removing:
        return 0
    if record.shadow_of:
        return after(record.create_time, record.ttl).ToNanoseconds()
    if record.HasField("part"):
        return None  # a part is kept while its job is open
    due_seconds = next_due_seconds(record) if record.state in TERMINAL else None
    return None if due_seconds is None else round(due_seconds * 1e9)


def _is_job_due(record: TranscriptionRecord) -> bool:
    """Whether a job is to be removed, or is being removed."""
    if record.shadow_of and seconds_until(after(record.create_time, record.ttl)) <= 0:
        return True  # in any state: it keeps a recording, and no caller waits for it
    is_expired = record.HasField("expire_time") and seconds_until(record.expire_time) <= 0
    return record.removing or (is_expired and not record.HasField("part"))


def _is_audio_due(record: TranscriptionRecord) -> bool:
    """Whether a job's recording is to be removed."""
    due = record.HasField("audio_expire_time") and seconds_until(record.audio_expire_time) <= 0
    return due and not record.audio_deleted
