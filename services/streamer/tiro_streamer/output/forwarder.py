"""The output of a session's own client: events and partials of the worker, acknowledgements, lag."""

import asyncio
import time
from contextlib import aclosing

from tiro.events.v1.live_pb2 import LiveEvent, LiveProgress
from tiro.events.v1.route_pb2 import Route
from tiro_core.logs.logger import get_logger
from tiro_streamer.audio_log.position import LogPosition
from tiro_streamer.audio_log.writer import AudioLogWriter
from tiro_streamer.context.session import SessionContext
from tiro_streamer.errors import from_worker
from tiro_streamer.output import event_reader
from tiro_streamer.responses.builder import of_lag

ACKNOWLEDGE_SECONDS = 0.5
"""How often stored audio is acknowledged to the client."""
LAG_SECONDS = 2.0
"""The lag of a worker from which on it is reported to the client."""
CAUGHT_UP_SECONDS = 1.0
"""The lag up to which a worker has caught up, which is reported as well."""
LAG_INTERVAL_SECONDS = 1.0
"""The least time between two reports of a lag."""

log = get_logger()


class ResponseForwarder:
    """Forwards the messages of a session's workers to the session's client."""

    def __init__(self, context: SessionContext, audio_log: AudioLogWriter) -> None:
        self._context = context
        self._bus = context.streamer.bus
        self._record = context.record
        self._ending = context.ending
        self._audio_log = audio_log
        self._acknowledged = LogPosition()
        self._lag_seconds = 0.0
        self._lag_reported_at = 0.0
        self._epoch = 0
        self.owner = ""
        """The id of the worker that owns the session."""
        self.owner_seen_at = time.monotonic()
        """When that worker was last seen: its last message, by the monotonic clock."""
        self.owned = asyncio.Event()
        """Set once a worker owns the session."""

    async def forward_events(self) -> None:
        """Forward the events up to the last one.

        Raises:
            TiroError: The worker has ended the session with an error.
        """
        async with aclosing(event_reader.events(self._bus, self._record)) as events:
            async for event in events:
                if event.HasField("ended"):
                    await self._forward_end(event)
                    return
                await self._forward(event)
                if event.HasField("owner_changed"):
                    self._note_owner(event)

    async def forward_partials(self) -> None:
        """Forward the partials until cancelled."""
        await event_reader.follow_partials(self._bus, self._record, self._context.client.offer_partial)

    async def follow_progress(self) -> None:
        """Report the worker's progress to the audio log, until cancelled."""

        def note(progress: LiveProgress) -> None:
            if progress.epoch >= self._epoch:  # that of a worker that was replaced is ignored
                self.owner_seen_at = time.monotonic()
                self._audio_log.note_processed(progress.processed_sample)

        await event_reader.follow_progress(self._bus, self._record, note)

    async def report(self) -> None:
        """Acknowledge stored audio, and report a lag of the worker, until cancelled."""
        while True:
            await asyncio.sleep(ACKNOWLEDGE_SECONDS)
            self._acknowledge()
            self._report_lag()

    async def _forward(self, event: LiveEvent) -> None:
        if event.sequence > self._context.after_sequence:
            await self._context.client.put(self._context.responses.of_event(event))

    async def _forward_end(self, event: LiveEvent) -> None:
        """Forward the last event, unless input of this client is missing from the session."""
        if event.ended.HasField("error"):
            self._ending.worker_error = from_worker(event.ended.error)
        self._ending.ended_by_worker.set()
        if self._ending.worker_error is not None:
            raise self._ending.worker_error
        await self._ending.input_stored.wait()
        self._acknowledge()
        if self._ending.input_fault is None:  # otherwise the call ends with the fault instead
            await self._forward(event)

    def _note_owner(self, event: LiveEvent) -> None:
        changed = event.owner_changed
        self._epoch, self.owner, self.owner_seen_at = event.epoch, changed.worker_id, time.monotonic()
        if changed.HasField("route"):  # workers of earlier versions do not send it
            self._follow_route(changed.route)
        self.owned.set()
        log.info("session_owned", worker_id=self.owner, epoch=event.epoch)

    def _follow_route(self, route: Route) -> None:
        """Note the session's present engine, against which changes of the config are checked."""
        self._record.recognition.engine, self._record.recognition.model = route.engine, route.model

    def _acknowledge(self) -> None:
        position = self._audio_log.position
        stored, acknowledged = (position.samples, position.controls), self._acknowledged
        if stored != (acknowledged.samples, acknowledged.controls):
            self._acknowledged = position
            self._context.client.offer_notice(self._context.responses.of_stored(position))

    def _report_lag(self) -> None:
        behind, now = self._audio_log.behind_seconds, time.monotonic()
        if behind < CAUGHT_UP_SECONDS:
            behind = 0.0
        if behind >= LAG_SECONDS and now - self._lag_reported_at < LAG_INTERVAL_SECONDS:
            return
        if behind >= LAG_SECONDS or (self._lag_seconds and not behind):
            self._lag_seconds, self._lag_reported_at = behind, now
            self._context.client.offer_notice(of_lag(behind))
