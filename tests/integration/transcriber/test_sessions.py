"""Live sessions through a worker, over a real NATS server: what the streamer does is done by the test."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.integration.transcriber.conftest import NO_REPLACEMENTS, Start, pairs
from tests.support.nats import NatsServer
from tests.support.processes import running_async
from tiro.events.v1.live_pb2 import EndOfAudio, LiveEvent, LiveInput, LivePartial, LiveProgress, Pause, SessionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.streaming.v1.streaming_pb2 import Endpointing, Finalize, Hotwords, UpdateConfig
from tiro_core.clock import duration
from tiro_core.errors import TiroError
from tiro_core.ids import new_id
from tiro_core.leases.owned_record import new_lease
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.operations import StoredMessage, listening
from tiro_core.messaging.publishing import publish
from tiro_core.messaging.queues.tasks import enqueue_session
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer
from tiro_core.messaging.records import Change, RecordStore
from tiro_engines.fake.markers import encode
from tiro_transcriber.sessions.event_state import EventState

RATE = 16_000
FRAME = RATE // 10
SHORT = duration(0.25)
UNREAD_MAX = 64


class Session:
    """A live session as its streamer sees it."""

    def __init__(self, bus: Bus, tenant: str) -> None:
        self._bus = bus
        self.tenant = tenant
        self.id = new_id()
        self.key = subjects.record(tenant, self.id)
        self.records = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
        self.sent = 0
        self.controls = 0

    async def open(
        self, *, language: str = "", region: str = "", replacements: Mapping[str, str] = NO_REPLACEMENTS
    ) -> None:
        """Write the record and offer the session."""
        record = SessionRecord(
            tenant=self.tenant,
            session_id=self.id,
            state=SessionRecord.STATE_WAITING,
            recognition=RecognitionConfig(
                engine="fake",
                model="markers",
                language_code=language,
                region=region,
                enable_word_time_offsets=True,
                replacements=pairs(replacements),
            ),
            enable_interim_results=True,
            sample_rate_hertz=RATE,
        )
        await self.records.create(self.key, record)
        await enqueue_session(self._bus, record)

    async def send(self, samples: np.ndarray) -> None:
        """Put samples on the line in frames."""
        for begin in range(0, len(samples), FRAME):
            frame = samples[begin : begin + FRAME]
            await self._put(LiveInput(pcm16=frame.astype("<i2").tobytes()))
            self.sent += len(frame)

    async def finalize(self) -> None:
        """Ask for everything so far to become final."""
        await self._control(LiveInput(finalize=Finalize()))

    async def update(self, update: UpdateConfig) -> None:
        """Ask to recognize differently."""
        await self._control(LiveInput(update_config=update))

    async def pause(self) -> None:
        """Say that nothing comes for now."""
        await self._put(LiveInput(pause=Pause()))

    async def end(self, end: EndOfAudio | None = None) -> None:
        """End the audio."""
        await self._put(LiveInput(end=end or EndOfAudio()))

    async def events(self, until: str = "ended", count: int = 1) -> list[LiveEvent]:
        """The events from the first to the `count`th of one kind, however long that takes to come."""
        found: list[LiveEvent] = []
        subject = subjects.live_events(self.tenant, self.id)
        async with OrderedConsumer(self._bus, topology.LIVE_EVENTS, subject) as tail:
            async for entry in tail:
                if isinstance(entry, StoredMessage):
                    found.append(LiveEvent.FromString(entry.data))
                    if sum(event.WhichOneof("event") == until for event in found) == count:
                        break
        return found

    async def newest_event(self) -> LiveEvent:
        """The newest event there is."""
        subject = subjects.live_events(self.tenant, self.id)
        message = await self._bus.jetstream.get_msg(topology.LIVE_EVENTS, subject=subject)
        return LiveEvent.FromString(message.data or b"")

    async def send_for_partial(self, samples: NDArray[np.int16]) -> LivePartial:
        """Send samples, and return the first partial that comes then."""
        partial: asyncio.Future[LivePartial] = asyncio.get_running_loop().create_future()

        async def receive(payload: bytes) -> None:
            if not partial.done():
                partial.set_result(LivePartial.FromString(payload))

        subject = subjects.live_partial(self.tenant, self.id)
        async with listening(self._bus, subject, receive, unread_max=UNREAD_MAX):
            await self._bus.client.flush()  # the server knows now that we listen
            await self.send(samples)
            return await partial

    async def heard(self, sample: int) -> int:
        """Wait until the worker has heard everything before a sample, and return how far it is."""
        subscription = await self._bus.client.subscribe(subjects.live_progress(self.tenant, self.id))
        try:
            async for message in subscription.messages:
                progress = LiveProgress.FromString(message.data)
                if progress.processed_sample >= sample:
                    return progress.processed_sample
        finally:
            await subscription.unsubscribe()
        raise AssertionError("unreachable: a subscription does not end")

    async def _control(self, message: LiveInput) -> None:
        await self._put(message)
        self.controls += 1

    async def _put(self, message: LiveInput) -> None:
        message.first_sample = self.sent
        message.first_control = self.controls
        await publish(self._bus, subjects.live_audio(self.tenant, self.id), message.SerializeToString())


def words(events: Sequence[LiveEvent]) -> list[str]:
    """All words of the finals."""
    return [word for event in events for word in event.final.text.split()]


def numbered(begin: int, end: int) -> list[str]:
    """The words that the fake engine reads for these numbers."""
    return [f"w{number}" for number in range(begin, end)]


@pytest.fixture
async def session(bus: Bus, tenant: str) -> Session:
    """A session that is open."""
    session = Session(bus, tenant)
    await session.open()
    return session


Worker = Callable[[], Awaitable[None]]


async def test_audio_becomes_finals(session: Session, worker: Worker) -> None:
    """Every word becomes final once, events are numbered without gaps, the end has the totals."""
    await session.send(encode(range(30)))
    await session.end()
    events = await session.events()
    assert words(events) == numbered(0, 30)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[0].owner_changed.first_sample == 0
    assert events[-1].ended.sample_count == session.sent
    assert events[-1].ended.final_count == sum(event.HasField("final") for event in events)


async def test_partials_come_before_finals(session: Session, worker: Worker) -> None:
    """While someone speaks there is a partial that says after which event it comes."""
    partial = await session.send_for_partial(encode(range(4)))
    assert partial.segment.text.startswith("w0")
    assert partial.after_sequence >= 1
    await session.end()
    assert words(await session.events()) == numbered(0, 4)


async def test_a_pause_ends_the_utterance(session: Session, worker: Worker) -> None:
    """Silence after speech makes it final without being asked."""
    await session.send(encode(range(3)))
    await session.send(np.zeros(RATE, np.int16))
    events = await session.events(until="utterance_ended")
    assert words(events) == numbered(0, 3)
    assert not events[-1].utterance_ended.finalized
    await session.end()
    await session.events()


async def test_finalize_flushes_and_the_session_goes_on(session: Session, worker: Worker) -> None:
    """Finalize makes everything before it final, the answer says so, and more can come."""
    await session.send(encode(range(3)))
    await session.finalize()
    events = await session.events(until="utterance_ended")
    assert words(events) == numbered(0, 3)
    assert events[-1].utterance_ended.finalized
    await session.send(encode(range(3, 6)))
    await session.end()
    assert words(await session.events()) == numbered(0, 6)


async def test_a_pause_by_the_clock_ends_the_utterance(session: Session, worker: Worker) -> None:
    """Someone who pushes to talk stops sending: their streamer says so. A second pause says nothing new."""
    await session.send(encode(range(3)))
    await session.pause()
    events = await session.events(until="utterance_ended")
    assert words(events) == numbered(0, 3)
    assert not events[-1].utterance_ended.finalized
    await session.pause()
    await session.end()
    await session.events()


async def test_end_without_audio(session: Session, worker: Worker) -> None:
    """A session that is ended at once has no finals and ends in order."""
    await session.end()
    events = await session.events()
    last = events[-1]
    assert [event.WhichOneof("event") for event in events] == ["owner_changed", "utterance_ended", "ended"]
    assert last.ended.sample_count == 0
    assert not last.ended.HasField("error")


async def test_a_caller_who_vanished_frees_the_worker(session: Session, worker: Worker) -> None:
    """An end with an error ends the session at once with that error."""
    await session.send(encode(range(3)))
    gone = TiroError(grpc.StatusCode.CANCELLED, reasons.ERROR_REASON_SESSION_IDLE, "the client is gone")
    await session.end(EndOfAudio(error=gone.to_status()))
    events = await session.events()
    assert events[-1].ended.error.message == "the client is gone"


async def test_the_record_ends_and_the_audio_goes(session: Session, worker: Worker, bus: Bus) -> None:
    """After the end the record is ENDED and nothing of the audio is kept."""
    await session.send(encode(range(3)))
    await session.end()
    await session.events()
    async with session.records.watch(session.key) as changes:
        async for change in changes:
            if (
                isinstance(change, Change)
                and change.value is not None
                and change.value.state == SessionRecord.STATE_ENDED
            ):
                break
    await worker()
    subject = subjects.live_audio(session.tenant, session.id)
    info = await bus.jetstream.stream_info(topology.LIVE_AUDIO, subjects_filter=subject)
    assert not info.state.subjects


async def test_another_worker_goes_on_from_the_last_final(
    session: Session, worker: Worker, start_worker: Start, bus: Bus
) -> None:
    """A worker that is told to stop hands its session over: no word is lost, none repeated."""
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


async def test_a_lost_workers_session_is_taken_over(bus: Bus, tenant: str, start_worker: Start) -> None:
    """A session whose lease ran out is claimed with the next epoch."""
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


async def test_a_killed_workers_session_goes_on(session: Session, nats_server: NatsServer) -> None:
    """A real worker process is killed in mid-sentence; another one loses and repeats no word."""
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


async def test_a_change_of_config_counts_from_its_place_on(session: Session, worker: Worker) -> None:
    """An update is answered with the config in use, and changes what comes after it."""
    await session.send(encode(range(2)))
    await session.update(UpdateConfig(hotwords=Hotwords(phrases=["Tiro"]), endpointing=Endpointing(silence=SHORT)))
    await session.send(encode(range(2, 4), gap_ms=300))
    await session.end()
    events = await session.events()
    [told] = [event for event in events if event.HasField("config_updated")]
    assert told.answered_controls == 1
    assert told.config_updated.sample == len(encode(range(2)))
    assert list(told.config_updated.recognition.hotwords) == ["Tiro"]
    assert told.config_updated.recognition.engine == "fake"
    finals = [event.final.text for event in events if event.HasField("final")]
    assert finals[-1] == "w3"  # 300 ms end an utterance now
    assert words(events) == numbered(0, 4)


async def test_a_language_that_the_engine_lacks_ends_the_session(session: Session, worker: Worker) -> None:
    """What the streamer let through and the engine refuses is told as what it is."""
    await session.send(encode(range(2)))
    await session.update(UpdateConfig(language_code="xx"))
    events = await session.events()
    assert "xx" in events[-1].ended.error.message


async def test_a_takeover_repeats_no_state_and_answers_no_control_twice(
    session: Session, worker: Worker, start_worker: Start
) -> None:
    """In mid-utterance the next owner announces no speech anew, and goes on with the config that was told."""
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
    told = [event.config_updated for event in events if event.HasField("config_updated")]
    assert [list(update.recognition.hotwords) for update in told] == [["Tiro"], ["Tiro"]]
    assert told[1].endpointing.silence == SHORT


async def test_a_takeover_reads_from_the_checkpoint(
    session: Session, worker: Worker, start_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Audio that is final or silence is not read again."""
    await session.send(np.zeros(20 * RATE, np.int16))
    await session.send(encode(range(3)))
    await session.finalize()
    await session.events(until="utterance_ended")
    await session.send(np.zeros(20 * RATE, np.int16))
    heard = await session.heard(40 * RATE)
    await worker()
    stored = await session.records.get(session.key)
    assert stored is not None
    assert stored.value.checkpoint.sample > heard - 2 * RATE
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
    """Those before it are not read again, and nothing of them is forgotten."""
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


async def test_the_streamer_is_told_how_far_the_session_is(session: Session, worker: Worker) -> None:
    """Progress comes while audio does, and while none does."""
    await session.send(encode(range(5)))
    assert await session.heard(session.sent) == session.sent
    await session.end()
    await session.events()
