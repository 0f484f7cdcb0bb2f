"""The consumer of a work queue: it takes one message for each free slot, and handles each in its own task."""

import asyncio
from collections.abc import Awaitable, Callable

from nats.aio.msg import Msg
from nats.errors import Error
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext

from tiro_core.logs.logger import get_logger
from tiro_core.messaging.cancellation import preserving_cancellation
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import MessagingError, translated

FETCH_SECONDS = 5.0
"""How long one request for a message lasts: also the longest time to notice that a server was killed."""
RETRY_SECONDS = 0.5

log = get_logger()


class TaskMessage:
    """A message of a work queue that was taken. It is delivered again unless it is settled, or extended in time."""

    def __init__(self, message: Msg) -> None:
        self._message = message
        self.subject = message.subject
        self.data = message.data

    @property
    def deliveries(self) -> int:
        """The number of its deliveries, this one included."""
        return int(self._message.metadata.num_delivered)

    async def acknowledge(self) -> None:
        """Settle the message: its work is done, or another worker's.

        Raises:
            BusUnavailable: NATS is away. The message is delivered again.
        """
        with translated():
            await self._message.ack()

    async def retry(self, after_seconds: float = 0.0) -> None:
        """Have the message delivered again after a delay, to this consumer or another one.

        Raises:
            BusUnavailable: NATS is away. The message is delivered again when its redelivery time is over.
        """
        with translated():
            await self._message.nak(delay=after_seconds)

    async def reject(self) -> None:
        """End the delivery of a message that cannot be read.

        Raises:
            BusUnavailable: NATS is away. The message is delivered again.
        """
        with translated():
            await self._message.term()

    async def extend(self) -> None:
        """Restart the time after which the message is delivered again.

        Raises:
            BusUnavailable: NATS is away.
        """
        with translated():
            await self._message.in_progress()


class Slot:
    """The slot of a message that was taken."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release = release
        self._held = True

    def release(self) -> None:
        """Free the slot for the next message before this one is settled. A second call does nothing."""
        if self._held:
            self._held = False
            self._release()


Handle = Callable[[TaskMessage, Slot], Awaitable[None]]


class WorkQueueConsumer:
    """Takes messages from a work queue's consumer."""

    def __init__(
        self,
        bus: Bus,
        *,
        stream: str,
        ensure_consumer: Callable[[], Awaitable[str]],
        slots: int,
        handle: Handle,
        changed: Callable[[], None],
    ) -> None:
        """Prepare to take work.

        Args:
            bus: The connection.
            stream: The work queue.
            ensure_consumer: Creates or updates the consumer, and returns its name.
            slots: How many messages may be taken at once.
            handle: Does the work of one message and settles it. It may release its slot before that.
            changed: Called whenever `active` changes.
        """
        self._bus = bus
        self._stream = stream
        self._ensure_consumer = ensure_consumer
        self._slots = asyncio.Semaphore(slots)
        self._handle = handle
        self._changed = changed
        self.active = 0
        """The number of slots in use."""

    async def run(self) -> None:
        """Take and handle messages until cancelled; a cancellation cancels the tasks that handle messages as well."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    await self._take(tasks)
                except (MessagingError, Error, OSError) as error:
                    log.warning("work_queue_interrupted", stream=self._stream, error=repr(error))
                    await asyncio.sleep(RETRY_SECONDS)

    async def _take(self, tasks: asyncio.TaskGroup) -> None:
        consumer = await self._ensure_consumer()
        subscription = await self._bus.jetstream.pull_subscribe_bind(consumer, self._stream)
        try:
            while True:
                await self._slots.acquire()
                message = None
                try:
                    message = await self._next(subscription)
                finally:
                    if message is None:
                        self._slots.release()
                if message is not None:
                    tasks.create_task(self._work(TaskMessage(message)), name=f"{self._stream}:{message.subject}")
        finally:
            # Without its inbox the server drops the open request, and delivers the next message to another service.
            if self._bus.is_connected:
                await subscription.unsubscribe()

    async def _next(self, subscription: JetStreamContext.PullSubscription) -> Msg | None:
        try:
            [message] = await preserving_cancellation(subscription.fetch(1, timeout=FETCH_SECONDS))
        except NatsTimeoutError:
            return None
        return message

    async def _work(self, message: TaskMessage) -> None:
        self.active += 1
        self._changed()
        slot = Slot(self._free)
        try:
            await self._handle(message, slot)
        except Exception:  # a failure must not cancel the other tasks; its message is delivered again
            log.exception("work_failed", subject=message.subject, deliveries=message.deliveries)
        finally:
            slot.release()

    def _free(self) -> None:
        self.active -= 1
        self._slots.release()
        self._changed()
