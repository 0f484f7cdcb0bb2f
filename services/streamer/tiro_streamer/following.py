"""Reading what the workers write about a session: its line of events, and its partials."""

from collections.abc import AsyncGenerator

from tiro.events.v1.live_pb2 import LiveEvent, LivePartial
from tiro_core.bus import subjects, topology
from tiro_core.bus.connection import Bus
from tiro_core.bus.tail import Tail
from tiro_streamer.faults import session_failed

PARTIALS_UNREAD_MAX = 64
"""Partials that NATS's client keeps for us. They are taken as they come: some wait only while the loop is busy."""


async def events(bus: Bus, tenant: str, session_id: str) -> AsyncGenerator[LiveEvent]:
    """The events of a session from the first one on, each once.

    Raises:
        TiroError: SESSION_FAILED; one is missing.
    """
    last = 0
    async with Tail(bus, topology.LIVE_EVENTS, subjects.live_events(tenant, session_id)) as tail:
        async for entry in tail:
            if entry is None:
                continue
            event = LiveEvent.FromString(entry.data)
            if event.sequence != last + 1:
                raise session_failed(f"event {last + 1} of the session is missing")
            last = event.sequence
            yield event


async def partials(bus: Bus, tenant: str, session_id: str) -> AsyncGenerator[LivePartial]:
    """The partials of a session from now on. Some may be missing: each replaces those before it."""
    subject = subjects.live_partial(tenant, session_id)
    subscription = await bus.client.subscribe(subject, pending_msgs_limit=PARTIALS_UNREAD_MAX)
    try:
        async for message in subscription.messages:
            yield LivePartial.FromString(message.data)
    finally:
        if not bus.client.is_closed:
            await subscription.unsubscribe()
