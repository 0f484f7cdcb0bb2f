"""What goes out: the worker's events and partials, and what is stored, brought to the client."""

import asyncio
from contextlib import aclosing

from tiro.events.v1.live_pb2 import LiveEvent, SessionRecord
from tiro_core.bus.connection import Bus
from tiro_core.logs import get_logger
from tiro_streamer import following
from tiro_streamer.audio_line import AudioLine
from tiro_streamer.faults import from_worker
from tiro_streamer.intake import Intake
from tiro_streamer.responder import Responder
from tiro_streamer.responses import ResponseBuilder

ACKNOWLEDGE_SECONDS = 0.5
"""How often the client is told how much is stored."""

log = get_logger()


class Outlet:
    """Follows one session for its client."""

    def __init__(
        self,
        bus: Bus,
        record: SessionRecord,
        line: AudioLine,
        intake: Intake,
        *,
        responder: Responder,
        responses: ResponseBuilder,
    ) -> None:
        self._bus = bus
        self._record = record
        self._line = line
        self._intake = intake
        self._responder = responder
        self._responses = responses
        self._acknowledged = 0
        self.owner = ""
        """The id of the worker that has the session."""
        self.owned = asyncio.Event()
        """Set once a worker has it."""
        self.ended = asyncio.Event()
        """Set once a worker has ended it."""

    async def forward_events(self) -> None:
        """Pass on the events until the last one.

        Raises:
            TiroError: The worker ended the session with an error.
        """
        async with aclosing(following.events(self._bus, self._record.tenant, self._record.session_id)) as events:
            async for event in events:
                await self._take(event)
                if event.HasField("ended"):
                    return

    async def forward_partials(self) -> None:
        """Pass on the partials until cancelled."""
        async with aclosing(following.partials(self._bus, self._record.tenant, self._record.session_id)) as partials:
            async for partial in partials:
                self._responder.offer_partial(partial)

    async def acknowledge(self) -> None:
        """Tell now and then how much of the audio is stored, until cancelled."""
        while True:
            await asyncio.sleep(ACKNOWLEDGE_SECONDS)
            self._tell_stored()

    async def _take(self, event: LiveEvent) -> None:
        if event.HasField("ended"):
            self.ended.set()
            if event.ended.HasField("error"):
                raise from_worker(event.ended.error)
            self._tell_stored()
            if self._intake.fault is not None:  # a status follows instead
                return
        await self._responder.put(self._responses.of_event(event))
        if event.HasField("owner_changed"):
            self.owner = event.owner_changed.worker_id
            self.owned.set()
            log.info("session_owned", worker_id=self.owner, epoch=event.epoch)

    def _tell_stored(self) -> None:
        stored = self._line.stored_samples
        if stored > self._acknowledged:
            self._acknowledged = stored
            self._responder.offer_acknowledgement(self._responses.of_stored(stored))
