"""The output of a watcher, who follows a session."""

import asyncio
import itertools
from contextlib import aclosing

from tiro.events.v1.live_pb2 import LiveEvent
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.errors import MessagingError
from tiro_engines.backoff import backoff
from tiro_streamer.context.session import SessionContext
from tiro_streamer.errors import from_worker, session_failed
from tiro_streamer.output import event_reader
from tiro_streamer.records.history import find_session, last_event

CHECK_SECONDS = 5.0
"""How long a session has no new event before its record is read. Doubled for each further read."""
CHECK_SECONDS_MAX = 60.0

log = get_logger()


class SessionWatcher:
    """Follows one session for one client."""

    def __init__(self, context: SessionContext, *, partials: bool) -> None:
        self._context = context
        self._bus = context.streamer.bus
        self._record = context.record
        self._partials = partials and context.record.enable_interim_results

    async def run(self) -> None:
        """Forward past and new events until the session ends.

        Raises:
            TiroError: The error of the session or of the client's input; CLIENT_TOO_SLOW; or SESSION_NOT_FOUND, the
                events have expired.
        """
        client = self._context.client
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(client.run(), name="responses")
            others = [tasks.create_task(self._end_with_record(), name="record-check")]
            if self._partials:
                follow = event_reader.follow_partials(self._bus, self._record, client.offer_partial)
                others.append(tasks.create_task(follow, name="partials"))
            error = await self._forward_events()
            for running in others:
                running.cancel()
            client.close()
        if error is not None:
            raise error

    async def _forward_events(self) -> Exception | None:
        """Forward the events up to the last one, and return the error that ended the session."""
        ending = self._context.ending
        async with aclosing(event_reader.events(self._bus, self._record)) as events:
            async for event in events:
                if not event.HasField("ended"):
                    await self._forward(event)
                    continue
                if event.ended.HasField("error"):
                    return from_worker(event.ended.error)
                await ending.input_stored.wait()
                if ending.input_fault is not None:
                    return ending.input_fault
                await self._forward(event)
                break
        return None

    async def _forward(self, event: LiveEvent) -> None:
        if event.sequence > self._context.after_sequence:
            await self._context.client.put(self._context.responses.of_event(event))

    async def _end_with_record(self) -> None:
        """Find out by the record when a session has ended without a last event, because no worker owned it.

        That is rare, so the record is read at growing intervals.

        Raises:
            TiroError: The error with which the session ended.
        """
        for checks in itertools.count(1):
            try:
                record = await find_session(self._bus, self._record.tenant, self._record.session_id)
                if record.state == record.STATE_ENDED:
                    newest = await last_event(self._bus, record)
                    if not newest.HasField("ended"):
                        raise (
                            from_worker(record.error)
                            if record.HasField("error")
                            else session_failed("the session has ended")
                        )
                    return
            except MessagingError as error:
                log.debug("session_not_checked", error=repr(error))
            await asyncio.sleep(backoff(checks, first_seconds=CHECK_SECONDS, seconds_max=CHECK_SECONDS_MAX))
