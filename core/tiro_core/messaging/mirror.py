"""A bucket kept in memory: for look-ups that every call needs, and that must notice a change at once."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from google.protobuf.message import Message

from tiro_core.messaging.records import RecordStore

M = TypeVar("M", bound=Message)


class Mirror(Generic[M]):
    """The records of a bucket as last heard."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[M, float]] = {}
        self._complete = asyncio.Event()

    def get(self, key: str) -> M | None:
        """A record, None where there is none."""
        heard = self._heard.get(key)
        return heard[0] if heard else None

    def heard_within(self, seconds: float) -> Iterator[M]:
        """The records that were written in the last seconds. Those that were not are forgotten."""
        oldest = time.monotonic() - seconds
        for key, (record, heard_at) in list(self._heard.items()):
            if heard_at >= oldest:
                yield record
            else:
                del self._heard[key]

    async def follow(self, store: RecordStore[M]) -> None:
        """Keep up to date, until cancelled."""
        async with store.watch(">") as changes:
            async for change in changes:
                if change is None:
                    self._complete.set()
                elif change.value is None:
                    self._heard.pop(change.key, None)
                else:
                    self._heard[change.key] = (change.value, time.monotonic())

    async def complete(self) -> None:
        """Wait until everything that was there at the start is known."""
        await self._complete.wait()


@asynccontextmanager
async def open_mirror(store: RecordStore[M]) -> AsyncIterator[Mirror[M]]:
    """A mirror that is complete, and follows the changes while the context lasts."""
    mirror: Mirror[M] = Mirror()
    async with asyncio.TaskGroup() as tasks:
        follower = tasks.create_task(mirror.follow(store), name="mirror")
        await mirror.complete()
        try:
            yield mirror
        finally:
            follower.cancel()
