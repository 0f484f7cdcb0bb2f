"""Cancellations that coincide with a result."""

import asyncio

import pytest

from tiro_core.messaging.cancellation import preserving_cancellation


async def test_a_cancellation_that_coincides_with_a_result_is_kept() -> None:
    """A task is cancelled even if its awaited result comes in the same turn of the event loop."""
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(preserving_cancellation(asyncio.wait_for(answer, 10)))
    await asyncio.sleep(0)
    answer.set_result(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_that_coincides_with_an_error_is_kept() -> None:
    """A task is cancelled even if its awaitable fails in the same turn; the error is the cause of its cancellation.

    nats-server answers open pull requests with a status when it shuts down, which nats-py raises as a timeout: a
    consumer that is stopped in that moment would continue for ever.
    """
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(preserving_cancellation(asyncio.wait_for(answer, 10)))
    await asyncio.sleep(0)
    answer.set_exception(ValueError("shutting down"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert isinstance(caught.value.__cause__, ValueError)


async def test_an_error_without_a_cancellation_is_raised() -> None:
    """Without a cancellation the error of the awaitable is raised."""

    async def fail() -> None:
        raise ValueError("it failed")

    with pytest.raises(ValueError, match="it failed"):
        await preserving_cancellation(fail())


async def test_the_clean_up_after_a_cancellation_is_not_cancelled() -> None:
    """The cancellation of a task does not cancel awaits of its clean-up."""
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
