"""Takeovers of live sessions: another worker continues one that was handed over, was lost, or was killed."""

import asyncio

import numpy as np
import pytest

from tests.integration.transcriber.conftest import Start, Worker
from tests.integration.transcriber.live_session import RATE, Session, numbered, words
from tests.support.nats import NatsServer
from tests.support.processes import running_async
from tiro.events.v1.live_pb2 import LiveEvent, LiveInput, SessionRecord
from tiro.streaming.v1.streaming_pb2 import Endpointing, Hotwords, UpdateConfig
from tiro_core.clock import duration
from tiro_core.leases.owned_record import new_lease
from tiro_core.messaging.connection import Bus
from tiro_engines.fake.markers import encode
from tiro_transcriber.sessions.event_state import EventState

SHORT = duration(0.25)


async def test_another_worker_continues_from_the_last_final(
    session: Session, worker: Worker, start_worker: Start, bus: Bus
) -> None:
    """A worker that is stopped hands its session over, and no word is lost or repeated."""
    await session.send(encode(range(5)))
    await session.finalize()
    await session.events(until="utterance_ended")
    await session.send_for_partial(encode(range(5, 9)))
    await worker()
    await start_worker()
    await session.send(encode(range(9, 12)))
    await session.end()
    events = await session.events()
    assert words(events) == numbered(0, 12)
    owners = [event for event in events if event.HasField("owner_changed")]
    assert [event.epoch for event in owners] == [1, 2]
    assert owners[1].owner_changed.first_sample > 0


async def test_a_session_of_a_lost_worker_is_claimed(bus: Bus, tenant: str, start_worker: Start) -> None:
    """A session whose lease has expired is claimed with the next epoch."""
    session = Session(bus, tenant)
    await session.open()

    def lost(record: SessionRecord) -> None:
        record.state = SessionRecord.STATE_ACTIVE
        record.epoch = 1
        record.lease.CopyFrom(new_lease("gone", -1))

    await session.records.mutate(session.key, lost)
    await session.send(encode(range(5)))
    await session.end()
    await start_worker()
    events = await session.events()
    assert words(events) == numbered(0, 5)
    assert events[0].epoch == 2


async def test_a_session_of_a_killed_worker_continues(session: Session, nats_server: NatsServer) -> None:
    """A real worker process is killed in mid-sentence: another one continues, and no word is lost or repeated."""
    environment = {
        "TIRO_NATS_URL": nats_server.url,
        "TIRO_NATS_MONITOR_URL": nats_server.monitor_url,
        "TIRO_ENGINE": "fake",
        "TIRO_TRANSCRIBER_HEALTH_ADDRESS": "127.0.0.1:0",
        "TIRO_TRANSCRIBER_METRICS_ADDRESS": "",
    }
    async with running_async("tiro_transcriber", environment, ready="ready") as first:
        await session.send(encode(range(5)))
        await session.finalize()
        await session.events(until="utterance_ended")
        await session.send_for_partial(encode(range(5, 9)))
        await asyncio.to_thread(first.kill)
    async with running_async("tiro_transcriber", environment, ready="ready"):
        await session.send(encode(range(9, 12)))
        await session.end()
        assert words(await session.events()) == numbered(0, 12)


async def test_a_takeover_repeats_no_event(session: Session, worker: Worker, start_worker: Start) -> None:
    """After a takeover in mid-utterance SpeechStarted and answers are not repeated, and the config is kept."""
    await session.update(UpdateConfig(hotwords=Hotwords(phrases=["Tiro"])))
    await session.send_for_partial(encode(range(3)))
    await worker()
    await start_worker()
    await session.send(encode(range(3, 6)))
    await session.update(UpdateConfig(endpointing=Endpointing(silence=SHORT)))
    await session.end()
    events = await session.events()
    assert words(events) == numbered(0, 6)
    assert sum(event.HasField("speech_started_sample") for event in events) == 1
    updates = [event.config_updated for event in events if event.HasField("config_updated")]
    assert [list(update.recognition.hotwords) for update in updates] == [["Tiro"], ["Tiro"]]
    assert updates[1].endpointing.silence == SHORT


async def test_a_takeover_reads_from_the_checkpoint(
    session: Session, worker: Worker, start_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next owner does not read audio that is final or silence."""
    await session.send(np.zeros(20 * RATE, np.int16))
    await session.send(encode(range(3)))
    await session.finalize()
    await session.events(until="utterance_ended")
    await session.send(np.zeros(20 * RATE, np.int16))
    processed = await session.processed(40 * RATE)
    await worker()
    stored = await session.records.get(session.key)
    assert stored is not None
    assert stored.value.checkpoint.sample > processed - 2 * RATE
    read: list[int] = []
    real = LiveInput.FromString

    def spy(data: bytes) -> LiveInput:
        message = real(data)
        read.append(message.first_sample)
        return message

    monkeypatch.setattr("tiro_transcriber.sessions.input.parse_input", spy)
    await start_worker()
    await session.send(encode(range(3, 6)))
    await session.end()
    assert words(await session.events()) == numbered(0, 6)
    assert min(read) > 38 * RATE


async def test_a_takeover_reads_the_events_after_the_checkpoint(
    session: Session, worker: Worker, start_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next owner does not read events before the checkpoint, and has their state."""
    for number in range(20):
        await session.send(encode([number]))
        await session.finalize()
    await session.events(until="utterance_ended", count=20)
    await worker()
    stored = await session.records.get(session.key)
    assert stored is not None
    last = stored.value.checkpoint.events.sequence
    assert last > 20
    applied: list[int] = []
    apply = EventState.apply

    def spy(state: EventState, event: LiveEvent, stream_sequence: int) -> None:
        applied.append(event.sequence)
        apply(state, event, stream_sequence)

    monkeypatch.setattr(EventState, "apply", spy)
    await start_worker()
    await session.send(encode([20]))
    await session.finalize()
    await session.end()
    events = await session.events()
    assert words(events) == numbered(0, 21)
    assert events[-1].ended.final_count == 21
    assert sum(event.utterance_ended.finalized for event in events) == 21
    assert applied == list(range(last + 1, len(events) + 1))
