"""Task messages: hints that a record needs a worker. A queue has at most one for a record; a second one is refused."""

from tiro.events.v1.live_pb2 import SessionRecord, SessionTask
from tiro.events.v1.transcription_pb2 import TranscriptionRecord, TranscriptionTask
from tiro_core.messaging import subjects
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Limit, StreamFull
from tiro_core.messaging.publishing import publish


async def enqueue_job(bus: Bus, record: TranscriptionRecord) -> bool:
    """Enqueue a job for the workers of its engine and model.

    Returns:
        Whether it was not enqueued already.

    Raises:
        StreamFull: The queue is full.
        BusUnavailable: NATS did not answer.
    """
    task = TranscriptionTask(tenant=record.tenant, transcription_id=record.transcription_id)
    config = record.config
    subject = subjects.task(config.engine, config.model, record.lane, record.tenant, record.transcription_id)
    return await enqueue(bus, subject, task.SerializeToString())


async def enqueue_session(bus: Bus, record: SessionRecord) -> bool:
    """Enqueue a live session for the workers of its engine and model.

    Returns:
        Whether it was not enqueued already.

    Raises:
        StreamFull: The queue is full.
        BusUnavailable: NATS did not answer.
    """
    task = SessionTask(tenant=record.tenant, session_id=record.session_id)
    config = record.recognition
    subject = subjects.session(config.engine, config.model, record.tenant, record.session_id)
    return await enqueue(bus, subject, task.SerializeToString())


async def enqueue(bus: Bus, subject: str, payload: bytes) -> bool:
    """Put a task message on a subject of its own in a work queue.

    Returns:
        Whether there was none on this subject.

    Raises:
        StreamFull: The queue is full.
        BusUnavailable: NATS did not answer.
    """
    try:
        await publish(bus, subject, payload)
    except StreamFull as full:
        if full.limit is not Limit.SUBJECT:
            raise
        return False
    return True
