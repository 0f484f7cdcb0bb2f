"""Hints that a record wants a worker. There is one a record at most; giving it again does nothing."""

from tiro.events.v1.live_pb2 import SessionRecord, SessionTask
from tiro.events.v1.transcription_pb2 import TranscriptionRecord, TranscriptionTask
from tiro_core.messaging import subjects
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.publishing import StreamFull, publish


async def enqueue_job(bus: Bus, record: TranscriptionRecord) -> bool:
    """Offer a job to the workers of its engine and model.

    Returns:
        Whether it was not on offer already.

    Raises:
        StreamFull: The queue is full.
        BusUnavailable: NATS stayed away.
    """
    task = TranscriptionTask(tenant=record.tenant, transcription_id=record.transcription_id)
    config = record.config
    subject = subjects.task(config.engine, config.model, record.lane, record.tenant, record.transcription_id)
    return await offer(bus, subject, task.SerializeToString())


async def enqueue_session(bus: Bus, record: SessionRecord) -> bool:
    """Offer a live session to the workers of its engine and model.

    Returns:
        Whether it was not on offer already.

    Raises:
        StreamFull: The queue is full.
        BusUnavailable: NATS stayed away.
    """
    task = SessionTask(tenant=record.tenant, session_id=record.session_id)
    config = record.recognition
    subject = subjects.session(config.engine, config.model, record.tenant, record.session_id)
    return await offer(bus, subject, task.SerializeToString())


async def offer(bus: Bus, subject: str, payload: bytes) -> bool:
    """Put work on a subject of its own in a work queue.

    Returns:
        Whether it was not on offer already.

    Raises:
        StreamFull: The queue is full.
        BusUnavailable: NATS stayed away.
    """
    try:
        await publish(bus, subject, payload)
    except StreamFull as full:
        if "per subject" not in str(full):
            raise
        return False
    return True
