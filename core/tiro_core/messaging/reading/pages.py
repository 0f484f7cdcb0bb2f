"""Reading a stream page by page: nothing stays open between two pages, and a reader can continue at any sequence."""

from collections.abc import Sequence

from tiro_core.messaging.connection import Bus
from tiro_core.messaging.operations import StoredMessage
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer, StreamState


async def read_page(
    bus: Bus, stream: str, subject_filter: str, *, after: int, limit: int, headers_only: bool = False
) -> Sequence[StoredMessage]:
    """The messages that come after a sequence, in the order in which they were stored.

    Args:
        bus: The connection.
        stream: The stream.
        subject_filter: The subjects of the messages. It may have wildcards.
        after: Begin after this sequence. 0: at the first message.
        limit: The most messages to return. Fewer are returned only when there are no more.
        headers_only: Read the messages without their data.

    Raises:
        BusUnavailable: The connection was closed. While NATS is away the call waits.
    """
    found: list[StoredMessage] = []
    consumer = OrderedConsumer(bus, stream, subject_filter, after_sequence=after, headers_only=headers_only)
    async with consumer:
        async for message in consumer:
            if isinstance(message, StreamState):
                break
            found.append(message)
            if len(found) == limit:
                break
    return found
