"""Following a subject: what is there, then what comes, in order, without a gap, over reconnects and server restarts.

nats-py's ordered consumers are pushed to and go quiet when the server restarts; this one pulls, notices a gap or
silence, and begins again after the last message it has seen.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Self

from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, Error, NotJSMessageError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from tiro_core.logs import get_logger
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.inbox import Inbox, InboxOverflow, InboxTimeout

BATCH = 64
"""Messages asked for at a time."""
UNREAD_MAX = 4 * BATCH
"""Messages that wait here unread: those of two requests, and heartbeats, are far fewer."""
EXPIRES_SECONDS = 5.0
"""How long one request for messages lasts when none come."""
HEARTBEAT_SECONDS = 1.0
SILENCE_SECONDS_MAX = 3 * HEARTBEAT_SECONDS
"""Without even a heartbeat for so long the consumer is taken for dead."""
INACTIVE_SECONDS = 60.0
"""The server forgets the consumer of a reader that died after so long."""
RETRY_SECONDS = 0.25

_REQUEST = json.dumps(
    {
        "batch": BATCH,
        "expires": int(EXPIRES_SECONDS * 1e9),
        "idle_heartbeat": int(HEARTBEAT_SECONDS * 1e9),
    }
).encode()
_STATUS = "Status"
_HEARTBEAT = "100"
_REQUEST_ENDED = ("404", "408")
_CONFLICT = "409"
_BATCH_COMPLETED = "Batch Completed"
_TOKENS = 9
_TOKENS_WITH_DOMAIN = 11

log = get_logger()


class DeliverFrom(Enum):
    """Where a tail begins."""

    ALL = "all"
    NEW = "new"
    LAST_PER_SUBJECT = "last_per_subject"


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A stored message."""

    subject: str
    data: bytes
    headers: Mapping[str, str]
    sequence: int
    """Its number in the stream."""


class _Restart(Exception):  # noqa: N818 - control flow of this module
    """The consumer is of no more use."""


class OrderedConsumer:
    """Gives out `Entry`s, and one None when everything that was there at the start has been given out."""

    def __init__(
        self, bus: Bus, stream: str, subject: str, *, start: DeliverFrom = DeliverFrom.ALL, after_sequence: int = 0
    ) -> None:
        self._bus = bus
        self._stream = stream
        self._subject = subject
        self._start = start
        self._last = after_sequence
        self._caught_up = False
        self._pending = 0
        self._name = ""
        self._inbox: Inbox | None = None
        self._delivered = 0
        self._outstanding = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StoredMessage | None:
        while True:
            try:
                inbox = self._inbox or await self._open()
                if not self._caught_up and not self._pending:
                    self._caught_up = True
                    return None
                message = await self._next(inbox)
                return StoredMessage(message.subject, message.data, message.headers or {}, self._last)
            except ConnectionClosedError:
                raise
            except (_Restart, InboxTimeout, InboxOverflow, Error, ConnectionError) as reason:
                log.debug("tail_restart", stream=self._stream, subject=self._subject, reason=repr(reason))
                await self._close()
                await asyncio.sleep(RETRY_SECONDS)

    async def _open(self) -> Inbox:
        self._inbox = inbox = Inbox(self._bus.client, messages_max=UNREAD_MAX, silence_seconds_max=SILENCE_SECONDS_MAX)
        await inbox.open()
        self._delivered = self._outstanding = 0
        policy, first = self._begin()
        config = ConsumerConfig(
            ack_policy=AckPolicy.NONE,
            filter_subject=self._subject,
            deliver_policy=policy,
            opt_start_seq=first,
            inactive_threshold=INACTIVE_SECONDS,
            mem_storage=True,
            num_replicas=1,
        )
        info = await self._bus.jetstream.add_consumer(self._stream, config)
        self._name, self._pending = info.name, info.num_pending or 0
        return inbox

    def _begin(self) -> tuple[DeliverPolicy, int | None]:
        if self._last:
            return DeliverPolicy.BY_START_SEQUENCE, self._last + 1
        policies = {
            DeliverFrom.ALL: DeliverPolicy.ALL,
            DeliverFrom.NEW: DeliverPolicy.NEW,
            DeliverFrom.LAST_PER_SUBJECT: DeliverPolicy.LAST_PER_SUBJECT,
        }
        return policies[self._start], None

    async def _next(self, inbox: Inbox) -> Msg:
        while True:
            if self._outstanding <= BATCH // 2:
                await self._request(inbox.subject)
            message = await inbox.next()
            status = message.headers.get(_STATUS) if message.headers else None
            if status is None:
                self._take_message(message)
                return message
            self._take_status(status, message)

    async def _request(self, inbox: str) -> None:
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}"
        await self._bus.client.publish(subject, _REQUEST, inbox)
        self._outstanding += BATCH

    def _take_status(self, status: str, message: Msg) -> None:
        if status == _HEARTBEAT:
            return
        description = (message.headers or {}).get("Description", "")
        if status in _REQUEST_ENDED or (status == _CONFLICT and description == _BATCH_COMPLETED):
            pending = (message.headers or {}).get("Nats-Pending-Messages", "0")
            self._outstanding = max(0, self._outstanding - int(pending))
            return
        raise _Restart(f"{status} {description}")

    def _take_message(self, message: Msg) -> None:
        stored, delivered, self._pending = _numbers(message.reply)
        if delivered != self._delivered + 1:
            raise _Restart(f"gap: message {delivered} after {self._delivered}")
        self._delivered = delivered
        self._last = stored
        self._outstanding -= 1

    async def _close(self) -> None:
        inbox, self._inbox = self._inbox, None
        name, self._name = self._name, ""
        try:
            if inbox is not None:
                await inbox.close()
            if name and self._bus.is_connected:
                await self._bus.jetstream.delete_consumer(self._stream, name)
        except Error as error:
            # The server forgets it after INACTIVE_SECONDS.
            log.debug("tail_close_failed", stream=self._stream, error=repr(error))


def _numbers(reply: str) -> tuple[int, int, int]:
    """Of a delivered message: its number in the stream, that of its delivery, and how many are still to be delivered.

    nats-py's `Msg.metadata` makes a time and two objects besides, for each message.

    Args:
        reply: `$JS.ACK.<stream>.<consumer>.<deliveries>.<stored>.<delivered>.<time>.<pending>`, with a domain and an
            account before the stream, and a random token at the end, as some servers write it.

    Raises:
        NotJSMessageError: It is not of that form.
    """
    tokens = reply.split(".")
    if len(tokens) == _TOKENS:
        return int(tokens[5]), int(tokens[6]), int(tokens[8])
    if len(tokens) >= _TOKENS_WITH_DOMAIN:
        return int(tokens[7]), int(tokens[8]), int(tokens[10])
    raise NotJSMessageError
