"""What goes out: the worker's events and partials, and what is stored, brought to the client."""

import asyncio
import time
from contextlib import aclosing

from tiro.events.v1.live_pb2 import LiveEvent, LiveProgress, SessionRecord
from tiro.events.v1.route_pb2 import Route
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.connection import Bus
from tiro_streamer.audio_log.writer import AudioLogWriter
from tiro_streamer.errors import from_worker
from tiro_streamer.input.reader import RequestReader
from tiro_streamer.output import event_reader
from tiro_streamer.output.responses import ResponseBuilder, of_lag
from tiro_streamer.output.writer import ResponseWriter

ACKNOWLEDGE_SECONDS = 0.5
"""How often the client is told how much is stored."""
LAG_SECONDS = 2.0
"""The client is told when the worker is so far behind."""
CAUGHT_UP_SECONDS = 1.0
"""And once more when it is behind no further than this."""
LAG_TOLD_SECONDS = 1.0
"""How often it is told at most."""

log = get_logger()


class ResponseForwarder:
    """Follows one session for its client."""

    def __init__(
        self,
        bus: Bus,
        record: SessionRecord,
        line: AudioLogWriter,
        intake: RequestReader,
        *,
        responder: ResponseWriter,
        responses: ResponseBuilder,
        after_sequence: int = 0,
    ) -> None:
        """`after_sequence` is the number of the last event that the client has already."""
        self._bus = bus
        self._record = record
        self._line = line
        self._intake = intake
        self._responder = responder
        self._responses = responses
        self._after_sequence = after_sequence
        self._acknowledged = (0, 0)
        self._lag_told = 0.0
        self._lag_told_at = 0.0
        self.owner = ""
        """The id of the worker that has the session."""
        self.heard_at = time.monotonic()
        """When the worker has last said anything."""
        self.owned = asyncio.Event()
        """Set once a worker has it."""
        self.ended = asyncio.Event()
        """Set once a worker has ended it."""

    async def forward_events(self) -> None:
        """Pass on the events until the last one.

        Raises:
            TiroError: The worker ended the session with an error.
        """
        async with aclosing(event_reader.events(self._bus, self._record.tenant, self._record.session_id)) as events:
            async for event in events:
                await self._take(event)
                if event.HasField("ended"):
                    return

    async def forward_partials(self) -> None:
        """Pass on the partials until cancelled."""
        record = self._record
        await event_reader.follow_partials(self._bus, record.tenant, record.session_id, self._responder.offer_partial)

    async def follow_progress(self) -> None:
        """Let the line know how much is heard, until cancelled."""

        async def take(progress: LiveProgress) -> None:
            self.heard_at = time.monotonic()
            await self._line.heard(progress.processed_sample)

        await event_reader.follow_progress(self._bus, self._record.tenant, self._record.session_id, take)

    async def acknowledge(self) -> None:
        """Tell now and then how much is stored, and how far the worker is behind, until cancelled."""
        while True:
            await asyncio.sleep(ACKNOWLEDGE_SECONDS)
            self._tell_stored()
            self._tell_lag()

    async def _take(self, event: LiveEvent) -> None:
        if event.HasField("ended"):
            self.ended.set()
            if event.ended.HasField("error"):
                raise from_worker(event.ended.error)
            self._tell_stored()
            if self._intake.fault is not None:  # a status follows instead
                return
        if event.sequence > self._after_sequence:
            await self._responder.put(self._responses.of_event(event))
        if event.HasField("owner_changed"):
            self.owner = event.owner_changed.worker_id
            self.heard_at = time.monotonic()
            if event.owner_changed.HasField("route"):  # workers from before routes do not say it
                self._follow_route(event.owner_changed.route)
            self.owned.set()
            log.info("session_owned", worker_id=self.owner, epoch=event.epoch)

    def _follow_route(self, route: Route) -> None:
        """Have the session's parts here know its engine: what a client changes is checked against what that can do."""
        self._record.recognition.engine, self._record.recognition.model = route.engine, route.model

    def _tell_stored(self) -> None:
        stored = (self._line.place.samples, self._line.place.controls)
        if stored != self._acknowledged:
            self._acknowledged = stored
            self._responder.offer_notice(self._responses.of_stored(*stored))

    def _tell_lag(self) -> None:
        behind, now = self._line.behind_seconds, time.monotonic()
        if behind < CAUGHT_UP_SECONDS:
            behind = 0.0
        if behind >= LAG_SECONDS and now - self._lag_told_at < LAG_TOLD_SECONDS:
            return
        if behind >= LAG_SECONDS or (self._lag_told and not behind):
            self._lag_told, self._lag_told_at = behind, now
            self._responder.offer_notice(of_lag(behind))
