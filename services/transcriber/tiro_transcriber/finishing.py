"""Finishing what must not be left half-done when the worker is told to stop: short things, for a bounded time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from nats.errors import Error

from tiro_core.bus.line import Fenced
from tiro_core.bus.ownership import OwnershipLost
from tiro_core.bus.publishing import BusUnavailable
from tiro_core.logs import get_logger

T = TypeVar("T")

LEFT = (BusUnavailable, Fenced, OwnershipLost, Error, ConnectionError)
"""Why a record is left as it is: it is somebody else's now, or NATS is away. Its lease runs out by itself."""

log = get_logger()


async def uninterrupted(
    work: Coroutine[Any, Any, T], seconds: float, undo: Callable[[T], Awaitable[None]] | None = None
) -> T:
    """Do some work to its end also when cancelled meanwhile; then the cancellation goes on.

    Args:
        work: What to do.
        seconds: How long a cancellation waits for it, and for `undo`, at most.
        undo: What to do about the result when nobody will use it.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await within(seconds, _finish(task, undo))
        raise


async def within(seconds: float, work: Coroutine[Any, Any, None]) -> None:
    """Do something about a record for a bounded time. What cannot be done is left to the lease."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except (TimeoutError, *LEFT) as error:
        log.warning("left_to_expire", reason=repr(error))


async def _finish(task: "asyncio.Future[T]", undo: Callable[[T], Awaitable[None]] | None) -> None:
    result = await task
    if undo is not None:
        await undo(result)
