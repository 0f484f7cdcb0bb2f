"""Finishing short work that must not be left half-done when the process stops, for a bounded time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from tiro_core.leases.owned_record import OwnershipLost
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.errors import MessagingError

T = TypeVar("T")

log = get_logger()


async def shielded(
    work: Coroutine[Any, Any, T], seconds: float, undo: Callable[[T], Awaitable[None]] | None = None
) -> T:
    """Run `work` to its end, also when cancelled meanwhile; then the cancellation continues.

    Args:
        work: The work.
        seconds: How long a cancellation waits for the work, and for `undo`, at most.
        undo: Undoes the result of work that was cancelled.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await with_deadline(seconds, _finish(task, undo))
        raise


async def with_deadline(seconds: float, work: Coroutine[Any, Any, None]) -> None:
    """Run `work` for at most `seconds`. Work that does not end in time is left to the record's next owner."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except (TimeoutError, MessagingError, OwnershipLost) as error:
        log.warning("left_to_expire", reason=repr(error))


async def _finish(task: "asyncio.Future[T]", undo: Callable[[T], Awaitable[None]] | None) -> None:
    result = await task
    if undo is not None:
        await undo(result)
