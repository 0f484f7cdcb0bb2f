"""Injected faults of workers between two writes, on a real NATS server."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from signal import SIGTERM
from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status

from tests.integration.transcriber.conftest import Jobs, Start, recording
from tests.integration.transcriber.live_session import Session, numbered, words
from tests.support.nats import running_nats
from tests.support.processes import running_async
from tiro.events.v1.live_pb2 import EndOfAudio, LiveEvent, SessionRecord
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.errors import TiroError, from_status
from tiro_core.ids import new_id
from tiro_core.leases.owned_record import OwnedRecord, new_lease
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import BusUnavailable
from tiro_core.messaging.operations import StoredMessage, purge, subjects_in
from tiro_core.messaging.publishing import publish
from tiro_core.messaging.queues.work_queue import TaskMessage
from tiro_core.messaging.reading.ordered_consumer import CAUGHT_UP, OrderedConsumer, StreamState
from tiro_core.messaging.records import Change, RecordStore
from tiro_engines.fake.markers import encode
from tiro_transcriber.sessions.output import EventsLost, SessionOutput
from tiro_transcriber.sessions.worker import FAILURES_MAX
from tiro_transcriber.settings import TranscriberSettings

RATE = 16_000
CUT_OFF = TiroError(
    grpc.StatusCode.CANCELLED, reasons.ERROR_REASON_SESSION_ABANDONED, "the client has left"
).to_status()


@pytest.mark.parametrize("subject", ["tiro.task.fake.markers.standard.x.y", "tiro.session.fake.markers.x.y"])
async def test_a_task_message_that_cannot_be_parsed_is_discarded(jobs: Jobs, start_worker: Start, subject: str) -> None:
    """Such a message is discarded, and the worker claims the next job."""
    await publish(jobs.bus, subject, b"\xff\xff\xff")
    await start_worker()
    job = await jobs.submit(recording(range(3)))
    await jobs.events(job)
    assert (await jobs.record(job)).state == Transcription.STATE_SUCCEEDED


def slow_update(monkeypatch: pytest.MonkeyPatch, tenant: str, state: int, *, before: bool) -> asyncio.Event:
    """Make the write of a job's state slow: `before` it is stored, or its acknowledgement."""
    update: Callable[..., Any] = RecordStore.update
    under_way = asyncio.Event()

    async def slow(self: Any, key: str, value: Any, revision: int) -> Any:
        ours = isinstance(value, TranscriptionRecord) and value.tenant == tenant
        chosen = ours and value.state == state and not under_way.is_set()
        if chosen and before:
            under_way.set()
            await asyncio.sleep(0.5)
        written = await update(self, key, value, revision)
        if chosen and not before:
            under_way.set()
            await asyncio.sleep(0.5)
        return written

    monkeypatch.setattr(RecordStore, "update", slow)
    return under_way


