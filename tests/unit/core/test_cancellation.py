"""Cancellations that meet a result."""

import asyncio

import pytest

from tiro_core.messaging.cancellation import preserving_cancellation


async def test_a_cancellation_that_meets_a_result_counts() -> None:
    """A task that is cancelled in the turn in which what it waits for comes is cancelled."""
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(preserving_cancellation(asyncio.wait_for(answer, 10)))
    await asyncio.sleep(0)
    answer.set_result(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_clean_up_after_a_cancellation_goes_on() -> None:
    """What a cancelled task does in its clean-up is not cancelled by the old request."""
    cleaned = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            await preserving_cancellation(asyncio.sleep(0))
            cleaned.set()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned.is_set()
