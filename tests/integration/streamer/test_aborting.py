"""Connections that abort their session: only while they own it, and after all stored messages."""

import asyncio

import pytest

from tests.integration.streamer.audio_log import BUFFER_BYTES, stored
from tiro.events.v1.live_pb2 import LiveInput, SessionRecord
from tiro.streaming.v1.streaming_pb2 import UpdateConfig
from tiro_core.errors import reason_name
from tiro_core.ids import new_id
from tiro_core.leases.owned_record import new_lease
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.operations import StoredMessage
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer
from tiro_core.messaging.records import RecordStore
from tiro_streamer.audio_log.position import LogPosition, find_position
from tiro_streamer.audio_log.writer import AudioLogWriter
from tiro_streamer.errors import client_too_slow
from tiro_streamer.records.assignment import SessionAssignment
from tiro_streamer.session.abort import abort_session

FRAME = bytes(range(250)) * 4
FRAME_SAMPLES = len(FRAME) // 2
TOO_SLOW = client_too_slow(0.5)


@pytest.fixture
async def record(bus: Bus, tenant: str) -> SessionRecord:
    """A session with a worker."""
    record = SessionRecord(
        tenant=tenant,
        session_id=new_id(),
        state=SessionRecord.STATE_ACTIVE,
        lease=new_lease("a-worker", 30.0),
        sample_rate_hertz=16_000,
    )
    await sessions(bus).create(subjects.record(tenant, record.session_id), record)
    return record


def sessions(bus: Bus) -> RecordStore[SessionRecord]:
    """The records of sessions."""
    return RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)


def log_of(bus: Bus, record: SessionRecord, position: LogPosition | None = None) -> AudioLogWriter:
    """The writing end of its audio log."""
    return AudioLogWriter(bus, record, position or LogPosition(), buffer_bytes_max=BUFFER_BYTES, lead_seconds_max=60)


async def written(bus: Bus, record: SessionRecord) -> AudioLogWriter:
    """A connection that has stored a frame and a control, and was left."""
    audio_log = log_of(bus, record)
    await audio_log.write(FRAME)
    await audio_log.update_config(UpdateConfig(language_code="es"))
    publishing = asyncio.create_task(audio_log.publish())
    await arrival(bus, record)
    publishing.cancel()
    await asyncio.wait([publishing])
    return audio_log


async def arrival(bus: Bus, record: SessionRecord) -> None:
    """Wait until a change of the config is on the audio log."""
    subject = subjects.live_audio(record.tenant, record.session_id)
    async with OrderedConsumer(bus, topology.LIVE_AUDIO, subject) as messages:
        async for message in messages:
            if isinstance(message, StoredMessage) and LiveInput.FromString(message.data).HasField("update_config"):
                return


async def abort(bus: Bus, record: SessionRecord, audio_log: AudioLogWriter) -> None:
    """End the session for the fault of the connection."""
    await abort_session(bus, record, SessionAssignment(bus, record), audio_log, TOO_SLOW)
    await audio_log.close()


async def test_a_connection_that_was_replaced_does_not_end_the_session(bus: Bus, record: SessionRecord) -> None:
    """A connection that fails after another one has taken the log over does not end the session."""
    old = await written(bus, record)
    new = log_of(bus, record, await find_position(bus, record.tenant, record.session_id))
    await new.take_over()
    before = await stored(bus, record)
    await abort(bus, record, old)
    assert await stored(bus, record) == before
    kept = await sessions(bus).get(subjects.record(record.tenant, record.session_id))
    assert kept is not None
    assert kept.value.state == SessionRecord.STATE_ACTIVE
    await new.write(FRAME)
    await new.end()
    await new.publish()
    assert [item.WhichOneof("input") for item in await stored(bus, record)][-2:] == ["pcm16", "end"]


async def test_a_connection_that_was_replaced_withdraws_nothing(bus: Bus, record: SessionRecord) -> None:
    """A replaced connection keeps a waiting session, which the new connection needs."""
    old = await written(bus, record)

    def give_back(session: SessionRecord) -> None:
        session.state = SessionRecord.STATE_WAITING
        session.ClearField("lease")

    key = subjects.record(record.tenant, record.session_id)
    await sessions(bus).mutate(key, give_back)
    new = log_of(bus, record, await find_position(bus, record.tenant, record.session_id))
    await new.take_over()
    before = await stored(bus, record)
    await abort(bus, record, old)
    assert await stored(bus, record) == before
    kept = await sessions(bus).get(key)
    assert kept is not None
    assert kept.value.state == SessionRecord.STATE_WAITING


async def test_the_end_has_the_position_of_the_log(bus: Bus, record: SessionRecord) -> None:
    """The end message has the samples and the controls of the log, and the reason."""
    await abort(bus, record, await written(bus, record))
    last = (await stored(bus, record))[-1]
    assert (last.first_sample, last.first_control) == (FRAME_SAMPLES, 1)
    assert last.end.error == TOO_SLOW.to_status()


async def test_a_message_under_way_is_not_overtaken(bus: Bus, tenant: str) -> None:
    """A message that is being written when the connection fails is before the end, which counts it."""
    for turns in range(12):
        record = SessionRecord(tenant=tenant, session_id=new_id(), sample_rate_hertz=16_000)
        record.state, record.lease.worker_id = SessionRecord.STATE_ACTIVE, "a-worker"
        record.lease.CopyFrom(new_lease("a-worker", 30.0))
        await sessions(bus).create(subjects.record(tenant, record.session_id), record)
        audio_log = log_of(bus, record)
        await audio_log.write(FRAME)
        publishing = asyncio.create_task(audio_log.publish())
        for _ in range(turns):
            await asyncio.sleep(0)
        publishing.cancel()
        await asyncio.wait([publishing])
        await abort(bus, record, audio_log)
        found = await stored(bus, record)
        assert found[-1].HasField("end")
        assert_contiguous(found)


def assert_contiguous(found: list[LiveInput]) -> None:
    """Fail when a message does not begin where the one before it ends."""
    samples = 0
    for message in found:
        assert message.first_sample == samples
        samples += len(message.pcm16) // 2


async def test_without_a_worker_the_record_is_ended_here(bus: Bus, record: SessionRecord) -> None:
    """Without a worker the streamer ends the record with the reason, and removes the audio."""

    def give_back(session: SessionRecord) -> None:
        session.state = SessionRecord.STATE_WAITING
        session.ClearField("lease")

    key = subjects.record(record.tenant, record.session_id)
    await sessions(bus).mutate(key, give_back)
    await abort(bus, record, await written(bus, record))
    ended = await sessions(bus).get(key)
    assert ended is not None
    assert ended.value.state == SessionRecord.STATE_ENDED
    assert ended.value.error == TOO_SLOW.to_status()
    assert reason_name(TOO_SLOW.reason) == "CLIENT_TOO_SLOW"
    assert not await stored(bus, record)
