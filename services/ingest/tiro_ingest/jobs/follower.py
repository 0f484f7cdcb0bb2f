"""Following the records of all jobs, for the parts of ingest that must know what happens to them."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore


class JobObserver(Protocol):
    """Who wants to know of every job."""

    def on_change(self, key: str, record: TranscriptionRecord | None) -> None:
        """A job was written, or deleted (`record` is None). Must not take long: the others wait."""


class JobFollower:
    """Tells its listeners of every job there is, and then of every change."""

    def __init__(self, bus: Bus, listeners: Sequence[JobObserver]) -> None:
        self._records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
        self._listeners = listeners
        self._complete = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled."""
        async with self._records.watch(">") as changes:
            async for change in changes:
                if change is None:
                    self._complete.set()
                    continue
                for listener in self._listeners:
                    listener.on_change(change.key, change.value)

    def notify(self, key: str, record: TranscriptionRecord) -> None:
        """Tell the listeners of a job that was written here, before the store does."""
        for listener in self._listeners:
            listener.on_change(key, record)

    async def complete(self) -> None:
        """Wait until everything that was there at the start has been told."""
        await self._complete.wait()
