"""Following a session without speaking in it."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, contextmanager

from tiro.events.v1.live_pb2 import LiveEvent, SessionRecord
from tiro_core.messaging.connection import Bus
from tiro_streamer.errors import from_worker, session_failed, too_many_watchers
from tiro_streamer.metrics import WATCHERS
from tiro_streamer.output import event_reader
from tiro_streamer.output.responses import ResponseBuilder
from tiro_streamer.output.writer import ResponseWriter
from tiro_streamer.session.history import find_session, last_event

OVER_CHECK_SECONDS = 5.0
"""How often to see whether a session that says nothing has ended without a word: nobody took it."""


class WatcherLimit:
    """Counts those who follow."""

    def __init__(self, watchers_max: int) -> None:
        self._max = watchers_max
        self._inside = 0

    @contextmanager
    def entered(self) -> Iterator[None]:
        """One who follows.

        Raises:
            TiroError: TOO_MANY_WATCHERS.
        """
        if self._inside >= self._max:
            raise too_many_watchers()
        self._inside += 1
        try:
            with WATCHERS.track_inprogress():
                yield
        finally:
            self._inside -= 1


class SessionWatcher:
    """One who follows one session."""

    def __init__(
        self,
        bus: Bus,
        record: SessionRecord,
        *,
        responder: ResponseWriter,
        responses: ResponseBuilder,
        after_sequence: int,
        partials: bool,
    ) -> None:
        self._bus = bus
        self._record = record
        self._responder = responder
        self._responses = responses
        self._after_sequence = after_sequence
        self._partials = partials and record.enable_interim_results
        self._sequence = 0

    async def run(self) -> None:
        """Pass on what happened and what happens, until the session ends.

        Raises:
            TiroError: What the session ended with, CLIENT_TOO_SLOW, or that its history is gone.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._responder.run(), name="responses")
            beside = [tasks.create_task(self._end_if_over(), name="over")]
            if self._partials:
                beside.append(tasks.create_task(self._forward_partials(), name="partials"))
            error = await self._forward_events()
            for running in beside:
                running.cancel()
            self._responder.close()
        if error is not None:
            raise error

    async def _forward_events(self) -> Exception | None:
        """Pass on the events until the last one, and return the error that it tells."""
        async with aclosing(event_reader.events(self._bus, self._record.tenant, self._record.session_id)) as events:
            async for event in events:
                self._sequence = event.sequence
                if event.ended.HasField("error"):
                    return from_worker(event.ended.error)
                await self._pass_on(event)
                if event.HasField("ended"):
                    break
        return None

    async def _pass_on(self, event: LiveEvent) -> None:
        if event.sequence > self._after_sequence:
            await self._responder.put(self._responses.of_event(event))

    async def _forward_partials(self) -> None:
        record = self._record
        await event_reader.follow_partials(self._bus, record.tenant, record.session_id, self._responder.offer_partial)

    async def _end_if_over(self) -> None:
        """Notice a session that has ended and will not say so.

        Raises:
            TiroError: Why it ended.
        """
        while True:
            record = await find_session(self._bus, self._record.tenant, self._record.session_id)
            if record.state == SessionRecord.STATE_ENDED:
                newest = await last_event(self._bus, record)
                if not newest.HasField("ended"):
                    raise from_worker(record.error) if record.HasField("error") else session_failed("it ended unsaid")
                return
            await asyncio.sleep(OVER_CHECK_SECONDS)
