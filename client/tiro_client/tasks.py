"""Cancelling background tasks."""

import asyncio
from typing import Any


async def cancel_and_wait(task: "asyncio.Task[Any]") -> None:
    """Cancel a task and wait for its end.

    Unlike awaiting the task, this does not mistake the caller's own cancellation for the task's.

    Raises:
        Exception: What the task failed with, if it ended before it was cancelled.
    """
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()
