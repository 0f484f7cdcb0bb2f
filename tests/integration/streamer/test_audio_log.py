"""The log that a session's audio takes into NATS."""

import asyncio

import pytest

from tests.integration.streamer.audio_log import BUFFER_BYTES, stored
from tiro.events.v1.live_pb2 import LiveInput, SessionRecord
from tiro_core.ids import new_id
from tiro_core.messaging import subjects
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.event_log import Fenced
from tiro_core.messaging.publishing import publish
from tiro_streamer.audio_log.writer import AudioLogWriter


@pytest.fixture
def record(tenant: str) -> SessionRecord:
    """A session."""
    return SessionRecord(tenant=tenant, session_id=new_id(), sample_rate_hertz=16_000)


@pytest.fixture
def audio_log(bus: Bus, record: SessionRecord) -> AudioLogWriter:
    """Its audio log, with nothing on it."""
    return AudioLogWriter(bus, record, buffer_bytes_max=BUFFER_BYTES, lead_seconds_max=60)


async def test_controls_keep_their_position(bus: Bus, record: SessionRecord, audio_log: AudioLogWriter) -> None:
    """Waiting audio is joined into one message, but not across a control."""
    await audio_log.write(b"\1\0" * 10)
    await audio_log.write(b"\2\0" * 10)
    await audio_log.finalize()
    await audio_log.write(b"\3\0" * 5)
    await audio_log.end()
    await audio_log.publish()
    found = await stored(bus, record)
    assert [(item.first_sample, item.WhichOneof("input")) for item in found] == [
        (0, "pcm16"),
        (20, "finalize"),
        (20, "pcm16"),
        (25, "end"),
    ]
    assert found[0].pcm16 == b"\1\0" * 10 + b"\2\0" * 10
    assert audio_log.position.samples == audio_log.accepted_samples == 25


async def test_a_full_buffer_makes_the_reader_wait(audio_log: AudioLogWriter) -> None:
    """While nothing can be stored, input up to the limit is read. Reading continues once there is space."""
    await audio_log.write(bytes(BUFFER_BYTES))
    waiting = asyncio.create_task(audio_log.write(bytes(2)))
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    assert not done
    publishing = asyncio.create_task(audio_log.publish())
    await waiting
    await audio_log.end()
    await publishing
    assert audio_log.position.samples == BUFFER_BYTES // 2 + 1


async def test_a_second_writer_is_refused(bus: Bus, record: SessionRecord, audio_log: AudioLogWriter) -> None:
    """A log on which another writer has written is not written to."""
    await publish(bus, subjects.live_audio(record.tenant, record.session_id), LiveInput().SerializeToString())
    await audio_log.write(bytes(2))
    with pytest.raises(Fenced):
        await audio_log.publish()
    assert len(await stored(bus, record)) == 1


async def test_a_cancelled_publisher_knows_the_end_of_the_log(bus: Bus, record: SessionRecord) -> None:
    """A message that is under way at the cancellation is stored and counted, and none follows it."""
    for turns in range(12):
        session = SessionRecord(tenant=record.tenant, session_id=new_id(), sample_rate_hertz=16_000)
        audio_log = AudioLogWriter(bus, session, buffer_bytes_max=BUFFER_BYTES, lead_seconds_max=60)
        await audio_log.write(bytes(20))
        publishing = asyncio.create_task(audio_log.publish())
        for _ in range(turns):
            await asyncio.sleep(0)
        publishing.cancel()
        await asyncio.wait([publishing])
        assert publishing.cancelled()
        await audio_log.write(bytes(20))
        await audio_log.settle()
        assert sum(len(item.pcm16) for item in await stored(bus, session)) == 2 * audio_log.position.samples
