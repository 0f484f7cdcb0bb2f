"""Hints over a real NATS server: one a record, however often it is given."""

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
    config = RecognitionConfig(engine="hints", model=tenant)
    return TranscriptionRecord(tenant=tenant, transcription_id=new_id(), config=config, lane=LANE)


async def hints(bus: Bus, tenant: str) -> int:
    """How many hints there are for a tenant."""
    every = subjects.task("hints", tenant, LANE, tenant, "*")
    info = await bus.jetstream.stream_info(topology.TASKS, subjects_filter=every)
    return sum((info.state.subjects or {}).values())


async def test_a_job_is_on_offer_once(bus: Bus, tenant: str) -> None:
    """Offering again says that it is on offer already, and adds nothing."""
    first, second = job(tenant), job(tenant)
    assert [await enqueue_job(bus, record) for record in (first, first, second)] == [True, False, True]
    assert await hints(bus, tenant) == 2


async def test_a_job_in_a_workers_hands_is_on_offer_still(bus: Bus, tenant: str) -> None:
    """A message that a worker has taken and not settled keeps a second one away; once settled, there is room."""
    record = job(tenant)
    await enqueue_job(bus, record)
    consumer = await topology.ensure_task_consumer(bus, "hints", tenant)
    taking = await bus.jetstream.pull_subscribe_bind(consumer, topology.TASKS)
    [message] = await taking.fetch(1)
    assert not await enqueue_job(bus, record)
    await message.ack_sync()
    assert await enqueue_job(bus, record)
