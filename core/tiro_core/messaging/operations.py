"""Single requests to NATS: reading, purging and listing messages, and broadcasts."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nats.aio.msg import Msg

from tiro_core.messaging.client import REQUEST_TIMEOUT_SECONDS
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import translated

SUBJECTS_A_PAGE = 100_000
"""The most subjects that the server lists in one answer."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message in a stream."""

    subject: str
    data: bytes
    headers: Mapping[str, str]
    sequence: int
    """Its sequence in the stream."""
    stored_at: float = 0.0
    """When it was stored, in seconds since 1970 by the server's clock. 0 where the request does not return it."""


async def last_message(bus: Bus, stream: str, subject: str, *, from_any_replica: bool = False) -> StoredMessage:
    """Read the newest message on a subject.

    Args:
        bus: The connection.
        stream: The stream.
        subject: The subject, without wildcards.
        from_any_replica: Let any replica answer, which is faster and may miss what was written a moment ago. Otherwise
            the stream's leader answers.

    Raises:
        NotFound: There is no message.
        BusUnavailable: NATS did not answer.
    """
    with translated():
        found = await bus.jetstream.get_msg(stream, subject=subject, direct=from_any_replica)
    return StoredMessage(found.subject or subject, found.data or b"", found.headers or {}, found.seq or 0)


async def purge(bus: Bus, stream: str, subject: str, *, up_to: int | None = None) -> None:
    """Delete every message on a subject. Does nothing where there is none.

    Args:
        bus: The connection.
        stream: The stream of the subject.
        subject: The subject. It may have wildcards.
        up_to: The last sequence to delete: later messages stay. None: delete all.

    Raises:
        BusUnavailable: NATS did not answer.
    """
    with translated():
        # The server deletes the messages before a sequence.
        await bus.jetstream.purge_stream(stream, subject=subject, seq=None if up_to is None else up_to + 1)


async def subjects_in(bus: Bus, stream: str, subject_filter: str) -> AsyncIterator[str]:
    """The subjects in a stream that match a filter, in no order, read in pages of `SUBJECTS_A_PAGE`.

    Raises:
        BusUnavailable: NATS did not answer.
    """
    offset = 0
    while True:
        page, total = await _subjects_page(bus, stream, subject_filter, offset)
        for subject in page:
            yield subject
        offset += len(page)
        if not page or offset >= total:
            return


async def _subjects_page(bus: Bus, stream: str, subject_filter: str, offset: int) -> tuple[list[str], int]:
    """A page of subjects, and the number of all of them."""
    request = json.dumps({"subjects_filter": subject_filter, "offset": offset}).encode()
    with translated():
        # nats-py's own `stream_info` cannot ask for a further page.
        answer = await bus.jetstream._api_request(  # noqa: SLF001
            f"$JS.API.STREAM.INFO.{stream}", request, timeout=REQUEST_TIMEOUT_SECONDS
        )
    return list(answer["state"].get("subjects") or {}), int(answer.get("total") or 0)


async def broadcast(bus: Bus, subject: str, payload: bytes) -> None:
    """Send a message to the present listeners of a subject. It is not stored, and may be lost.

    Raises:
        BusUnavailable: NATS is away, and the buffer of unsent messages is full.
    """
    with translated():
        await bus.client.publish(subject, payload)


@asynccontextmanager
async def listening(
    bus: Bus, subject: str, receive: Callable[[bytes], Awaitable[None]], *, unread_max: int
) -> AsyncIterator[None]:
    """Receive the broadcasts on a subject while the context lasts.

    Args:
        bus: The connection.
        subject: The subject.
        receive: Called with each message, one after the other.
        unread_max: Messages that wait for `receive`; further ones are dropped.
    """

    async def take(message: Msg) -> None:  # a callback: iterating over messages would make a task of each
        await receive(message.data)

    with translated():
        subscription = await bus.client.subscribe(subject, cb=take, pending_msgs_limit=unread_max)
    try:
        yield
    finally:
        if bus.is_connected:
            with translated():
                await subscription.unsubscribe()
