"""A bucket kept in memory, for look-ups that every call needs and that must see a change at once."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from google.protobuf.message import Message

from tiro_core.messaging.records import CAUGHT_UP, RESTARTED, Change, RecordStore

M = TypeVar("M", bound=Message)

_Known = dict[str, tuple[M, float]]
"""Records by their key, with the moment of their last write on the monotonic clock."""


class Mirror(Generic[M]):
    """The records of a bucket as last seen."""

    def __init__(self) -> None:
        self._known: _Known[M] = {}
        self._complete = asyncio.Event()

    def get(self, key: str) -> M | None:
        """A record, None when it does not exist."""
        known = self._known.get(key)
        return known[0] if known else None

    def written_within(self, seconds: float) -> Iterator[M]:
        """The records that were written in the last seconds. Older ones are forgotten."""
        oldest = time.monotonic() - seconds
        for key, (record, written_at) in list(self._known.items()):
            if written_at >= oldest:
                yield record
            else:
                del self._known[key]

    async def follow(self, store: RecordStore[M]) -> None:
        """Keep up to date, until cancelled."""
        anew: _Known[M] | None = None
        async with store.watch(">") as changes:
            async for change in changes:
                if change is RESTARTED:
                    anew = {}  # the known records stay in use until all have come again
                elif change is CAUGHT_UP:
                    self._known, anew = (self._known if anew is None else anew), None
                    self._complete.set()
                elif isinstance(change, Change):
                    _apply(change, self._known)
                    if anew is not None:
                        _apply(change, anew)

    async def complete(self) -> None:
        """Wait until every record that existed at the start is known."""
        await self._complete.wait()


def _apply(change: Change[M], known: _Known[M]) -> None:
    if change.value is None:
        known.pop(change.key, None)
    else:
        known[change.key] = (change.value, time.monotonic())


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
