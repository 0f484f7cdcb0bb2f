"""Reading what the workers of a session publish: its event log, its partials and its progress."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from tiro.events.v1.live_pb2 import LiveEvent, LivePartial, LiveProgress, SessionRecord
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.operations import listening
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer, StreamState
from tiro_streamer.errors import history_gone, session_failed

UNREAD_MAX = 64
"""The most messages that the NATS client keeps. They are taken as they come, and wait only while the loop is busy."""


async def events(bus: Bus, record: SessionRecord) -> AsyncGenerator[LiveEvent]:
    """The events of a session from the first one on, each once.

    Raises:
        TiroError: SESSION_FAILED; an event is missing. SESSION_NOT_FOUND; the first events have expired.
    """
    last = 0
    subject = subjects.live_events(record.tenant, record.session_id)
    async with OrderedConsumer(bus, topology.LIVE_EVENTS, subject) as messages:
        async for message in messages:
            if isinstance(message, StreamState):
                continue
            event = LiveEvent.FromString(message.data)
            if event.sequence <= last:
                if event.HasField("ended"):  # no repetition: the reader would be gone
                    raise session_failed("events of the session are lost")
                continue  # stored twice, around a change of the stream's leader
            if not last and event.sequence > 1:
                raise history_gone()
            if event.sequence != last + 1:
                raise session_failed(f"event {last + 1} of the session is missing")
            last = event.sequence
            yield event


async def follow_partials(bus: Bus, record: SessionRecord, receive: Callable[[LivePartial], None]) -> None:
    """Pass on the partials of a session from now on, until cancelled. One may be missing: the next one replaces it."""

    async def parse(payload: bytes) -> None:
        receive(LivePartial.FromString(payload))

    await _listen(bus, subjects.live_partial(record.tenant, record.session_id), parse)


async def follow_progress(bus: Bus, record: SessionRecord, receive: Callable[[LiveProgress], None]) -> None:
    """Pass on the progress of a session's workers from now on, until cancelled. A message may be missing."""

    async def parse(payload: bytes) -> None:
        receive(LiveProgress.FromString(payload))

    await _listen(bus, subjects.live_progress(record.tenant, record.session_id), parse)


async def _listen(bus: Bus, subject: str, receive: Callable[[bytes], Coroutine[Any, Any, None]]) -> None:
    async with listening(bus, subject, receive, unread_max=UNREAD_MAX):
        await asyncio.get_running_loop().create_future()
