"""Cancellation of jobs."""

import grpc
import pytest

from tests.integration.ingest.calls import begin, cancel
from tests.integration.ingest.conftest import Ingest, refused
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import WatchTranscriptionRequest
from tiro_core.jobs.states import enter
from tiro_core.leases.notifications import open_owner_notifications
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.event_log import Fenced
from tiro_core.messaging.records import RecordStore

CANCELLED = Transcription.STATE_CANCELLED


async def watch(ingest: Ingest, name: str) -> list[Transcription.State.ValueType]:
    """The states that a watch returns, to the end."""
    call = ingest.jobs.WatchTranscription(WatchTranscriptionRequest(name=name), **ingest.options)
    return [event.state_changed.state async for event in call if event.HasField("state_changed")]


async def test_a_waiting_job_is_cancelled(ingest: Ingest, speech: bytes) -> None:
    """A waiting job is CANCELLED at once, with an end and an expiry time, and its watchers get the state."""
    job = await ingest.transcribe(content=speech)
    cancelled = await cancel(ingest, job.name)
    assert cancelled.state == CANCELLED
    assert cancelled.HasField("end_time")
    assert cancelled.expire_time.ToNanoseconds() > cancelled.end_time.ToNanoseconds()
    assert await watch(ingest, job.name) == [Transcription.STATE_QUEUED, CANCELLED]


async def test_a_running_job_is_cancelled(ingest: Ingest, bus: Bus, tenant: str, speech: bytes) -> None:
    """The worker of a cancelled job is notified, and its writes are Fenced."""
    job = await ingest.transcribe(content=speech)
    async with open_owner_notifications(bus, "worker-1") as notifications:
        with notifications.of(subjects.record(tenant, job.name.removeprefix("transcriptions/"))) as notified:
            history = await begin(bus, tenant, job.name, "worker-1")
            cancelled = await cancel(ingest, job.name)
            await notified.wait()
    assert cancelled.attempts[0].HasField("end_time")
    with pytest.raises(Fenced):
        await history.append_progress(1.0)
    assert await watch(ingest, job.name) == [Transcription.STATE_QUEUED, Transcription.STATE_RUNNING, CANCELLED]


async def test_cancellations_that_are_refused(ingest: Ingest, stranger: Ingest, speech: bytes) -> None:
    """An ended job, a missing one and another tenant's cannot be cancelled."""
    job = await ingest.transcribe(content=speech)
    async with refused(grpc.StatusCode.NOT_FOUND, "TRANSCRIPTION_NOT_FOUND"):
        await cancel(stranger, job.name)
    await cancel(ingest, job.name)
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "TRANSCRIPTION_ENDED"):
        await cancel(ingest, job.name)
    async with refused(grpc.StatusCode.NOT_FOUND, "TRANSCRIPTION_NOT_FOUND"):
        await cancel(ingest, "transcriptions/00000000-0000-0000-0000-000000000000")


async def test_a_cancellation_without_its_event_is_watched(
    ingest: Ingest, bus: Bus, tenant: str, speech: bytes
) -> None:
    """A watch returns CANCELLED from the record if the service died before it wrote the event."""
    job = await ingest.transcribe(content=speech)
    records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
    key = subjects.record(tenant, job.name.removeprefix("transcriptions/"))
    await records.mutate(key, lambda record: enter(record, CANCELLED))
    assert await watch(ingest, job.name) == [Transcription.STATE_QUEUED, CANCELLED]
