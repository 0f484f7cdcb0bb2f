"""The messages to a subject that only this process reads, with a limit on their number and on silence.

nats-py's `Subscription.next_msg` makes a task, a timer and a UUID for each message. Here a message costs the reader at
most a future, and nothing when it has already arrived.
"""

import asyncio
from collections import deque

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import ConnectionClosedError


class InboxTimeout(Exception):  # noqa: N818 - reads as the condition it reports
    """No message has come within the time limit."""


class InboxOverflow(Exception):  # noqa: N818 - reads as the condition it reports
    """More messages have come than the inbox keeps, so some are missing."""


class Inbox:
    """Messages for one reader. A reader that opens it closes it."""

    def __init__(self, client: Client, *, messages_max: int, silence_seconds_max: float) -> None:
        """Prepare to receive.

        Args:
            client: The connection.
            messages_max: The most messages that are kept unread.
            silence_seconds_max: How long the reader waits for a message.
        """
        self._client = client
        self._messages_max = messages_max
        self._silence_seconds_max = silence_seconds_max
        self._messages: deque[Msg] = deque()
        self._overflown = False
        self._subscription: Subscription | None = None
        self._reader: asyncio.Future[None] | None = None
        self._reader_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.subject = client.new_inbox()
        """The subject to send to."""

    async def open(self) -> None:
        """Begin to receive."""
        # nats-py empties its queue in one turn of the loop, and silently drops messages when it is full. So it is made
        # larger than `messages_max`: then `_take` notices first.
        self._subscription = await self._client.subscribe(
            self.subject, cb=self._take, pending_msgs_limit=self._messages_max + 1
        )

    async def close(self) -> None:
        """Stop receiving. Unread messages are dropped.

        Raises:
            nats.errors.Error: The server did not get the request to unsubscribe.
        """
        subscription, self._subscription = self._subscription, None
        timer, self._timer = self._timer, None
        self._messages.clear()
        if timer is not None:
            timer.cancel()
        if subscription is not None:
            await subscription.unsubscribe()

    async def next(self) -> Msg:
        """The next message, at once when it has arrived. A reader that is cancelled loses none.

        Raises:
            InboxTimeout: None came for `silence_seconds_max`.
            InboxOverflow: A message was dropped.
            ConnectionClosedError: The connection is closed. A reader that waits gets this error when its time is over.
        """
        while not self._messages:
            if self._client.is_closed:
                raise ConnectionClosedError
            await self._wait()
        if self._overflown:
            raise InboxOverflow(f"more than {self._messages_max} messages")
        return self._messages.popleft()

    async def _take(self, message: Msg) -> None:
        if len(self._messages) < self._messages_max:
            self._messages.append(message)
        else:
            self._overflown = True
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def _wait(self) -> None:
        """Wait until a message has come, or for `silence_seconds_max`."""
        loop = asyncio.get_running_loop()
        self._reader, self._reader_since = loop.create_future(), loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._silence_seconds_max, self._check_silence)
        try:
            await self._reader
        finally:
            self._reader = None
        if not self._messages:
            raise ConnectionClosedError if self._client.is_closed else InboxTimeout

    def _check_silence(self) -> None:
        """End a wait that has taken too long. One timer serves all waits that begin while it runs."""
        self._timer = None
        if self._reader is None or self._reader.done():
            return
        loop = asyncio.get_running_loop()
        due = self._reader_since + self._silence_seconds_max
        if loop.time() < due:
            self._timer = loop.call_at(due, self._check_silence)
        else:
            self._reader.set_result(None)
