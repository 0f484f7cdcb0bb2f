"""Live sessions of a worker, on a real NATS server. The test acts as the streamer."""

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
    """A live session, from the side of its streamer."""

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
        """Create the record, and enqueue the session."""
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
        """Append samples to the audio log, in frames."""
        for begin in range(0, len(samples), FRAME):
            frame = samples[begin : begin + FRAME]
            await self._put(LiveInput(pcm16=frame.astype("<i2").tobytes()))
            self.sent += len(frame)

    async def finalize(self) -> None:
        """Append a finalize."""
        await self._control(LiveInput(finalize=Finalize()))

    async def update(self, update: UpdateConfig) -> None:
        """Append a change of the config."""
        await self._control(LiveInput(update_config=update))

    async def pause(self) -> None:
        """Append a pause: no audio comes for some time."""
        await self._put(LiveInput(pause=Pause()))

    async def end(self, end: EndOfAudio | None = None) -> None:
        """End the audio."""
        await self._put(LiveInput(end=end or EndOfAudio()))

    async def events(self, until: str = "ended", count: int = 1) -> list[LiveEvent]:
        """The events up to the `count`th of one kind, which is awaited."""
        found: list[LiveEvent] = []
        subject = subjects.live_events(self.tenant, self.id)
        async with OrderedConsumer(self._bus, topology.LIVE_EVENTS, subject) as consumer:
            async for entry in consumer:
                if isinstance(entry, StoredMessage):
                    found.append(LiveEvent.FromString(entry.data))
                    if sum(event.WhichOneof("event") == until for event in found) == count:
                        break
        return found

    async def newest_event(self) -> LiveEvent:
        """The newest event."""
        subject = subjects.live_events(self.tenant, self.id)
        message = await self._bus.jetstream.get_msg(topology.LIVE_EVENTS, subject=subject)
        return LiveEvent.FromString(message.data or b"")

    async def send_for_partial(self, samples: NDArray[np.int16]) -> LivePartial:
        """Send samples, and return the first partial after that."""
        partial: asyncio.Future[LivePartial] = asyncio.get_running_loop().create_future()

        async def receive(payload: bytes) -> None:
            if not partial.done():
                partial.set_result(LivePartial.FromString(payload))

        subject = subjects.live_partial(self.tenant, self.id)
        async with listening(self._bus, subject, receive, unread_max=UNREAD_MAX):
            await self._bus.client.flush()  # the server has the subscription now
            await self.send(samples)
            return await partial

    async def processed(self, sample: int) -> int:
        """Wait until the worker has processed all audio before a sample. Return the number of processed samples."""
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
    """The words of all finals."""
    return [word for event in events for word in event.final.text.split()]


def numbered(begin: int, end: int) -> list[str]:
    """The words of the fake engine for these numbers."""
    return [f"w{number}" for number in range(begin, end)]


@pytest.fixture
async def session(bus: Bus, tenant: str) -> Session:
    """An open session."""
    session = Session(bus, tenant)
    await session.open()
    return session


Worker = Callable[[], Awaitable[None]]


async def test_audio_becomes_finals(session: Session, worker: Worker) -> None:
    """Every word is in a final once, sequences have no gap, and the end event has the totals."""
    await session.send(encode(range(30)))
    await session.end()
    events = await session.events()
    assert words(events) == numbered(0, 30)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[0].owner_changed.first_sample == 0
    assert events[-1].ended.sample_count == session.sent
    assert events[-1].ended.final_count == sum(event.HasField("final") for event in events)


async def test_partials_come_before_finals(session: Session, worker: Worker) -> None:
    """A partial is published before the final, with the sequence of the event before it."""
    partial = await session.send_for_partial(encode(range(4)))
    assert partial.segment.text.startswith("w0")
    assert partial.after_sequence >= 1
    await session.end()
    assert words(await session.events()) == numbered(0, 4)


