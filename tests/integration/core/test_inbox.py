"""The inbox of a consumer, on a real NATS server."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tiro_core.messaging.connection import Bus
from tiro_core.messaging.reading.inbox import Inbox, InboxOverflow, InboxTimeout

MESSAGES_MAX = 8
SILENCE_SECONDS = 0.2


@pytest.fixture
async def inbox(bus: Bus) -> AsyncIterator[Inbox]:
    """An open, empty inbox."""
    inbox = Inbox(bus.client, messages_max=MESSAGES_MAX, silence_seconds_max=SILENCE_SECONDS)
    await inbox.open()
    yield inbox
    await inbox.close()


async def send(bus: Bus, inbox: Inbox, numbers: range) -> None:
    """Send messages that are numbers, and wait until they have arrived."""
    for number in numbers:
        await bus.client.publish(inbox.subject, str(number).encode())
    await bus.client.flush()


async def read(inbox: Inbox, count: int) -> list[int]:
    """The next numbers."""
    return [int((await inbox.next()).data) for _ in range(count)]


async def test_messages_are_read_in_order(bus: Bus, inbox: Inbox) -> None:
    """Messages are read in order, whether they arrive before or during the wait."""
    await send(bus, inbox, range(3))
    reading = asyncio.create_task(read(inbox, 6))
    await asyncio.sleep(0)
    await send(bus, inbox, range(3, 6))
    assert await reading == list(range(6))


async def test_a_silent_inbox_raises_in_a_waiting_reader(bus: Bus, inbox: Inbox) -> None:
    """The limit of silence counts from the start of each wait. The reader may continue after the timeout."""
    for number in range(2):
        await send(bus, inbox, range(number, number + 1))
        assert await read(inbox, 1) == [number]
        before_it = asyncio.Event()
        asyncio.get_running_loop().call_later(0.9 * SILENCE_SECONDS, before_it.set)
        with pytest.raises(InboxTimeout):
            await inbox.next()
        assert before_it.is_set()


async def test_a_message_after_a_timeout_is_read(bus: Bus, inbox: Inbox) -> None:
    """A message that arrives after a timeout is read by the next call."""
    with pytest.raises(InboxTimeout):
        await inbox.next()
    await send(bus, inbox, range(1))
    assert await read(inbox, 1) == [0]


async def test_a_cancelled_reader_loses_nothing(bus: Bus, inbox: Inbox) -> None:
    """No message is lost even if it and the cancellation come in the same turn of the event loop."""
    for number in range(MESSAGES_MAX):
        reading = asyncio.create_task(inbox.next())
        await asyncio.sleep(0)
        await send(bus, inbox, range(number, number + 1))
        reading.cancel()
        # It may have ended before: then it has its message.
        [outcome] = await asyncio.gather(reading, return_exceptions=True)
        if isinstance(outcome, asyncio.CancelledError):
            assert await read(inbox, 1) == [number]
        else:
            assert not isinstance(outcome, BaseException)
            assert int(outcome.data) == number


async def test_an_overflow_raises(bus: Bus, inbox: Inbox) -> None:
    """Beyond the limit of waiting messages the reader gets InboxOverflow, not the remaining messages."""
    await send(bus, inbox, range(MESSAGES_MAX + 1))
    with pytest.raises(InboxOverflow):
        await inbox.next()
