"""Reading a stream page by page: nothing stays open between two pages, and any reader can go on at any sequence."""

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
        stream: Which stream.
        subject_filter: Of what subjects. It may have wildcards.
        after: Begin behind this sequence. 0: at the first message.
        limit: The most messages to return. Fewer: there are no more.
        headers_only: Leave the messages' data at the server.

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
