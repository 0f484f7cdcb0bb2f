"""What a job leaves besides its record and its recording: its history, its transcript, its hints."""

from tiro_core.blobs.interface import BlobStore
from tiro_core.blobs.keys import transcripts_key
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus


async def purge_job_data(bus: Bus, blobs: BlobStore, tenant: str, job: str) -> None:
    """Remove all that was written about a job, for good. Whoever still writes to its history is refused."""
    await bus.jetstream.purge_stream(topology.TASKS, subject=subjects.hints_of(tenant, job))
    await bus.jetstream.purge_stream(topology.FETCHES, subject=subjects.fetch(tenant, job))
    await bus.jetstream.purge_stream(topology.JOB_EVENTS, subject=subjects.job_events(tenant, job))
    await bus.jetstream.purge_stream(topology.DEAD, subject=subjects.dead(tenant, job))
    await blobs.delete(transcripts_key(tenant, job))
