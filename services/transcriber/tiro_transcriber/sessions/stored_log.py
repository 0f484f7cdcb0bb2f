"""The log of a session as it is stored: its newest message, and the messages before it."""

import asyncio
from collections.abc import AsyncGenerator

from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import BusUnavailable, NotFound
from tiro_core.messaging.operations import StoredMessage, last_message
from tiro_core.messaging.publishing import read_patiently
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer, StreamState

NEXT_SECONDS_MAX = 30.0
"""How long a reader waits for a message that the stream's leader has. A replica that lags catches up sooner."""


async def newest_message(bus: Bus, stream: str, subject: str) -> StoredMessage | None:
    """Read the newest message of a log, from the stream's leader: a replica may not have it yet.

    Returns:
        The message. None: the log is empty.

    Raises:
        BusUnavailable: NATS stayed away.
    """
    try:
        return await read_patiently(bus, lambda: last_message(bus, stream, subject))
    except NotFound:
        return None


async def stored_messages(
    bus: Bus, stream: str, subject: str, *, after: int, up_to: int
) -> AsyncGenerator[StoredMessage]:
    """Read the messages of a log, in order.

    Args:
        bus: The connection.
        stream: Where the log is.
        subject: Its subject.
        after: The sequence in the stream after which reading begins.
        up_to: The sequence of the last message.

    Raises:
        BusUnavailable: A message did not arrive within `NEXT_SECONDS_MAX`: NATS is away, or the message was deleted.
    """
    if up_to <= after:
        return
    async with OrderedConsumer(bus, stream, subject, after_sequence=after) as log:
        while True:
            try:
                async with asyncio.timeout(NEXT_SECONDS_MAX):
                    entry = await anext(log)
            except TimeoutError:
                raise BusUnavailable(f"message {up_to} of {subject} did not come") from None
            if isinstance(entry, StreamState):
                continue
            yield entry
            if entry.sequence >= up_to:
                return
