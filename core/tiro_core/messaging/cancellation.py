"""Cancellations that Python 3.11 loses.

Its `asyncio.wait_for`, which nats-py uses, drops a cancellation that comes in the same turn of the event loop as the
awaited result or error (python/cpython#86296, repaired in 3.12). A task group would then wait for ever for a task that
it has cancelled. `Task.cancelling` still counts the request.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def preserving_cancellation(work: Awaitable[T]) -> T:
    """Await a call of nats-py's.

    Raises:
        CancelledError: The task was cancelled meanwhile, whether or not `work` noticed.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        result = await work
    except Exception as error:
        if task and task.cancelling() > before:
            raise asyncio.CancelledError from error
        raise
    if task and task.cancelling() > before:
        raise asyncio.CancelledError
    return result
