"""The inbox of a reader, over a real NATS server."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tiro_core.messaging.connection import Bus
from tiro_core.messaging.reading.inbox import Inbox, InboxOverflow, InboxTimeout

MESSAGES_MAX = 8
SILENCE_SECONDS = 0.2


@pytest.fixture
async def inbox(bus: Bus) -> AsyncIterator[Inbox]:
    """An open one, with nothing in it."""
    inbox = Inbox(bus.client, messages_max=MESSAGES_MAX, silence_seconds_max=SILENCE_SECONDS)
    await inbox.open()
    yield inbox
    await inbox.close()


async def send(bus: Bus, inbox: Inbox, numbers: range) -> None:
    """Send messages that are numbers, and wait until they have come."""
    for number in numbers:
        await bus.client.publish(inbox.subject, str(number).encode())
    await bus.client.flush()


async def read(inbox: Inbox, count: int) -> list[int]:
    """The numbers that come next."""
    return [int((await inbox.next()).data) for _ in range(count)]


async def test_what_has_come_is_read_in_order(bus: Bus, inbox: Inbox) -> None:
    """What came before the reader waited and what comes while it does is read alike."""
    await send(bus, inbox, range(3))
    reading = asyncio.create_task(read(inbox, 6))
    await asyncio.sleep(0)
    await send(bus, inbox, range(3, 6))
    assert await reading == list(range(6))


async def test_silence_is_told_to_a_reader_who_waits(bus: Bus, inbox: Inbox) -> None:
    """It counts from where the reader began to wait, whatever came before; the reader may go on."""
    for number in range(2):
        await send(bus, inbox, range(number, number + 1))
        assert await read(inbox, 1) == [number]
        before_it = asyncio.Event()
        asyncio.get_running_loop().call_later(0.9 * SILENCE_SECONDS, before_it.set)
        with pytest.raises(InboxTimeout):
            await inbox.next()
        assert before_it.is_set()


async def test_a_reader_who_was_away_is_told_no_silence(bus: Bus, inbox: Inbox) -> None:
    """What comes late to nobody's harm is read."""
    with pytest.raises(InboxTimeout):
        await inbox.next()
    await send(bus, inbox, range(1))
    assert await read(inbox, 1) == [0]


async def test_a_cancelled_reader_loses_nothing(bus: Bus, inbox: Inbox) -> None:
    """Also when a message and the cancellation come in the same turn of the loop."""
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


async def test_more_than_is_kept_is_told(bus: Bus, inbox: Inbox) -> None:
    """A reader is told that something is missing, rather than given what is left."""
    await send(bus, inbox, range(MESSAGES_MAX + 1))
    with pytest.raises(InboxOverflow):
        await inbox.next()
