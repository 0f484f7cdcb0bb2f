"""The dispatcher: jobs are enqueued as slots are free, in a fair order."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from nats.aio.msg import Msg
from prometheus_client import REGISTRY

from tests.integration.ingest.calls import cancel
from tests.integration.ingest.conftest import DEADLINE_SECONDS, Ingest, StartIngest, detail, refused
from tiro.events.v1.transcription_pb2 import TranscriptionRecord, TranscriptionTask
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.clock import now
from tiro_core.jobs.states import IllegalTransition, enter
from tiro_core.leases.owned_record import new_lease
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore

WORKER = "worker-1"


@dataclass
class Worker:
    """A worker for the test's own engine."""

    bus: Bus
    engine: str

    async def register(self, job_slots: int = 1) -> None:
        """Write its record, which lasts as long as a test."""
        record = WorkerRecord(
            worker_id=WORKER, engine=self.engine, model=self.engine, language_codes=["en"], job_slots=job_slots
        )
        await RecordStore(self.bus, topology.WORKERS_BUCKET, WorkerRecord).put(WORKER, record)

    async def waiting(self) -> int:
        """The number of task messages in the queue."""
        every = subjects.tasks_of(self.engine, self.engine)
        info = await self.bus.jetstream.stream_info(topology.TASKS, subjects_filter=every)
        return len(info.state.subjects or {})

    async def fetch(self) -> tuple[Msg, str]:
        """Fetch the next task message. Return it with the job's key."""
        consumer = await topology.ensure_task_consumer(self.bus, self.engine, self.engine)
        taking = await self.bus.jetstream.pull_subscribe_bind(consumer, topology.TASKS)
        [message] = await taking.fetch(1, timeout=DEADLINE_SECONDS)
        await taking.unsubscribe()
        task = TranscriptionTask.FromString(message.data)
        return message, subjects.record(task.tenant, task.transcription_id)

    async def take(self) -> tuple[Msg, str]:
        """Claim the next job that is not ended. Return its message and key."""
        while True:
            message, key = await self.fetch()
            try:
                await self._change(key, self._begin)
            except IllegalTransition:
                await message.ack_sync()
            else:
                return message, key

    async def finish(self, message: Msg, key: str) -> None:
        """Commit a job, and settle its message."""
        await self._change(key, lambda record: enter(record, Transcription.STATE_SUCCEEDED))
        await message.ack_sync()

    def _begin(self, record: TranscriptionRecord) -> None:
        enter(record, Transcription.STATE_RUNNING)
        record.epoch += 1
        record.lease.CopyFrom(new_lease(WORKER, 60))
        record.attempts.append(Transcription.Attempt(worker_id=WORKER, start_time=now()))

    async def _change(self, key: str, change: Callable[[TranscriptionRecord], None]) -> None:
        await RecordStore(self.bus, topology.JOBS_BUCKET, TranscriptionRecord).mutate(key, change)


@pytest.fixture
async def worker(bus: Bus, tenant: str) -> Worker:
    """A registered worker."""
    worker = Worker(bus, tenant)
    await worker.register()
    return worker


async def submit(ingest: Ingest, worker: Worker, speech: bytes, **fields: Any) -> str:
    """Submit a job for the worker, and return its id."""
    config = {"engine": worker.engine, "model": worker.engine}
    job = await ingest.transcribe(content=speech, config=config, **fields)
    return job.name.removeprefix("transcriptions/")


async def test_one_job_is_enqueued_for_each_free_slot(ingest: Ingest, worker: Worker, speech: bytes) -> None:
    """Other jobs wait until one has ended, and are then enqueued in the order of creation."""
    submitted = [await submit(ingest, worker, speech) for _ in range(3)]
    taken = []
    for _ in submitted:
        message, key = await worker.take()
        taken.append(key.partition(".")[2])
        assert await worker.waiting() == 1, "only the claimed job may have a message"
        await worker.finish(message, key)
    assert taken == submitted


async def test_the_metric_counts_waiting_jobs(ingest: Ingest, worker: Worker, speech: bytes) -> None:
    """The metric for scaling counts jobs without a free slot, and is 0 once all are claimed."""
    for _ in range(3):
        await submit(ingest, worker, speech)
    message, key = await worker.take()
    assert _waiting_metric(worker) == 2
    await worker.finish(message, key)
    message, key = await worker.take()
    await worker.finish(message, key)
    await worker.take()
    assert _waiting_metric(worker) == 0


def _waiting_metric(worker: Worker) -> float | None:
    labels = {"engine": worker.engine, "model": worker.engine}
    return REGISTRY.get_sample_value("tiro_ingest_jobs_waiting", labels)


async def test_tenants_and_lanes_are_served_fairly(
    ingest: Ingest, stranger: Ingest, worker: Worker, speech: bytes
) -> None:
    """An interactive job is first, then the job of the tenant with fewer jobs under way."""
    many = [await submit(ingest, worker, speech) for _ in range(4)]
    message, key = await worker.take()
    theirs = await submit(stranger, worker, speech)
    urgent = await submit(ingest, worker, speech, lane=Transcription.LANE_INTERACTIVE)
    await submit(ingest, worker, speech, lane=Transcription.LANE_DEFERRED)
    order = []
    for _ in range(3):
        await worker.finish(message, key)
        message, key = await worker.take()
        order.append(key.partition(".")[2])
    assert order == [urgent, theirs, many[1]]


async def test_a_cancelled_job_releases_its_slot(ingest: Ingest, worker: Worker, speech: bytes) -> None:
    """When the enqueued job is cancelled, the next one is enqueued."""
    first, second = [await submit(ingest, worker, speech) for _ in range(2)]
    await cancel(ingest, f"transcriptions/{first}")
    _, key = await worker.take()
    assert key.partition(".")[2] == second


async def test_a_lost_task_message_is_enqueued_again(start_ingest: StartIngest, worker: Worker, speech: bytes) -> None:
    """A job whose task message is lost is enqueued again after some time."""
    ingest = await start_ingest(reconcile_seconds=0.2)
    job = await submit(ingest, worker, speech)
    await worker.fetch()
    await worker.bus.jetstream.purge_stream(topology.TASKS, subject=subjects.tasks_of(worker.engine, worker.engine))
    _, key = await worker.take()
    assert key.partition(".")[2] == job


async def test_jobs_that_waited_before_the_start_are_enqueued(
    start_ingest: StartIngest, worker: Worker, speech: bytes
) -> None:
    """Another ingest that starts finds waiting jobs in their records."""
    first = await start_ingest()
    await worker.register(job_slots=0)
    submitted = [await submit(first, worker, speech) for _ in range(2)]
    await start_ingest()
    await worker.register(job_slots=2)
    taken = {(await worker.take())[1].partition(".")[2] for _ in submitted}
    assert taken == set(submitted)


async def test_the_number_of_waiting_jobs_of_a_tenant_is_limited(
    start_ingest: StartIngest, worker: Worker, speech: bytes
) -> None:
    """Beyond the limit a job is refused with QUEUE_FULL and a retry delay."""
    ingest = await start_ingest(jobs_waiting_max=1)
    await submit(ingest, worker, speech)
    await worker.take()
    await submit(ingest, worker, speech)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL") as errors:
        await submit(ingest, worker, speech)
    assert detail(errors[0], error_details_pb2.RetryInfo).retry_delay.seconds > 0
