"""The reconciler: attempted jobs without a task message are enqueued again."""

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
"""An engine without workers. The model is the tenant's name, so that each test has its own queue."""
QUEUED = Transcription.STATE_QUEUED
RUNNING = Transcription.STATE_RUNNING


async def _store(bus: Bus, tenant: str, state: Transcription.State.ValueType, lease_seconds: float = 0) -> str:
    """Store a job with an attempt and without a task message."""
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


async def test_jobs_without_a_task_message_are_enqueued(start_ingest: StartIngest, bus: Bus, tenant: str) -> None:
    """Jobs that wait for an attempt, from before or after the start of ingest, and jobs of lost workers are enqueued.

    Running and ended jobs are not.
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
