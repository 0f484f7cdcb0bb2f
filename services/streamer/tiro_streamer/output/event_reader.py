"""Reading what the workers write about a session: its line of events, and its partials."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from tiro.events.v1.live_pb2 import LiveEvent, LivePartial, LiveProgress
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.operations import listening
from tiro_core.messaging.ordered_consumer import OrderedConsumer, StreamState
from tiro_streamer.errors import history_gone, session_failed

UNREAD_MAX = 64
"""Messages that NATS's client keeps for us. They are taken as they come: some wait only while the loop is busy."""


async def events(bus: Bus, tenant: str, session_id: str) -> AsyncGenerator[LiveEvent]:
    """The events of a session from the first one on, each once.

    Raises:
        TiroError: SESSION_FAILED; one is missing. SESSION_NOT_FOUND; the first ones are kept no longer.
    """
    last = 0
    async with OrderedConsumer(bus, topology.LIVE_EVENTS, subjects.live_events(tenant, session_id)) as tail:
        async for entry in tail:
            if isinstance(entry, StreamState):
                continue
            event = LiveEvent.FromString(entry.data)
            if event.sequence <= last:  # stored twice, around a change of the stream's leader
                continue
            if not last and event.sequence > 1:
                raise history_gone()
            if event.sequence != last + 1:
                raise session_failed(f"event {last + 1} of the session is missing")
            last = event.sequence
            yield event


async def follow_partials(bus: Bus, tenant: str, session_id: str, take: Callable[[LivePartial], None]) -> None:
    """Take the partials of a session from now on, until cancelled. Some may be missing: each replaces those before."""

    async def receive(payload: bytes) -> None:
        take(LivePartial.FromString(payload))

    async with listening(bus, subjects.live_partial(tenant, session_id), receive, unread_max=UNREAD_MAX):
        await asyncio.get_running_loop().create_future()


async def follow_progress(
    bus: Bus, tenant: str, session_id: str, take: Callable[[LiveProgress], Awaitable[None]]
) -> None:
    """Take how far the worker of a session is, from now on, until cancelled. One may be missing: the next says more."""

    async def receive(payload: bytes) -> None:
        await take(LiveProgress.FromString(payload))

    async with listening(bus, subjects.live_progress(tenant, session_id), receive, unread_max=UNREAD_MAX):
        await asyncio.get_running_loop().create_future()
