"""Following a subject: stored messages, then new ones, in order, without a gap, over reconnects and server restarts.

The server pushes messages to nats-py's ordered consumers, which get none after a restart of the server. This consumer
pulls, notices a gap or silence, and begins again after the last message it has received.
"""

import asyncio
import json
from contextlib import suppress
from enum import Enum
from math import inf
from types import TracebackType
from typing import Final, Self

from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, Error, NotJSMessageError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from tiro_core.logs.logger import get_logger
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import BusUnavailable
from tiro_core.messaging.operations import StoredMessage
from tiro_core.messaging.reading.contact import Contact
from tiro_core.messaging.reading.inbox import Inbox, InboxOverflow, InboxTimeout

BATCH = 64
"""Messages in one request."""
UNREAD_MAX = 4 * BATCH
"""Unread messages that are kept: far more than those of two requests and their heartbeats."""
EXPIRES_SECONDS = 5.0
"""How long one request for messages lasts when there are none."""
HEARTBEAT_SECONDS = 1.0
SILENCE_SECONDS_MAX = 3 * HEARTBEAT_SECONDS
"""The silence, without even a heartbeat, after which the consumer counts as dead."""
INACTIVE_SECONDS = 60.0
"""The time after which the server deletes the consumer of a reader that died."""
CREATE_SECONDS_FIRST = 1.0
"""How long a server may take to create the consumer, before another try: servers drop requests in an election."""
CREATE_SECONDS_FACTOR = 1.5
"""The growth of this time from try to try: a server with a heavy load answers late."""
CREATE_SECONDS_MAX = 4.0
"""The longest it grows."""
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
_NANOS = 1e9

log = get_logger()


class DeliverFrom(Enum):
    """The messages with which a consumer begins."""

    ALL = "all"
    NEW = "new"
    LAST_PER_SUBJECT = "last_per_subject"


class StreamState(Enum):
    """Reports of a consumer between messages."""

    CAUGHT_UP = "caught_up"
    """Every message that existed at the start has come."""
    RESTARTED = "restarted"
    """The consumer was cut off for too long, and begins again from its start."""


CAUGHT_UP: Final = StreamState.CAUGHT_UP
RESTARTED: Final = StreamState.RESTARTED


class _Restart(Exception):  # noqa: N818 - control flow of this module
    """The consumer on the server can no longer be used."""


class _CutOff(Exception):  # noqa: N818 - as above
    """The server was not reached for so long that deletions may have been missed."""


