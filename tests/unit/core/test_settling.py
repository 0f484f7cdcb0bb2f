"""Cancelled writes."""

import asyncio

import pytest

from tiro_core.blobs import settling
from tiro_core.blobs.settling import settled


async def test_a_cancelled_write_waits_for_its_answer() -> None:
    """After a cancelled write has ended, no part of it is under way."""
    sent, answered, stored = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def write() -> None:
        sent.set()
        await answered.wait()
        stored.set()

    writing = asyncio.create_task(settled(write()))
    await sent.wait()
    writing.cancel()
    _, pending = await asyncio.wait((writing,), timeout=0)
    assert pending
    answered.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert stored.is_set()


async def test_a_cancelled_write_without_an_answer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait of a cancelled write for its answer has a limit."""
    monkeypatch.setattr(settling, "SETTLE_SECONDS_MAX", 0.01)
    sent, ended = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        sent.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    writing = asyncio.create_task(settled(write()))
    await sent.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await ended.wait()


async def test_the_error_of_a_write_is_raised() -> None:
    """The error of a write is raised. That of a cancelled write is dropped."""

    async def write() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await settled(write())
    writing = asyncio.create_task(settled(write()))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
