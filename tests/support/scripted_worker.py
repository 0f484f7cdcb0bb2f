"""A worker for live sessions that recognizes nothing: it speaks the whole protocol over NATS and counts samples.

After each piece of audio it publishes a partial, at each finalize and at the end a final; their text is the number of
samples since the last final.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from google.rpc.status_pb2 import Status
from nats.errors import Error
from nats.errors import TimeoutError as NatsTimeoutError

from tiro.events.v1.live_pb2 import (
    LiveConfigRefused,
    LiveConfigUpdated,
    LiveEnded,
    LiveEvent,
    LiveInput,
    LivePartial,
    LiveProgress,
    OwnerChanged,
    SessionRecord,
    SessionTask,
    UtteranceEnded,
)
from tiro.events.v1.route_pb2 import Route
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.speech.v1.transcript_pb2 import (
    WARNING_REASON_STAGE_FAILED,
    Segment,
    Warning,  # noqa: A004 - the contract's word
)
from tiro.transcription.v1.engine_pb2 import Engine
from tiro_core.clock import duration_of, now
from tiro_core.ids import new_id
from tiro_core.leases.owned_record import new_lease
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.cancellation import preserving_cancellation
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict, MessagingError
from tiro_core.messaging.event_log import EventLog
from tiro_core.messaging.operations import StoredMessage
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer
from tiro_core.messaging.records import RecordStore, Stored

LEASE_SECONDS = 3.0
RENEW_SECONDS = 1.0
FETCH_SECONDS = 0.5


@dataclass(slots=True)
class Script:
    """Deviations from a correct worker."""

    reports_progress: bool = True
    """Whether it publishes what it has processed."""
    claims: bool = True
    """Whether it claims sessions."""
    fails_with: Status | None = None
    """The error with which it ends each session at the first audio, after the finals of that audio."""
    partials_after_event: int | None = None
    """Sequence of the event that its partials claim to follow, instead of the last one's."""
    finals_per_input: int = 0
    """Finals after each piece of audio."""
    final_text: str = ""
    """The text of those finals."""
    warning: str = ""
    """A warning about each final. Empty: none."""


@dataclass(slots=True)
class Received:
    """What a worker has received of one session."""

    record: SessionRecord
    inputs: list[LiveInput] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pcm16(self) -> bytes:
        """All samples, in the order of the audio log."""
        return b"".join(message.pcm16 for message in self.inputs)

    def check_contiguous(self) -> None:
        """Fail when a sample or a control is missing, or there twice."""
        position = controls = 0
        for message in self.inputs:
            assert (message.first_sample, message.first_control) == (position, controls)
            position += len(message.pcm16) // 2
            controls += message.WhichOneof("input") in {"finalize", "update_config"}


