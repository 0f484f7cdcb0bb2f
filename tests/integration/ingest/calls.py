"""Calls that several test modules make, and the start of a job as a worker does it."""

from tests.integration.ingest.conftest import Ingest
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import (
    CancelTranscriptionRequest,
    DeleteAudioRequest,
    DeleteTranscriptionRequest,
    GetTranscriptionRequest,
)
from tiro_core.clock import now
from tiro_core.jobs.event_log import JobEventLog
from tiro_core.jobs.states import enter
from tiro_core.leases.owned_record import new_lease
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore


async def get(ingest: Ingest, name: str) -> Transcription:
    """Read a job."""
    job: Transcription = await ingest.jobs.GetTranscription(GetTranscriptionRequest(name=name), **ingest.options)
    return job


async def cancel(ingest: Ingest, name: str) -> Transcription:
    """Cancel a job."""
    job: Transcription = await ingest.jobs.CancelTranscription(CancelTranscriptionRequest(name=name), **ingest.options)
    return job


async def delete(ingest: Ingest, name: str) -> None:
    """Delete a job."""
    await ingest.jobs.DeleteTranscription(DeleteTranscriptionRequest(name=name), **ingest.options)


async def delete_audio(ingest: Ingest, name: str) -> Transcription:
    """Delete a job's recording."""
    job: Transcription = await ingest.jobs.DeleteAudio(DeleteAudioRequest(name=name), **ingest.options)
    return job


async def begin(bus: Bus, tenant: str, name: str, worker_id: str) -> JobEventLog:
    """Start a job as a worker does, and return its event log."""
    job = name.removeprefix("transcriptions/")

    def claim(record: TranscriptionRecord) -> None:
        enter(record, Transcription.STATE_RUNNING)
        record.epoch += 1
        record.lease.CopyFrom(new_lease(worker_id, 60))
        record.attempts.append(Transcription.Attempt(worker_id=worker_id, start_time=now()))

    records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
    stored = await records.mutate(subjects.record(tenant, job), claim)
    history = JobEventLog(bus, tenant, job)
    await history.take_over(stored.value)
    return history
