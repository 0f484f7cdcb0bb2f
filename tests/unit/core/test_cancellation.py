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


async def test_a_cancellation_that_meets_an_error_counts() -> None:
    """A task that is cancelled in the turn in which what it waits for fails is cancelled, and the error is its cause.

    nats-server answers open requests for work with a status when it shuts down, which nats-py raises as a time-out: a
    consumer that is stopped in that moment would go on for ever.
    """
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(preserving_cancellation(asyncio.wait_for(answer, 10)))
    await asyncio.sleep(0)
    answer.set_exception(ValueError("shutting down"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert isinstance(caught.value.__cause__, ValueError)


async def test_an_error_alone_stays_one() -> None:
    """Without a cancellation the error is the caller's."""

    async def fail() -> None:
        raise ValueError("it failed")

    with pytest.raises(ValueError, match="it failed"):
        await preserving_cancellation(fail())


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
