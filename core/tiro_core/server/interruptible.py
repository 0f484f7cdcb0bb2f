"""Reading a stream that may be silent, in a service that may be stopped."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from typing import TypeVar

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.errors import unavailable

RETRY_AFTER = timedelta(seconds=1)
"""When a caller of a service that stops may try another one."""

T = TypeVar("T")


async def until_stopping(
    source: AsyncIterator[T], stopping: asyncio.Event, *, silence_seconds: float
) -> AsyncGenerator[T | None, None]:
    """The items of `source`, and None whenever none has come for `silence_seconds`.

    Raises:
        TiroError: UNAVAILABLE; the service is stopping. The caller continues with another one.
    """
    stopped = asyncio.create_task(stopping.wait())
    upcoming = asyncio.create_task(_next(source))
    try:
        while True:
            await asyncio.wait((stopped, upcoming), timeout=silence_seconds, return_when=asyncio.FIRST_COMPLETED)
            if stopped.done():
                raise unavailable(
                    reasons.ERROR_REASON_SHUTTING_DOWN, "the service is stopping", retry_after=RETRY_AFTER
                )
            if not upcoming.done():
                yield None
                continue
            try:
                item = upcoming.result()
            except StopAsyncIteration:
                return
            upcoming = asyncio.create_task(_next(source))
            yield item
    finally:
        stopped.cancel()
        upcoming.cancel()
        # The source can only be closed once no task waits for it. Its errors were raised above.
        await asyncio.gather(stopped, upcoming, return_exceptions=True)


async def _next(source: AsyncIterator[T]) -> T:
    return await anext(source)