async def test_a_stop_during_a_claim_hands_the_job_over(
    jobs: Jobs, start_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job whose claim is stored but not acknowledged is handed over, and the attempt does not count."""
    claiming = slow_update(monkeypatch, jobs.tenant, Transcription.STATE_RUNNING, before=False)
    stop = await start_worker()
    job = await jobs.submit(recording(range(3)))
    await claiming.wait()
    await stop()
    record = await jobs.record(job)
    assert record.state == Transcription.STATE_QUEUED
    assert record.attempts[-1].handed_over


async def test_a_stop_during_a_commit_commits_the_job(
    jobs: Jobs, start_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is being committed is committed with its terminal event, not handed over."""
    committing = slow_update(monkeypatch, jobs.tenant, Transcription.STATE_SUCCEEDED, before=True)
    stop = await start_worker()
    job = await jobs.submit(recording(range(3)))
    await committing.wait()
    await stop()
    assert (await jobs.record(job)).state == Transcription.STATE_SUCCEEDED
    assert (await jobs.events(job))[-1].state_changed.state == Transcription.STATE_SUCCEEDED


async def ended_record(session: Session) -> SessionRecord:
    """The record of a session, once it has ended."""
    async with session.records.watch(session.key) as changes:
        async for change in changes:
            if isinstance(change, Change) and change.value and change.value.state == SessionRecord.STATE_ENDED:
                return change.value
    raise AssertionError("unreachable: a watch does not end")


@pytest.mark.parametrize("error", [None, CUT_OFF], ids=["ended", "failed"])
async def test_a_worker_that_died_after_the_end_event_is_replaced(
    session: Session, start_worker: Start, monkeypatch: pytest.MonkeyPatch, error: Status | None
) -> None:
    """The next owner ends the record with the error of the end event, and appends no second one."""
    update: Callable[..., Any] = OwnedRecord.update
    died = asyncio.Event()

    async def dying(self: Any, change: Callable[[Any], None]) -> Any:
        value = type(self.value)()
        value.CopyFrom(self.value)
        change(value)
        if isinstance(value, SessionRecord) and value.state == SessionRecord.STATE_ENDED and not died.is_set():
            died.set()
            raise BusUnavailable("injected fault")
        return await update(self, change)

    monkeypatch.setattr(OwnedRecord, "update", dying)
    await start_worker()
    await session.send(encode(range(3)))
    await session.finalize()
    await session.events("utterance_ended")
    await session.end(EndOfAudio(error=error))
    assert (await ended_record(session)).HasField("error") == (error is not None)
    events = await session.events()
    assert words(events) == numbered(0, 3)
    assert sum(event.HasField("ended") for event in events) == 1
    newest = await session.newest_event()
    assert newest == events[-1]


async def test_the_audio_of_a_worker_that_died_after_the_end_is_removed(
    session: Session, start_worker: Start, monkeypatch: pytest.MonkeyPatch, bus: Bus
) -> None:
    """The record says ENDED, and the audio is still there: the next worker that gets the message removes it."""
    died, settled = asyncio.Event(), asyncio.Event()
    acknowledge = TaskMessage.acknowledge

    async def acknowledging(self: TaskMessage) -> None:
        await acknowledge(self)
        if session.id in self.subject:
            settled.set()

    async def dying(*arguments: Any, **named: Any) -> None:
        if not died.is_set():
            died.set()
            raise BusUnavailable("killed here")
        await purge(*arguments, **named)

    monkeypatch.setattr("tiro_transcriber.sessions.worker.purge", dying)
    monkeypatch.setattr(TaskMessage, "acknowledge", acknowledging)
    await start_worker()
    await session.send(encode(range(3)))
    await session.end()
    await settled.wait()
    assert died.is_set()
    audio = subjects.live_audio(session.tenant, session.id)
    assert not [name async for name in subjects_in(bus, topology.LIVE_AUDIO, audio)]


async def test_a_finalize_is_answered_once(session: Session, start_worker: Start) -> None:
    """A new owner reads the old finalize in the audio log, and does not answer it again."""
    stop = await start_worker()
    await session.send(encode(range(3)))
    await session.finalize()
    await session.events("utterance_ended")
    await stop()
    await start_worker()
    await session.events("owner_changed", 2)
    await session.send(encode(range(3, 5)))
    await session.end()
    events = await session.events()
    assert sum(event.utterance_ended.finalized for event in events) == 1
    assert words(events) == numbered(0, 5)


async def test_a_session_whose_streamer_died_releases_its_slot(
    bus: Bus, tenant: str, settings: TranscriberSettings, start_worker: Start
) -> None:
    """A session whose audio log gets no message, not even a keep-alive, ends, and another one gets its slot."""
    settings.session_slots = 1
    settings.streamer_silence_seconds_max = 1
    await start_worker()
    dead = Session(bus, tenant)
    await dead.open()
    await dead.send(encode(range(3)))
    events = await dead.events()
    assert "streamer" in events[-1].ended.error.message
    other = Session(bus, tenant)
    await other.open()
    await other.events("owner_changed")
    await other.end()
    await other.events()


@pytest.mark.parametrize("fails", [True, False])
async def test_a_session_that_fails_on_every_worker_ends_with_an_error(
    bus: Bus, tenant: str, start_worker: Start, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    """A session ends with an error after a number of failures of the engine, or of lost workers."""
    monkeypatch.setattr("tiro_transcriber.sessions.worker.RETRY_SECONDS", 0.05)
    session = Session(bus, tenant)
    await session.open()
    if fails:

        def broken(*_: Any) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("tiro_engines.fake.session.FakeSession.advance", broken)
    else:

        def lost(record: SessionRecord) -> None:
            record.state = SessionRecord.STATE_ACTIVE
            record.failure_count = 3
            record.lease.CopyFrom(new_lease("gone", -1))

        await session.records.mutate(session.key, lost)
    await session.send(encode(range(3)))
    await start_worker()
    events = await session.events()
    assert "given up after 4" in events[-1].ended.error.message


async def test_progress_resets_the_failures_of_a_session(bus: Bus, tenant: str, start_worker: Start) -> None:
    """The failure count of a session is 0 once its checkpoint has advanced."""
    session = Session(bus, tenant)
    await session.open()

    def lost_often(record: SessionRecord) -> None:
        record.failure_count = FAILURES_MAX - 1

    await session.records.mutate(session.key, lost_often)
    await start_worker()
    await session.send(encode(range(3)))
    await session.finalize()
    async with session.records.watch(session.key) as changes:
        async for change in changes:
            if isinstance(change, Change) and change.value and change.value.checkpoint.sample:
                assert change.value.failure_count == 0
                break
    await session.end()
    assert words(await session.events()) == numbered(0, 3)


async def test_a_final_of_the_old_owner_during_a_takeover(
    bus: Bus, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new owner starts after a final that the old one appends during the takeover, so no word is repeated."""
    record = SessionRecord(tenant=tenant, session_id=new_id(), epoch=1, sample_rate_hertz=RATE)
    old = SessionOutput(bus, record)
    await old.take_over("old")
    new = SessionOutput(
        bus, SessionRecord(tenant=tenant, session_id=record.session_id, epoch=2, sample_rate_hertz=RATE)
    )
    read = new._read_log
    appended = asyncio.Event()

    async def read_then_append(*, from_checkpoint: bool) -> bool:
        is_whole = await read(from_checkpoint=from_checkpoint)
        if not appended.is_set():
            appended.set()
            await old._append(LiveEvent(final=Segment(text="w0"), resume_sample=RATE))
        return is_whole

    monkeypatch.setattr(new, "_read_log", read_then_append)
    assert await new.take_over("new")
    assert (new.events.next_sample, new.events.final_count) == (RATE, 1)


async def test_a_session_whose_events_are_gone_ends(session: Session, start_worker: Start, bus: Bus) -> None:
    """The next owner knows from the checkpoint that there were events, and does not number new ones from 1."""
    stop = await start_worker()
    await session.send(encode(range(3)))
    await session.finalize()
    before = (await session.events("utterance_ended"))[-1].sequence
    await stop()
    await purge(bus, topology.LIVE_EVENTS, subjects.live_events(session.tenant, session.id))
    await start_worker()
    [ended] = await session.events()
    assert ended.sequence == before + 1
    assert from_status(ended.ended.error).reason == reasons.ERROR_REASON_SESSION_FAILED
    assert (await ended_record(session)).error == ended.ended.error


@pytest.mark.parametrize("sequences", [(2, 3), (1, 3)], ids=["first", "middle"])
async def test_a_log_that_lacks_an_event_ends_its_session(bus: Bus, tenant: str, sequences: tuple[int, ...]) -> None:
    """Without a checkpoint, the state of the session cannot be learned from a log with a gap."""
    record = SessionRecord(tenant=tenant, session_id=new_id(), epoch=2, sample_rate_hertz=RATE)
    for sequence in sequences:
        event = LiveEvent(sequence=sequence, epoch=1, speech_started_sample=sequence)
        await publish(bus, subjects.live_events(tenant, record.session_id), event.SerializeToString())
    output = SessionOutput(bus, record)
    with pytest.raises(EventsLost):
        await output.take_over("new")
    await output.end(0, CUT_OFF)
    assert output.events.sequence == sequences[-1] + 1


async def test_a_takeover_over_a_lagging_replica_misses_no_event(
    bus: Bus, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consumer reports that it has caught up before the newest event, which the leader has: the owner waits for it.

    The server chooses the replica of a consumer, so the lag is simulated in the consumer.
    """
    record = SessionRecord(tenant=tenant, session_id=new_id(), epoch=1, sample_rate_hertz=RATE)
    old = SessionOutput(bus, record)
    await old.take_over("old")
    await old._append(LiveEvent(final=Segment(text="w0"), resume_sample=RATE))
    following = OrderedConsumer.__anext__
    caught_up: list[OrderedConsumer] = []

    async def behind(self: OrderedConsumer) -> StoredMessage | StreamState:
        if self in caught_up:
            return await following(self)
        caught_up.append(self)
        return CAUGHT_UP

    monkeypatch.setattr(OrderedConsumer, "__anext__", behind)
    monkeypatch.setattr("tiro_transcriber.sessions.output.TAKE_OVER_TRIES_MAX", 1)
    record.epoch = 2
    new = SessionOutput(bus, record)
    assert await new.take_over("new")
    assert caught_up
    assert (new.events.next_sample, new.events.final_count) == (RATE, 1)


async def test_a_worker_stops_without_nats(tmp_path: Path) -> None:
    """A worker that cannot hand over leaves its claims to expire, and stops with status 0 within its grace time."""
    with running_nats(tmp_path) as nats:
        environment = {
            "TIRO_NATS_URL": nats.url,
            "TIRO_NATS_MONITOR_URL": nats.monitor_url,
            "TIRO_ENGINE": "fake",
            "TIRO_TRANSCRIBER_HEALTH_ADDRESS": "127.0.0.1:0",
            "TIRO_TRANSCRIBER_METRICS_ADDRESS": "",
            "TIRO_GRACE_SECONDS": "2",
        }
        async with running_async("tiro_transcriber", environment, ready="ready") as worker:
            await asyncio.to_thread(nats.kill)
            await asyncio.to_thread(worker.wait_for, "nats_disconnected")
            assert await asyncio.to_thread(worker.stop) == 0
            logged = [line["event"] for line in worker.log]
    assert SIGTERM.name in [line.get("signal") for line in worker.log]
    assert "left_to_expire" in logged


async def test_a_key_that_was_purged_by_nats_is_none(bus: Bus, tenant: str) -> None:
    """The marker of `nats kv purge`, which differs from Tiro's own, is read as a deleted record."""
    store = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
    key = subjects.record(tenant, new_id())
    await store.create(key, TranscriptionRecord(tenant=tenant, state=Transcription.STATE_SUCCEEDED))
    bucket = await bus.jetstream.key_value(topology.JOBS_BUCKET)
    await bucket.purge(key)
    assert await store.get(key) is None
