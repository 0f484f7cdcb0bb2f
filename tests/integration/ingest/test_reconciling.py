"""Jobs that were begun, and whose hint was lost, are offered again."""

import pytest
from nats.errors import TimeoutError as NatsTimeoutError

from tests.integration.ingest.conftest import StartIngest
from tiro.events.v1.transcription_pb2 import TranscriptionRecord, TranscriptionTask
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.ids import new_id
from tiro_core.leases.owned_record import new_lease
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore

ENGINE = "none"
"""An engine without workers; the tenant's name is the model, so that no other test's jobs are met."""
QUEUED = Transcription.STATE_QUEUED
RUNNING = Transcription.STATE_RUNNING


async def _store(bus: Bus, tenant: str, state: Transcription.State.ValueType, lease_seconds: float = 0) -> str:
    """A job that was begun, and of which nobody tells a worker."""
    job = new_id()
    record = TranscriptionRecord(
        tenant=tenant,
        transcription_id=job,
        state=state,
        config=RecognitionConfig(engine=ENGINE, model=tenant),
        attempts=[Transcription.Attempt(worker_id="worker")],
    )
    if lease_seconds:
        record.lease.CopyFrom(new_lease("worker", lease_seconds))
    await RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord).create(subjects.record(tenant, job), record)
    return job


async def test_jobs_without_a_hint_are_offered(start_ingest: StartIngest, bus: Bus, tenant: str) -> None:
    """What waits for its next attempt, before or after ingest has started, and what a lost worker left.

    Not what runs or is over.
    """
    waits = await _store(bus, tenant, QUEUED)
    lost = await _store(bus, tenant, RUNNING, lease_seconds=-1)
    await _store(bus, tenant, RUNNING, lease_seconds=60)
    await _store(bus, tenant, Transcription.STATE_SUCCEEDED)
    await start_ingest(reconcile_seconds=0.2)
    later = await _store(bus, tenant, QUEUED)
    consumer = await topology.ensure_task_consumer(bus, ENGINE, tenant)
    taking = await bus.jetstream.pull_subscribe_bind(consumer, topology.TASKS)
    offered = [TranscriptionTask.FromString((await taking.fetch(1, timeout=20))[0].data) for _ in range(3)]
    assert {task.transcription_id for task in offered} == {waits, lost, later}
    with pytest.raises(NatsTimeoutError):
        await taking.fetch(1, timeout=1)
