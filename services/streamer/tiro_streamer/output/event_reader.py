"""Reading what the workers write about a session: its line of events, and its partials."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from nats.aio.msg import Msg

from tiro.events.v1.live_pb2 import LiveEvent, LivePartial, LiveProgress
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.ordered_consumer import OrderedConsumer
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
            if entry is None:
                continue
            event = LiveEvent.FromString(entry.data)
            if not last and event.sequence > 1:
                raise history_gone()
            if event.sequence != last + 1:
                raise session_failed(f"event {last + 1} of the session is missing")
            last = event.sequence
            yield event


async def follow_partials(bus: Bus, tenant: str, session_id: str, take: Callable[[LivePartial], None]) -> None:
    """Take the partials of a session from now on, until cancelled. Some may be missing: each replaces those before."""

    async def take_message(message: Msg) -> None:
        take(LivePartial.FromString(message.data))

    await _follow(bus, subjects.live_partial(tenant, session_id), take_message)


async def follow_progress(
    bus: Bus, tenant: str, session_id: str, take: Callable[[LiveProgress], Awaitable[None]]
) -> None:
    """Take how far the worker of a session is, from now on, until cancelled. Some may be missing: the next tells."""

    async def take_message(message: Msg) -> None:
        await take(LiveProgress.FromString(message.data))

    await _follow(bus, subjects.live_progress(tenant, session_id), take_message)


async def _follow(bus: Bus, subject: str, take: Callable[[Msg], Awaitable[None]]) -> None:
    """Take what is published on a subject, until cancelled.

    By a callback: where its messages are iterated over, NATS's client makes a task of each one.
    """
    subscription = await bus.client.subscribe(subject, cb=take, pending_msgs_limit=UNREAD_MAX)
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        if not bus.client.is_closed:
            await subscription.unsubscribe()
