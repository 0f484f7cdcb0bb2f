"""The output of a live session: finals and states on a fenced event log, partials and progress beside it.

All texts of a session leave the worker through this module, after they have passed the session's stages. The one
exception is the context of a final: the next owner's engine needs its text as the engine wrote it.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import aclosing

from google.rpc.status_pb2 import Status

from tiro.events.v1.live_pb2 import (
    LiveConfigRefused,
    LiveConfigUpdated,
    LiveEnded,
    LiveEvent,
    LivePartial,
    LiveProgress,
    OwnerChanged,
    SessionRecord,
    UtteranceEnded,
)
from tiro.events.v1.route_pb2 import Route
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import BusUnavailable
from tiro_core.messaging.event_log import EventLog, Fenced
from tiro_core.messaging.operations import broadcast
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
from tiro_transcriber import metrics
from tiro_transcriber.engine.conversion import to_proto, warning_to_proto
from tiro_transcriber.pipeline.pipeline import Pipeline
from tiro_transcriber.sessions.event_state import EventState
from tiro_transcriber.sessions.stored_log import newest_message, stored_messages

TAKE_OVER_TRIES_MAX = 5
"""How often a take-over is tried again because the owner before has written once more."""
TAKE_OVER_WAIT_SECONDS_MAX = 0.1
"""The longest wait between two of these tries. It is random: an owner that writes regularly does not win every time."""


class EventsLost(Exception):  # noqa: N818 - reads as the condition it reports
    """The event log lacks events of the session: they have expired, or were deleted. The session cannot continue."""


class SessionOutput:
    """The writing end of a session's events.

    Attributes:
        events: The state that follows from the event log.
    """

    def __init__(self, bus: Bus, record: SessionRecord) -> None:
        self._bus = bus
        self._record = record
        self._subject = subjects.live_events(record.tenant, record.session_id)
        self._partial_subject = subjects.live_partial(record.tenant, record.session_id)
        self._progress_subject = subjects.live_progress(record.tenant, record.session_id)
        self._log = EventLog(bus, topology.LIVE_EVENTS, self._subject, LiveEvent, lambda event: event.sequence)
        self._config = record.recognition
        self._pipeline: Pipeline | None = None
        self._revision = 0
        self.events = EventState()

    async def take_over(self, worker_id: str) -> bool:
        """Read the events that owners before have published, then fence these owners.

        Returns:
            Whether the session continues: False when an owner before has published its end.

        Raises:
            EventsLost: The log lacks events of owners before. Only `end` may be called after that.
            Fenced: An owner before has written in between at every try.
            BusUnavailable: NATS stayed away.
        """
        for remaining in reversed(range(TAKE_OVER_TRIES_MAX)):
            # The last try reads the whole log rather than the checkpoint.
            is_whole = await self._read_log(from_checkpoint=remaining > 0)
            if self.events.ended is not None:
                return False
            if not is_whole:
                raise EventsLost(f"events of the session are lost; the last one known is {self.events.sequence}")
            try:
                await self._append(LiveEvent(owner_changed=self._owner_changed(worker_id)))
            except Fenced:  # the owner before has written once more
                await asyncio.sleep(random.uniform(0, TAKE_OVER_WAIT_SECONDS_MAX))  # noqa: S311 - keeps no secret
                continue
            return True
        raise Fenced(self._subject)

    @property
    def first_sample(self) -> int:
        """The sample at which a new owner begins to decode: that of the context, if there is one."""
        context = self.events.context
        return context.first_sample if context else self.events.next_sample

    @property
    def context(self) -> CommittedContext | None:
        """The context of the last final, in the engine's samples."""
        context = self.events.context
        if context is None:
            return None
        end = self.to_engine(self.events.next_sample)
        return CommittedContext(context.text, self.to_engine(context.first_sample), end)

    @property
    def error(self) -> Status | None:
        """The error with which an owner before has ended the session. None: it ended without one, or has not ended."""
        ended = self.events.ended
        return ended.error if ended is not None and ended.HasField("error") else None

    def use(self, config: RecognitionConfig, pipeline: Pipeline) -> None:
        """Process texts by these stages from now on, and describe them as this config asks."""
        self._config, self._pipeline = config, pipeline

    async def publish(self, updates: Sequence[SessionUpdate], *, answers: int = 0) -> None:
        """Publish updates of the engine's session, in order.

        States of an utterance that is decoded again, which an owner before has published, are left out.

        Args:
            updates: The updates.
            answers: The number of the caller's control that they answer. 0: none.

        Raises:
            Fenced: Another owner has taken over.
            StreamFull: NATS has no room for the events.
            BusUnavailable: NATS did not answer.
        """
        for update in updates:
            match update:
                case Partial(segment):
                    await self._publish_partial(segment)
                case Final():
                    await self._append(await self._final_event(update))
                case SpeechStarted(at):
                    await self._publish_speech(self._to_session(at), speaking=True)
                case SpeechEnded(at):
                    await self._publish_speech(self._to_session(at), speaking=False)
                case UtteranceEnd(at):
                    await self._publish_utterance_end(self._to_session(at), answers)

    async def publish_config(self, update: LiveConfigUpdated, *, answers: int) -> None:
        """Publish the config that is used from a sample on, and the number of the control that asked for it."""
        await self._append(LiveEvent(config_updated=update, answered_controls=answers))

    async def publish_refusal(self, sample: int, error: Status, *, answers: int) -> None:
        """Publish why a change of the config at a sample was refused, and the number of the control that asked."""
        refused = LiveConfigRefused(sample=sample, error=error)
        await self._append(LiveEvent(config_refused=refused, answered_controls=answers))

    async def publish_progress(self, processed_sample: int) -> None:
        """Publish the processed sample, without waiting: the next one replaces it."""
        message = LiveProgress(epoch=self._record.epoch, processed_sample=processed_sample)
        await self._broadcast(self._progress_subject, message.SerializeToString())

    async def end(self, sample_count: int, error: Status | None, upload_id: str = "") -> None:
        """Publish the end of the session, unless an owner before has published it."""
        if self.events.ended is not None:
            return
        final_count = self.events.final_count
        ended = LiveEnded(sample_count=sample_count, final_count=final_count, error=error, upload_id=upload_id)
        await self._append(LiveEvent(ended=ended))

    def to_engine(self, sample: int) -> int:
        """Convert a sample of the session to one of the engine."""
        return round(sample * SAMPLE_RATE / self._record.sample_rate_hertz)

    def _to_session(self, sample: int) -> int:
        return round(sample * self._record.sample_rate_hertz / SAMPLE_RATE)

    def _owner_changed(self, worker_id: str) -> OwnerChanged:
        route = Route(engine=self._record.recognition.engine, model=self._record.recognition.model)
        before = self.events.route
        return OwnerChanged(
            worker_id=worker_id,
            first_sample=self.events.next_sample,
            route=route,
            engine_changed=before is not None and before != route,
        )

    async def _final_event(self, final: Final) -> LiveEvent:
        processed = await self._stages().process(final.segment)
        event = LiveEvent(
            final=to_proto(processed.segment, self._config),
            resume_sample=self._to_session(final.resume_at),
            warnings=[
                *(warning_to_proto(warning) for warning in final.warnings),
                *(failure.warning() for failure in processed.failures),
            ],
        )
        if final.context is not None:
            event.context.first_sample = self._to_session(final.context.start)
            event.context.text = final.context.text
        return event

    async def _publish_speech(self, sample: int, *, speaking: bool) -> None:
        if speaking == self.events.speaking or sample < self.events.utterance_ended_sample:
            return
        await self._append(
            LiveEvent(speech_started_sample=sample) if speaking else LiveEvent(speech_ended_sample=sample)
        )

    async def _publish_utterance_end(self, sample: int, answers: int) -> None:
        if not answers and sample <= self.events.utterance_ended_sample:
            return
        ended = UtteranceEnded(sample=sample, finalized=answers > 0)
        await self._append(LiveEvent(utterance_ended=ended, answered_controls=answers))

    async def _publish_partial(self, segment: Segment) -> None:
        """Publish a partial without waiting: the next one replaces it, also where this one is lost."""
        processed = await self._stages().process_partial(segment)
        if processed is None:
            return
        self._revision += 1
        message = LivePartial(
            epoch=self._record.epoch,
            after_sequence=self.events.sequence,
            revision=self._revision,
            segment=to_proto(processed, self._config),
        )
        await self._broadcast(self._partial_subject, message.SerializeToString())

    async def _broadcast(self, subject: str, payload: bytes) -> None:
        """Send a message that the next one replaces. It is dropped where too much waits for NATS already."""
        try:
            await broadcast(self._bus, subject, payload)
        except BusUnavailable:
            metrics.SESSION_MESSAGES_DROPPED.inc()

    def _stages(self) -> Pipeline:
        if self._pipeline is None:
            raise AssertionError("texts are published only after `use`")
        return self._pipeline

    async def _append(self, event: LiveEvent) -> None:
        event.epoch = self._record.epoch

        def numbered(sequence: int) -> LiveEvent:
            event.sequence = sequence
            return event

        await self._log.append(numbered)
        self._revision = 0
        if event.sequence == self.events.sequence + 1:
            self.events.apply(event, self._log.stream_sequence)
        elif not await self._read_log(from_checkpoint=True):
            # The event before it was stored as well, although its write was reported as uncertain.
            raise EventsLost(f"events of the session are lost before {event.sequence}")

    async def _read_log(self, *, from_checkpoint: bool) -> bool:
        """Read the event log to its end. Returns whether it has all events."""
        newest = await newest_message(self._bus, topology.LIVE_EVENTS, self._subject)
        end = newest.sequence if newest is not None else 0
        checkpoint = self._record.checkpoint
        known = checkpoint.events
        self.events.restart(known if from_checkpoint and 0 < known.stream_sequence <= end else None)
        self.events.settle(checkpoint.sample)
        is_whole = True
        after = self.events.stream_sequence
        log = stored_messages(self._bus, topology.LIVE_EVENTS, self._subject, after=after, up_to=end)
        async with aclosing(log) as entries:
            async for entry in entries:
                event = LiveEvent.FromString(entry.data)
                is_whole &= event.sequence <= self.events.sequence + 1
                self.events.apply(event, entry.sequence)
        if self.events.sequence < known.sequence:
            is_whole = False
            self.events.restart(known)
            self.events.settle(checkpoint.sample)
        self._log.resume_at(self.events.sequence, end)
        return is_whole and (self.events.sequence > 0 or not checkpoint.sample)
