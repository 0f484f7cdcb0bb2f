"""What a session's owner tells: finals and states on a fenced line, partials beside it."""

from collections.abc import Sequence

from google.rpc.status_pb2 import Status

from tiro.events.v1.live_pb2 import LiveEnded, LiveEvent, LivePartial, OwnerChanged, SessionRecord, UtteranceEnded
from tiro_core.bus import subjects, topology
from tiro_core.bus.connection import Bus
from tiro_core.bus.line import EventLine
from tiro_core.bus.tail import Tail
from tiro_transcriber.convert import to_proto
from tiro_transcriber.engines.interface import (
    SAMPLE_RATE,
    Final,
    Partial,
    Segment,
    SessionUpdate,
    SpeechEnded,
    SpeechStarted,
    UtteranceEnd,
)


class SessionOutput:
    """The writing end of a session's events."""

    def __init__(self, bus: Bus, record: SessionRecord) -> None:
        self._bus = bus
        self._record = record
        self._subject = subjects.live_events(record.tenant, record.session_id)
        self._partial_subject = subjects.live_partial(record.tenant, record.session_id)
        self._line = EventLine(bus, topology.LIVE_EVENTS, self._subject, LiveEvent, lambda event: event.sequence)
        self._with_words = record.recognition.enable_word_time_offsets
        self._revision = 0
        self.final_count = 0
        self.next_sample = 0
        """Everything before it is final, in the session's samples: a new owner begins there."""

    async def take_over(self, worker_id: str) -> None:
        """Learn what the owners before have told, then refuse whatever they may still write."""
        async with Tail(self._bus, topology.LIVE_EVENTS, self._subject) as tail:
            async for entry in tail:
                if entry is None:
                    break
                self._learn(LiveEvent.FromString(entry.data))
        await self._line.resume()
        changed = OwnerChanged(worker_id=worker_id, first_sample=self.next_sample)
        await self._append(LiveEvent(owner_changed=changed))

    async def tell(self, updates: Sequence[SessionUpdate], *, finalized: bool = False) -> None:
        """Tell what the engine's session has said, in order.

        Args:
            updates: What it said.
            finalized: The caller had asked for it.
        """
        for update in updates:
            match update:
                case Partial(segment):
                    await self._tell_partial(segment)
                case Final(segment, resume_at):
                    self.final_count += 1
                    self.next_sample = self._to_session(resume_at)
                    final = to_proto(segment, with_words=self._with_words)
                    await self._append(LiveEvent(final=final, resume_sample=self.next_sample))
                case SpeechStarted(at):
                    await self._append(LiveEvent(speech_started_sample=self._to_session(at)))
                case SpeechEnded(at):
                    await self._append(LiveEvent(speech_ended_sample=self._to_session(at)))
                case UtteranceEnd(at):
                    ended = UtteranceEnded(sample=self._to_session(at), finalized=finalized)
                    await self._append(LiveEvent(utterance_ended=ended))

    async def end(self, sample_count: int, error: Status | None) -> None:
        """Tell that the session is over."""
        ended = LiveEnded(sample_count=sample_count, final_count=self.final_count, error=error)
        await self._append(LiveEvent(ended=ended))

    async def _tell_partial(self, segment: Segment) -> None:
        """Publish a partial without waiting: the next one replaces it, and a lost one is made up for by that."""
        self._revision += 1
        message = LivePartial(
            epoch=self._record.epoch,
            after_sequence=self._line.sequence,
            revision=self._revision,
            segment=to_proto(segment, with_words=self._with_words),
        )
        await self._bus.client.publish(self._partial_subject, message.SerializeToString())

    async def _append(self, event: LiveEvent) -> None:
        event.epoch = self._record.epoch

        def numbered(sequence: int) -> LiveEvent:
            event.sequence = sequence
            return event

        await self._line.append(numbered)
        self._revision = 0

    def _learn(self, event: LiveEvent) -> None:
        if event.WhichOneof("event") == "final":
            self.final_count += 1
            self.next_sample = event.resume_sample

    def _to_session(self, sample: int) -> int:
        """From the engine's samples to the session's."""
        return round(sample * self._record.sample_rate_hertz / SAMPLE_RATE)