class OrderedConsumer:
    """Iterates over messages, with `CAUGHT_UP` once, and `RESTARTED` when it has to begin again from its start."""

    def __init__(
        self,
        bus: Bus,
        stream: str,
        subject: str,
        *,
        start: DeliverFrom = DeliverFrom.ALL,
        after_sequence: int = 0,
        restart_after_seconds: float = inf,
        headers_only: bool = False,
    ) -> None:
        """Prepare to follow.

        Args:
            bus: The connection.
            stream: The stream of the subject.
            subject: The subject to follow. It may have wildcards.
            start: The messages to begin with.
            after_sequence: Begin after this sequence of the stream instead. 0: as `start` says.
            restart_after_seconds: A consumer that was cut off for longer begins again from `start`, rather than after
                the last message received: markers of deletions may have expired meanwhile.
            headers_only: Receive the messages without their data.
        """
        self._bus = bus
        self._stream = stream
        self._subject = subject
        self._start = start
        self._last = after_sequence
        self._stored_at = 0.0
        self._headers_only = headers_only
        self._restart_after_seconds = restart_after_seconds
        self._contact = Contact()
        self._caught_up = False
        self._pending = 0
        self._name = ""
        self._inbox: Inbox | None = None
        self._delivered = 0
        self._outstanding = 0
        self._create_seconds = CREATE_SECONDS_FIRST

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StoredMessage | StreamState:
        while True:
            try:
                inbox = self._inbox or await self._open()
                if not self._caught_up and not self._pending:
                    self._caught_up = True
                    return CAUGHT_UP
                message = await self._next(inbox)
                return StoredMessage(message.subject, message.data, message.headers or {}, self._last, self._stored_at)
            except _CutOff:
                await self._close()
                self._last, self._contact, self._caught_up = 0, Contact(), False
                return RESTARTED
            except ConnectionClosedError as error:
                raise BusUnavailable("the connection to NATS was closed") from error
            except (_Restart, InboxTimeout, InboxOverflow, Error, OSError) as reason:
                log.debug("consumer_restart", stream=self._stream, subject=self._subject, reason=repr(reason))
                await self._abandon()
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
            headers_only=self._headers_only,
            mem_storage=True,
            num_replicas=1,
        )
        seconds = self._create_seconds
        self._create_seconds = min(CREATE_SECONDS_MAX, seconds * CREATE_SECONDS_FACTOR)
        info = await self._bus.jetstream.add_consumer(self._stream, config, timeout=seconds)
        self._create_seconds = CREATE_SECONDS_FIRST
        self._name, self._pending = info.name, info.num_pending or 0
        created = info.created.timestamp()
        if self._contact.seconds_until(created) > self._restart_after_seconds:
            raise _CutOff
        self._contact.answered(created)
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
            self._contact.received()
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
        if status in _REQUEST_ENDED and not self._caught_up:
            raise _Restart("the messages that were pending have been deleted")
        if status in _REQUEST_ENDED or (status == _CONFLICT and description == _BATCH_COMPLETED):
            pending = (message.headers or {}).get("Nats-Pending-Messages", "0")
            self._outstanding = max(0, self._outstanding - int(pending))
            return
        raise _Restart(f"{status} {description}")

    def _take_message(self, message: Msg) -> None:
        stored, delivered, stored_ns, self._pending = _numbers(message.reply)
        if delivered != self._delivered + 1:
            raise _Restart(f"gap: message {delivered} after {self._delivered}")
        self._delivered = delivered
        self._last = stored
        self._stored_at = stored_ns / _NANOS
        self._outstanding -= 1

    async def _abandon(self) -> None:
        """Leave a consumer that is of no use, without waiting for its deletion: its server may be the one that failed.

        During an election nobody answers, and the wait would keep the reader from the next leader for seconds.
        """
        name, self._name = self._name, ""
        await self._close()
        if name and self._bus.is_connected:
            with suppress(Error, OSError):  # the server deletes it after INACTIVE_SECONDS
                await self._bus.client.publish(f"$JS.API.CONSUMER.DELETE.{self._stream}.{name}")

    async def _close(self) -> None:
        inbox, self._inbox = self._inbox, None
        name, self._name = self._name, ""
        try:
            if inbox is not None:
                await inbox.close()
            if name and self._bus.is_connected:
                await self._bus.jetstream.delete_consumer(self._stream, name)
        except (Error, OSError) as error:
            # The server deletes it after INACTIVE_SECONDS.
            log.debug("consumer_close_failed", stream=self._stream, error=repr(error))


def _numbers(reply: str) -> tuple[int, int, int, int]:
    """The numbers of a delivered message: stream sequence, delivery sequence, time, and messages that are pending.

    The time is in nanoseconds since 1970. nats-py's `Msg.metadata` would make three objects for each message.

    Args:
        reply: `$JS.ACK.<stream>.<consumer>.<deliveries>.<stored>.<delivered>.<time>.<pending>`, with a domain and an
            account before the stream, and a random token at the end, as some servers write it.

    Raises:
        NotJSMessageError: The subject has another form.
    """
    tokens = reply.split(".")
    if len(tokens) == _TOKENS:
        return int(tokens[5]), int(tokens[6]), int(tokens[7]), int(tokens[8])
    if len(tokens) >= _TOKENS_WITH_DOMAIN:
        return int(tokens[7]), int(tokens[8]), int(tokens[9]), int(tokens[10])
    raise NotJSMessageError
