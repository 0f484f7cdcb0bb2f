"""Following the records of all open jobs, for the parts of ingest that need every change."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import CAUGHT_UP, RESTARTED, Change, RecordStore


class JobObserver(Protocol):
    """A part of ingest that follows every job."""

    def on_change(self, key: str, record: TranscriptionRecord | None) -> None:
        """Called when a job was written or deleted (`record` is None). It must be fast: the other observers wait."""


class JobFollower:
    """Notifies its observers of every open job, and then of every change."""

    def __init__(self, bus: Bus, observers: Sequence[JobObserver]) -> None:
        self._records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
        self._observers = observers
        self._complete = asyncio.Event()
        self._known: set[str] = set()

    async def run(self) -> None:
        """Follow until cancelled."""
        unseen = set(self._known)
        async with self._records.watch(">") as changes:
            async for change in changes:
                if change is RESTARTED:
                    unseen = set(self._known)
                elif change is CAUGHT_UP:
                    for key in unseen:  # deleted while the watch was cut off for longer than markers are kept
                        self.notify(key, None)
                    unseen = set()
                    self._complete.set()
                elif isinstance(change, Change):
                    unseen.discard(change.key)
                    self.notify(change.key, change.value)

    def notify(self, key: str, record: TranscriptionRecord | None) -> None:
        """Notify the observers of a change. This service calls it for its own writes, before the watch reports them."""
        if record is None:
            self._known.discard(key)
        else:
            self._known.add(key)
        for observer in self._observers:
            observer.on_change(key, record)

    async def complete(self) -> None:
        """Wait until the observers know every job that existed at the start."""
        await self._complete.wait()
