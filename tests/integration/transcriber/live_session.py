"""A live session, from the side of its streamer."""

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np
from google.rpc.status_pb2 import Status
from numpy.typing import NDArray

from tests.integration.transcriber.replacements import NO_REPLACEMENTS, pairs
from tiro.events.v1.live_pb2 import EndOfAudio, LiveEvent, LiveInput, LivePartial, LiveProgress, Pause, SessionRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.streaming.v1.streaming_pb2 import Finalize, UpdateConfig
from tiro_core.ids import new_id
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.operations import StoredMessage, listening
from tiro_core.messaging.publishing import publish
from tiro_core.messaging.queues.tasks import enqueue_session
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer
from tiro_core.messaging.records import RecordStore

RATE = 16_000
FRAME = RATE // 10
UNREAD_MAX = 64


class Session:
    """A live session, from the side of its streamer."""

    def __init__(self, bus: Bus, tenant: str, *, model: str = "markers") -> None:
        self._model = model
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
                model=self._model,
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

    async def refuse_update(self, error: Status) -> None:
        """Append a change of the config that the streamer has refused."""
        await self._control(LiveInput(refused_update=error))

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