class ScriptedWorker:
    """One worker. Use `running_worker`."""

    def __init__(self, bus: Bus, engine: str, *, session_slots: int = 8, sessions: int = 0) -> None:
        self._bus = bus
        self._sessions = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
        self._workers = RecordStore(bus, topology.WORKERS_BUCKET, WorkerRecord)
        self.script = Script()
        self.record = WorkerRecord(
            worker_id=new_id(),
            engine=engine,
            model="counter",
            language_codes=["en", "es"],
            capabilities=[
                Engine.CAPABILITY_LIVE,
                Engine.CAPABILITY_LANGUAGE_DETECTION,
                Engine.CAPABILITY_HOTWORDS,
                Engine.CAPABILITY_REPLACEMENTS,
            ],
            regions=["eu-west-1"],
            session_slots=session_slots,
            sessions=sessions,
            start_time=now(),
        )
        self.received: dict[str, Received] = {}
        self._serving: list[_Session] = []
        self.claimed = asyncio.Condition()

    async def only_session(self) -> Received:
        """The one session it has claimed, as soon as it has."""
        async with self.claimed:
            await self.claimed.wait_for(lambda: bool(self.received))
        [received] = self.received.values()
        return received

    async def report_progress(self) -> None:
        """Publish the progress of every session, and from now on with each piece of audio."""
        self.script.reports_progress = True
        for session in self._serving:
            await session.publish_progress()

    async def run(self) -> None:
        """Renew the record and serve sessions, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stay_registered())
            while True:
                try:
                    await self._take(tasks)
                except Error:  # NATS is away
                    await asyncio.sleep(FETCH_SECONDS)

    async def leave(self) -> None:
        """Delete its record, as at its end."""
        await self._workers.delete(self.record.worker_id)

    async def register(self) -> None:
        """Write its record, which says that it is alive."""
        await self._workers.put(self.record.worker_id, self.record)

    async def _stay_registered(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            with suppress(MessagingError):  # the next renewal may succeed
                await self.register()

    async def _take(self, tasks: asyncio.TaskGroup) -> None:
        engine, model = self.record.engine, self.record.model
        consumer = await topology.ensure_session_consumer(self._bus, engine, model)
        subscription = await self._bus.jetstream.pull_subscribe_bind(consumer, topology.SESSIONS)
        while True:
            try:
                [message] = await preserving_cancellation(subscription.fetch(1, timeout=FETCH_SECONDS))
            except NatsTimeoutError:
                continue
            if not self.script.claims:
                continue
            await message.ack()
            tasks.create_task(self._serve(SessionTask.FromString(message.data)))

    async def _serve(self, task: SessionTask) -> None:
        key = subjects.record(task.tenant, task.session_id)
        claimed = await self._claim(key)
        if claimed is None:
            return
        session = _Session(self._bus, claimed.value, self.script)
        self.received[task.session_id] = session.received
        self._serving.append(session)
        async with self.claimed:
            self.claimed.notify_all()
        await session.run(self.record.worker_id)

        def end(record: SessionRecord) -> None:
            record.state = SessionRecord.STATE_ENDED

        await self._sessions.mutate(key, end)
        audio = subjects.live_audio(task.tenant, task.session_id)
        await self._bus.jetstream.purge_stream(topology.LIVE_AUDIO, subject=audio)
        session.received.ended.set()

    async def _claim(self, key: str) -> Stored[SessionRecord] | None:
        stored = await self._sessions.get(key)
        if stored is None or stored.value.state != SessionRecord.STATE_WAITING:
            return None
        stored.value.state = SessionRecord.STATE_ACTIVE
        stored.value.epoch += 1
        stored.value.lease.CopyFrom(new_lease(self.record.worker_id, LEASE_SECONDS))
        try:
            return await self._sessions.update(key, stored.value, stored)
        except Conflict:
            return None


class _Session:
    def __init__(self, bus: Bus, record: SessionRecord, script: Script) -> None:
        self.received = Received(record)
        self._bus = bus
        self._script = script
        self._rate = record.sample_rate_hertz
        self._subject = subjects.live_events(record.tenant, record.session_id)
        self._event_log = EventLog(bus, topology.LIVE_EVENTS, self._subject, LiveEvent, lambda event: event.sequence)
        self._samples = self._final_from = self._finals = self._revision = 0

    async def run(self, worker_id: str) -> None:
        record = self.received.record
        await self._append(LiveEvent(owner_changed=OwnerChanged(worker_id=worker_id, route=_route_of(record))))
        subject = subjects.live_audio(record.tenant, record.session_id)
        async with OrderedConsumer(self._bus, topology.LIVE_AUDIO, subject) as tail:
            async for entry in tail:
                if isinstance(entry, StoredMessage) and await self._take(LiveInput.FromString(entry.data)):
                    return

    async def _take(self, message: LiveInput) -> bool:
        """Whether the session is over."""
        self.received.inputs.append(message)
        kind = message.WhichOneof("input")
        if kind == "pcm16":
            self._samples += len(message.pcm16) // 2
            if self._script.reports_progress:
                await self.publish_progress()
            await self._publish_partial()
            for _ in range(self._script.finals_per_input):
                await self._final(self._script.final_text)
            if self._script.fails_with is not None:
                await self._end(self._script.fails_with)
                return True
        elif kind == "finalize":
            await self._final()
            ended = UtteranceEnded(sample=self._samples, finalized=True)
            await self._append(LiveEvent(utterance_ended=ended, answered_controls=message.first_control + 1))
        elif kind == "update_config":
            changed = LiveConfigUpdated(sample=self._samples, recognition=self.received.record.recognition)
            changed.recognition.hotwords[:] = message.update_config.hotwords.phrases
            changed.recognition.replacements.extend(message.update_config.replacements.pairs)
            await self._append(LiveEvent(config_updated=changed, answered_controls=message.first_control + 1))
        elif kind == "refused_update":
            refused = LiveConfigRefused(sample=self._samples, error=message.refused_update)
            await self._append(LiveEvent(config_refused=refused, answered_controls=message.first_control + 1))
        elif kind == "pause":
            await self._final()
        else:
            if not message.end.HasField("error"):
                await self._final()
            await self._end(message.end.error if message.end.HasField("error") else None)
            return True
        return False

    async def _end(self, error: Status | None) -> None:
        await self._append(
            LiveEvent(ended=LiveEnded(sample_count=self._samples, final_count=self._finals, error=error))
        )

    async def _final(self, text: str = "") -> None:
        if self._samples == self._final_from and not text:
            return
        warning = Warning(reason=WARNING_REASON_STAGE_FAILED, message=self._script.warning)
        await self._append(LiveEvent(final=self._segment(text), warnings=[warning] if self._script.warning else []))
        self._final_from = self._samples
        self._finals += 1

    async def publish_progress(self) -> None:
        """Publish the number of processed samples."""
        record = self.received.record
        subject = subjects.live_progress(record.tenant, record.session_id)
        progress = LiveProgress(epoch=record.epoch, processed_sample=self._samples)
        await self._bus.client.publish(subject, progress.SerializeToString())

    async def _publish_partial(self) -> None:
        self._revision += 1
        after = self._script.partials_after_event
        partial = LivePartial(
            epoch=self.received.record.epoch,
            after_sequence=self._event_log.sequence if after is None else after,
            revision=self._revision,
            segment=self._segment(),
        )
        record = self.received.record
        subject = subjects.live_partial(record.tenant, record.session_id)
        await self._bus.client.publish(subject, partial.SerializeToString())

    def _segment(self, text: str = "") -> Segment:
        return Segment(
            text=text or str(self._samples - self._final_from),
            start_offset=duration_of(self._final_from, self._rate),
            end_offset=duration_of(self._samples, self._rate),
        )

    async def _append(self, event: LiveEvent) -> None:
        event.epoch = self.received.record.epoch

        def numbered(sequence: int) -> LiveEvent:
            event.sequence = sequence
            return event

        await self._event_log.append(numbered)


@asynccontextmanager
async def running_worker(
    bus: Bus, engine: str, *, session_slots: int = 8, sessions: int = 0
) -> AsyncIterator[ScriptedWorker]:
    """A registered worker that runs until the context ends, and then stops without deleting its record."""
    worker = ScriptedWorker(bus, engine, session_slots=session_slots, sessions=sessions)
    await worker.register()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(worker.run())
        try:
            yield worker
        finally:
            running.cancel()


def _route_of(record: SessionRecord) -> Route:
    return Route(engine=record.recognition.engine, model=record.recognition.model)
