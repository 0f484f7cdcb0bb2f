"""What a session's owner tells: finals and states on a fenced line, partials beside it."""

from collections.abc import Sequence

from google.rpc.status_pb2 import Status

from tiro.events.v1.live_pb2 import (
    LiveConfigUpdated,
    LiveContext,
    LiveEnded,
    LiveEvent,
    LivePartial,
    LiveProgress,
    OwnerChanged,
    SessionRecord,
    UtteranceEnded,
)
from tiro.events.v1.route_pb2 import Route
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.event_log import EventLog, Fenced
from tiro_core.messaging.operations import broadcast
from tiro_core.messaging.ordered_consumer import OrderedConsumer, StreamState
from tiro_engines.interface import (
    SAMPLE_RATE,
    CommittedContext,
    Final,
    Partial,
    Segment,
    SessionUpdate,
    SpeechEnded,
    SpeechStarted,
    UtteranceEnd,
)
from tiro_transcriber.engine.conversion import to_proto

TAKE_OVER_TRIES_MAX = 5


class SessionOutput:
    """The writing end of a session's events."""

    def __init__(self, bus: Bus, record: SessionRecord) -> None:
        self._bus = bus
        self._record = record
        self._subject = subjects.live_events(record.tenant, record.session_id)
        self._partial_subject = subjects.live_partial(record.tenant, record.session_id)
        self._progress_subject = subjects.live_progress(record.tenant, record.session_id)
        self._line = EventLog(bus, topology.LIVE_EVENTS, self._subject, LiveEvent, lambda event: event.sequence)
        self._with_words = record.recognition.enable_word_time_offsets
        self._revision = 0
        self._has_ended = False
        self.ended_with: Status | None = None
        """The error with which an owner before has ended the session. None: without one, or it has not ended."""
        self._speaking = False
        self._utterance_told = -1
        self._updates_told: list[LiveConfigUpdated] = []
        self.final_count = 0
        self.answered_controls = 0
        """How many of the caller's controls are answered."""
        self._context: LiveContext | None = None
        """What the owner before had as context."""
        self._route: Route | None = None
        """Its engine and model."""
        self.engine_changed = False
        """Whether any owner had another engine or model than the one before it, this one included."""
        self.next_sample = 0
        """Everything before it is final or silence, in the session's samples: a new owner goes on from there."""

    async def take_over(self, worker_id: str) -> bool:
        """Learn what the owners before have told, then refuse whatever they may still write.

        Returns:
            Whether there is anything left to do: not when an owner before has told the end.
        """
        for _ in range(TAKE_OVER_TRIES_MAX):
            await self._learn()
            if self._has_ended:
                return False
            route = Route(engine=self._record.recognition.engine, model=self._record.recognition.model)
            changed = OwnerChanged(
                worker_id=worker_id,
                first_sample=self.next_sample,
                route=route,
                engine_changed=self._route is not None and self._route != route,
            )
            self.engine_changed |= changed.engine_changed
            try:
                await self._append(LiveEvent(owner_changed=changed))
            except Fenced:  # the owner before has written once more
                continue
            return True
        raise Fenced(self._subject)

    @property
    def first_sample(self) -> int:
        """Where a new owner begins to hear: at `next_sample`, or before, where the end of the last final is context."""
        return self._context.first_sample if self._context else self.next_sample

    @property
    def spoken(self) -> CommittedContext | None:
        """That context, in the engine's samples."""
        if self._context is None:
            return None
        return CommittedContext(self._context.text, self.to_engine(self.first_sample), self.to_engine(self.next_sample))

    def config_at(self, sample: int) -> LiveConfigUpdated | None:
        """The config that an owner before has told for this sample. None: the record's."""
        told = [update for update in self._updates_told if update.sample <= sample]
        return told[-1] if told else None

    async def tell(self, updates: Sequence[SessionUpdate], *, answers: int = 0) -> None:
        """Tell what the engine's session has said, in order.

        What an owner before has told of an utterance that is now heard again is not told once more.

        Args:
            updates: What it said.
            answers: The number of the control that had asked for it. 0: none had.
        """
        for update in updates:
            match update:
                case Partial(segment):
                    await self._tell_partial(segment)
                case Final(segment, resume_at, context):
                    self.final_count += 1
                    self.next_sample = self._to_session(resume_at)
                    final = to_proto(segment, with_words=self._with_words)
                    event = LiveEvent(final=final, resume_sample=self.next_sample)
                    if context is not None:
                        event.context.first_sample = self._to_session(context.start)
                        event.context.text = context.text
                    await self._append(event)
                case SpeechStarted(at):
                    await self._tell_speech(self._to_session(at), speaking=True)
                case SpeechEnded(at):
                    await self._tell_speech(self._to_session(at), speaking=False)
                case UtteranceEnd(at):
                    await self._tell_utterance_end(self._to_session(at), answers)

    async def tell_config(self, update: LiveConfigUpdated, *, answers: int) -> None:
        """Tell the config that is used from a sample on, and the number of the control that asked for it."""
        await self._append(LiveEvent(config_updated=update, answered_controls=answers))

    async def end(self, sample_count: int, error: Status | None, upload_id: str = "") -> None:
        """Tell that the session is over, unless an owner before has."""
        if self._has_ended:
            return
        ended = LiveEnded(sample_count=sample_count, final_count=self.final_count, error=error, upload_id=upload_id)
        await self._append(LiveEvent(ended=ended))

    async def _tell_speech(self, sample: int, *, speaking: bool) -> None:
        if speaking == self._speaking or sample < self._utterance_told:
            return
        self._speaking = speaking
        event = LiveEvent(speech_started_sample=sample) if speaking else LiveEvent(speech_ended_sample=sample)
        await self._append(event)

    async def _tell_utterance_end(self, sample: int, answers: int) -> None:
        if not answers and sample <= self._utterance_told:
            return
        self._utterance_told = sample
        ended = UtteranceEnded(sample=sample, finalized=answers > 0)
        await self._append(LiveEvent(utterance_ended=ended, answered_controls=answers))

    async def _tell_partial(self, segment: Segment) -> None:
        """Publish a partial without waiting: the next one replaces it, and a lost one is made up for by that."""
        self._revision += 1
        message = LivePartial(
            epoch=self._record.epoch,
            after_sequence=self._line.sequence,
            revision=self._revision,
            segment=to_proto(segment, with_words=self._with_words),
        )
        await broadcast(self._bus, self._partial_subject, message.SerializeToString())

    async def tell_progress(self, processed_sample: int) -> None:
        """Publish how far the session is heard, without waiting: the next one says more."""
        message = LiveProgress(epoch=self._record.epoch, processed_sample=processed_sample)
        await broadcast(self._bus, self._progress_subject, message.SerializeToString())

    async def _append(self, event: LiveEvent) -> None:
        event.epoch = self._record.epoch

        def numbered(sequence: int) -> LiveEvent:
            event.sequence = sequence
            return event

        await self._line.append(numbered)
        self._revision = 0

    async def _learn(self) -> None:
        self.final_count = self.answered_controls = self.next_sample = 0
        self._context = None
        self._updates_told.clear()
        async with OrderedConsumer(self._bus, topology.LIVE_EVENTS, self._subject) as tail:
            async for entry in tail:
                if isinstance(entry, StreamState):
                    self._go_on_from(self._record.checkpoint.sample)
                    return
                event = LiveEvent.FromString(entry.data)
                self._line.resume_at(event, entry.sequence)
                self._learn_from(event)

    def _go_on_from(self, settled: int) -> None:
        """Everything before a sample is settled: what ends there or before is no context any more."""
        if settled >= self.next_sample:
            self.next_sample, self._context = settled, None

    def _learn_from(self, event: LiveEvent) -> None:
        self.answered_controls = max(self.answered_controls, event.answered_controls)
        match event.WhichOneof("event"):
            case "owner_changed":
                changed = event.owner_changed
                self.engine_changed |= changed.engine_changed
                self._route = changed.route if changed.HasField("route") else self._route
            case "final":
                self.final_count += 1
                self.next_sample = event.resume_sample
                self._context = event.context if event.HasField("context") else None
                # Of the configs told before, a new owner needs the last one only.
                told = [update for update in self._updates_told if update.sample <= self.next_sample]
                self._updates_told = [*told[-1:], *self._updates_told[len(told) :]]
            case "speech_started_sample":
                self._speaking = True
            case "speech_ended_sample":
                self._speaking = False
            case "utterance_ended":
                self._utterance_told = event.utterance_ended.sample
            case "config_updated":
                self._updates_told.append(event.config_updated)
            case "ended":
                self._has_ended = True
                self.ended_with = event.ended.error if event.ended.HasField("error") else None

    def to_engine(self, sample: int) -> int:
        """From the session's samples to the engine's."""
        return round(sample * SAMPLE_RATE / self._record.sample_rate_hertz)

    def _to_session(self, sample: int) -> int:
        return round(sample * self._record.sample_rate_hertz / SAMPLE_RATE)
