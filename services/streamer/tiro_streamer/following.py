"""Reading what the workers write about a session: its line of events, and its partials."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from tiro.events.v1.live_pb2 import LiveEvent, LivePartial, LiveProgress
from tiro_core.bus import subjects, topology
from tiro_core.bus.connection import Bus
from tiro_core.bus.tail import Tail
from tiro_streamer.faults import history_gone, session_failed

UNREAD_MAX = 64
"""Messages that NATS's client keeps for us. They are taken as they come: some wait only while the loop is busy."""


async def events(bus: Bus, tenant: str, session_id: str) -> AsyncGenerator[LiveEvent]:
    """The events of a session from the first one on, each once.

    Raises:
        TiroError: SESSION_FAILED; one is missing. SESSION_NOT_FOUND; the first ones are kept no longer.
    """
    last = 0
    async with Tail(bus, topology.LIVE_EVENTS, subjects.live_events(tenant, session_id)) as tail:
        async for entry in tail:
            if entry is None:
                continue
            event = LiveEvent.FromString(entry.data)
            if not last and event.sequence > 1:
                raise history_gone()
            if event.sequence != last + 1:
                raise session_failed(f"event {last + 1} of the session is missing")
            last = event.sequence
            yield event


async def partials(bus: Bus, tenant: str, session_id: str) -> AsyncGenerator[LivePartial]:
    """The partials of a session from now on. Some may be missing: each replaces those before it."""
    async with aclosing(_published(bus, subjects.live_partial(tenant, session_id))) as messages:
        async for data in messages:
            yield LivePartial.FromString(data)


async def progress(bus: Bus, tenant: str, session_id: str) -> AsyncGenerator[LiveProgress]:
    """How far the worker of a session is, from now on. Some may be missing: each says more than those before it."""
    async with aclosing(_published(bus, subjects.live_progress(tenant, session_id))) as messages:
        async for data in messages:
            yield LiveProgress.FromString(data)


async def _published(bus: Bus, subject: str) -> AsyncGenerator[bytes]:
    subscription = await bus.client.subscribe(subject, pending_msgs_limit=UNREAD_MAX)
    try:
        async for message in subscription.messages:
            yield message.data
    finally:
        if not bus.client.is_closed:
            await subscription.unsubscribe()
