"""Taking jobs and parts of jobs from their owners, and removing their records."""

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.blobs.interface import BlobStore
from tiro_core.blobs.keys import upload_key
from tiro_core.clock import now
from tiro_core.jobs.purge import purge_job_data
from tiro_core.jobs.states import TERMINAL, enter
from tiro_core.leases.notifications import notify_owner
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore


def withdraw(record: TranscriptionRecord) -> None:
    """Make a record CANCELLED, and take it from its owner."""
    if record.state == Transcription.STATE_RUNNING:
        record.attempts[-1].end_time.CopyFrom(now())
    enter(record, Transcription.STATE_CANCELLED)
    record.epoch += 1


async def mark_for_deletion(bus: Bus, key: str) -> TranscriptionRecord:
    """Mark a job, or a part of one, so that nobody finds it or goes on with it.

    Raises:
        KeyError: It is not there.
    """
    owner = ""

    def mark(record: TranscriptionRecord) -> None:
        nonlocal owner
        owner = record.lease.worker_id
        if record.state not in TERMINAL:
            withdraw(record)
        record.removing = True

    record = (await RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord).mutate(key, mark)).value
    if owner:
        await notify_owner(bus, owner, key)
    return record


async def remove_parts(bus: Bus, blobs: BlobStore, tenant: str, job: str) -> None:
    """Remove the parts of a job, with their audio and transcripts. Those under way are taken from their workers."""
    records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
    for key in await records.keys(f"{tenant}.{job}"):
        try:
            part = await mark_for_deletion(bus, key)
        except KeyError:  # removed before
            continue
        await remove_part(bus, blobs, part)


async def remove_part(bus: Bus, blobs: BlobStore, part: TranscriptionRecord) -> None:
    """Remove a part that is condemned."""
    await purge_job_data(bus, blobs, part.tenant, part.transcription_id)
    await blobs.delete(upload_key(part.tenant, part.transcription_id))
    await RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord).delete(f"{part.tenant}.{part.transcription_id}")
