"""Removing the data of a job besides its recording: its parts, event log, transcripts and task messages."""

from collections.abc import Callable
from typing import Protocol

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro_core.blobs.interface import BlobStore
from tiro_core.blobs.keys import parts_key, transcripts_key, upload_key
from tiro_core.jobs import transitions
from tiro_core.leases.notifications import notify_owner
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Unreadable
from tiro_core.messaging.operations import purge
from tiro_core.messaging.records import RecordStore, Stored

log = get_logger()


async def purge_job_data(bus: Bus, blobs: BlobStore, tenant: str, job: str) -> None:
    """Remove the event log, transcripts and task messages of a job. A writer of the log is refused afterwards."""
    await purge(bus, topology.FETCHES, subjects.fetch(tenant, job))
    await _purge_messages(bus, tenant, job)
    await blobs.delete(transcripts_key(tenant, job))


async def _purge_messages(bus: Bus, tenant: str, job: str) -> None:
    await purge(bus, topology.TASKS, subjects.tasks_of_job(tenant, job))
    await purge(bus, topology.JOB_EVENTS, subjects.job_events(tenant, job))
    await purge(bus, topology.DEAD, subjects.dead(tenant, job))


class ChangesRecords(Protocol):
    """A store of job records."""

    async def mutate(self, key: str, change: Callable[[TranscriptionRecord], None]) -> Stored[TranscriptionRecord]:
        """Change a record; see `RecordStore.mutate`."""


async def mark_for_deletion(bus: Bus, records: ChangesRecords, key: str) -> TranscriptionRecord:
    """Mark a job or a part: no caller finds it and no worker continues it from then on. Its owner is notified.

    Args:
        bus: The connection.
        records: The store of its record.
        key: The key of its record.

    Raises:
        KeyError: There is no such record.
    """
    owner = ""

    def mark(record: TranscriptionRecord) -> None:
        nonlocal owner
        owner = record.lease.worker_id
        transitions.mark_for_deletion(record)

    record = (await records.mutate(key, mark)).value
    if owner:
        await notify_owner(bus, owner, key)
    return record


async def remove_parts(bus: Bus, blobs: BlobStore, tenant: str, job: str) -> None:
    """Remove the parts of a job, with their audio and transcripts. Workers lose the parts that they are transcribing.

    The blobs of all parts are deleted together, also of parts that have no record.
    """
    records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
    marked: list[str] = []
    for key in await records.keys(f"{tenant}.{job}"):
        try:
            await mark_for_deletion(bus, records, key)
        except KeyError:  # removed before
            continue
        except Unreadable as error:  # no worker can have it
            log.warning("unreadable_part_removed", reason=str(error))
        await _purge_messages(bus, tenant, key.removeprefix(f"{tenant}."))
        marked.append(key)
    await blobs.delete(parts_key(tenant, job))
    for key in marked:
        await records.delete(key)


async def remove_part(bus: Bus, blobs: BlobStore, part: TranscriptionRecord) -> None:
    """Remove a part that is marked for deletion."""
    await _purge_messages(bus, part.tenant, part.transcription_id)
    await blobs.delete(transcripts_key(part.tenant, part.transcription_id))
    await blobs.delete(upload_key(part.tenant, part.transcription_id))
    await RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord).delete(f"{part.tenant}.{part.transcription_id}")
