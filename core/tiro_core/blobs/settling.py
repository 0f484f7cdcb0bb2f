"""Writes whose end is known: a blob that is deleted after its writer has ended stays deleted."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

SETTLE_SECONDS_MAX = 2.0
"""How long a cancelled write waits for the answer to what it has sent. NATS and S3 answer within milliseconds."""


async def settled(write: Coroutine[Any, Any, T]) -> T:
    """Do a write. Cancelled meanwhile, it ends once the write has been answered, or after `SETTLE_SECONDS_MAX`.

    Without that a request that has left would be carried out after its writer has ended, and after a deletion that
    follows.
    """
    task = asyncio.ensure_future(write)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,), timeout=SETTLE_SECONDS_MAX)
        if task.done() and not task.cancelled():
            task.exception()  # nobody waits for it any more
        raise
    finally:
        task.cancel()
