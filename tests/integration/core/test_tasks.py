"""Task messages on a real NATS server: at most one for each record."""

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.ids import new_id
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.queues.tasks import enqueue_job

LANE = Transcription.LANE_STANDARD


def job(tenant: str) -> TranscriptionRecord:
    """A job for a model that no worker of these tests has."""
    config = RecognitionConfig(engine="tasks", model=tenant)
    return TranscriptionRecord(tenant=tenant, transcription_id=new_id(), config=config, lane=LANE)


async def task_messages(bus: Bus, tenant: str) -> int:
    """The number of task messages of a tenant."""
    every = subjects.task("tasks", tenant, LANE, tenant, "*")
    info = await bus.jetstream.stream_info(topology.TASKS, subjects_filter=every)
    return sum((info.state.subjects or {}).values())


async def test_a_job_is_enqueued_once(bus: Bus, tenant: str) -> None:
    """A second enqueue of a job returns False, and adds no message."""
    first, second = job(tenant), job(tenant)
    assert [await enqueue_job(bus, record) for record in (first, first, second)] == [True, False, True]
    assert await task_messages(bus, tenant) == 2


async def test_a_delivered_message_prevents_another_one(bus: Bus, tenant: str) -> None:
    """A job is not enqueued again while its message is delivered but not settled. Once settled, it is."""
    record = job(tenant)
    await enqueue_job(bus, record)
    consumer = await topology.ensure_task_consumer(bus, "tasks", tenant)
    taking = await bus.jetstream.pull_subscribe_bind(consumer, topology.TASKS)
    [message] = await taking.fetch(1)
    assert not await enqueue_job(bus, record)
    await message.ack_sync()
    assert await enqueue_job(bus, record)
