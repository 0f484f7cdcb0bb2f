"""Keeping cancellations that Python 3.11 loses.

Its `asyncio.wait_for`, by which nats-py waits, returns the result and drops the cancellation when both come in the
same turn of the event loop (python/cpython#86296, repaired in 3.12). A task group would then wait for ever for a task
that it believes to be cancelled. `Task.cancelling` still counts the request.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def preserving_cancellation(work: Awaitable[T]) -> T:
    """Await something of nats-py's, and be cancelled when that was asked for meanwhile."""
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    result = await work
    if task and task.cancelling() > before:
        raise asyncio.CancelledError
    return result
