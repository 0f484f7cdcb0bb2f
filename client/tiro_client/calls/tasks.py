"""Ending a background task."""

import asyncio
from typing import Any


async def cancel_and_wait(task: "asyncio.Task[Any]") -> None:
    """Cancel a task and wait for its end.

    Unlike awaiting the task, this does not mistake the caller's own cancellation for the task's.

    Raises:
        Exception: What the task failed with, when it was not cancelled in time.
    """
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()