async def test_a_pause_ends_the_utterance(session: Session, worker: Worker) -> None:
    """Silence after speech makes it final, without a finalize."""
    await session.send(encode(range(3)))
    await session.send(np.zeros(RATE, np.int16))
    events = await session.events(until="utterance_ended")
    assert words(events) == numbered(0, 3)
    assert not events[-1].utterance_ended.finalized
    await session.end()
    await session.events()


async def test_finalize_gives_a_final_and_the_session_continues(session: Session, worker: Worker) -> None:
    """A finalize makes all speech before it final, is answered, and the session continues."""
    await session.send(encode(range(3)))
    await session.finalize()
    events = await session.events(until="utterance_ended")
    assert words(events) == numbered(0, 3)
    assert events[-1].utterance_ended.finalized
    await session.send(encode(range(3, 6)))
    await session.end()
    assert words(await session.events()) == numbered(0, 6)


async def test_a_pause_message_ends_the_utterance(session: Session, worker: Worker) -> None:
    """A pause message, as of push-to-talk, ends the utterance. A second one has no effect."""
    await session.send(encode(range(3)))
    await session.pause()
    events = await session.events(until="utterance_ended")
    assert words(events) == numbered(0, 3)
    assert not events[-1].utterance_ended.finalized
    await session.pause()
    await session.end()
    await session.events()


async def test_a_session_without_audio(session: Session, worker: Worker) -> None:
    """A session without audio has no final, and ends without an error."""
    await session.end()
    events = await session.events()
    last = events[-1]
    assert [event.WhichOneof("event") for event in events] == ["owner_changed", "utterance_ended", "ended"]
    assert last.ended.sample_count == 0
    assert not last.ended.HasField("error")


async def test_an_end_with_an_error_ends_the_session(session: Session, worker: Worker) -> None:
    """The end of the audio with an error, as of a lost client, ends the session with that error."""
    await session.send(encode(range(3)))
    error = TiroError(grpc.StatusCode.CANCELLED, reasons.ERROR_REASON_SESSION_IDLE, "the client has left")
    await session.end(EndOfAudio(error=error.to_status()))
    events = await session.events()
    assert events[-1].ended.error.message == "the client has left"


async def test_the_audio_log_is_removed_at_the_end(session: Session, worker: Worker, bus: Bus) -> None:
    """After the end the record is ENDED, and the audio log is removed."""
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


async def test_a_change_of_config_applies_from_its_position_on(session: Session, worker: Worker) -> None:
    """A change is answered with the new config, and applies to the audio after it."""
    await session.send(encode(range(2)))
    await session.update(UpdateConfig(hotwords=Hotwords(phrases=["Tiro"]), endpointing=Endpointing(silence=SHORT)))
    await session.send(encode(range(2, 4), gap_ms=300))
    await session.end()
    events = await session.events()
    [updated] = [event for event in events if event.HasField("config_updated")]
    assert updated.answered_controls == 1
    assert updated.config_updated.sample == len(encode(range(2)))
    assert list(updated.config_updated.recognition.hotwords) == ["Tiro"]
    assert updated.config_updated.recognition.engine == "fake"
    finals = [event.final.text for event in events if event.HasField("final")]
    assert finals[-1] == "w3"  # a pause of 300 ms ends an utterance now
    assert words(events) == numbered(0, 4)


async def test_a_language_that_the_engine_lacks_ends_the_session(session: Session, worker: Worker) -> None:
    """A language that the streamer has accepted and the engine refuses ends the session with the engine's error."""
    await session.send(encode(range(2)))
    await session.update(UpdateConfig(language_code="xx"))
    events = await session.events()
    assert "xx" in events[-1].ended.error.message


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


async def test_progress_is_published_to_the_streamer(session: Session, worker: Worker) -> None:
    """Progress is published with audio, and also without."""
    await session.send(encode(range(5)))
    assert await session.processed(session.sent) == session.sent
    await session.end()
    await session.events()
