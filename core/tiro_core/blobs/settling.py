"""Writes that end only when the store has answered, so that a blob deleted after its writer's end stays deleted."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

SETTLE_SECONDS_MAX = 2.0
"""How long a cancelled write waits for the answer to its request. NATS and S3 answer within milliseconds."""


async def settled(write: Coroutine[Any, Any, T]) -> T:
    """Do a write. Cancelled meanwhile, it ends once the write has been answered, or after `SETTLE_SECONDS_MAX`.

    Without that, a request that is already sent would be carried out after its writer has ended, and after a deletion
    that follows.
    """
    task = asyncio.ensure_future(write)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,), timeout=SETTLE_SECONDS_MAX)
        if task.done() and not task.cancelled():
            task.exception()  # read, so that asyncio does not report it
        raise
    finally:
        task.cancel()
