"""Collecting segments as the engine gives them and telling them: to the history soon, to the transcript by pages."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1.transcript_pb2 import Segment
from tiro_core.blobs.interface import BlobStore
from tiro_core.jobs.event_log import JobEventLog
from tiro_core.jobs.transcript_pages import SEGMENTS_PER_PAGE, write_page

FLUSH_SECONDS = 0.25
"""Segments and progress are told at most this often: each telling is a write to disk."""


class TranscriptWriter:
    """The transcript of one attempt."""

    def __init__(self, blobs: BlobStore, history: JobEventLog, record: TranscriptionRecord) -> None:
        self._blobs = blobs
        self._history = history
        self._record = record
        self._untold: deque[Segment] = deque()
        self._page: list[Segment] = []
        self._pages = 0
        self._seconds = self._told_seconds = 0.0
        self._news = asyncio.Event()
        self._complete = asyncio.Event()
        self.segment_count = 0

    def add(self, segment: Segment) -> None:
        """Take a segment. It is told by `follow`."""
        self._untold.append(segment)
        self.segment_count += 1
        self.reached(segment.end_offset.ToNanoseconds() / 1e9)

    def reached(self, seconds: float) -> None:
        """Note how far the engine is."""
        self._seconds = max(self._seconds, seconds)
        self._news.set()

    def complete(self) -> None:
        """Nothing more comes."""
        self._complete.set()
        self._news.set()

    async def follow(self) -> None:
        """Tell what comes, until everything is told and stored."""
        while not self._complete.is_set():
            await self._news.wait()
            self._news.clear()
            await self._tell()
            await self._pause()
        await self._tell()
        if self._page:
            await self._store_page()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._complete.wait()
        except TimeoutError:
            return

    async def _tell(self) -> None:
        while self._untold:
            batch = [self._untold.popleft() for _ in range(min(len(self._untold), SEGMENTS_PER_PAGE))]
            await self._history.append_segments(batch)
            for segment in batch:
                self._page.append(segment)
                if len(self._page) == SEGMENTS_PER_PAGE:
                    await self._store_page()
        if self._seconds > self._told_seconds:
            self._told_seconds = self._seconds
            await self._history.append_progress(self._seconds)

    async def _store_page(self) -> None:
        record = self._record
        await write_page(
            self._blobs,
            record.tenant,
            record.transcription_id,
            epoch=record.epoch,
            index=self._pages,
            segments=self._page,
        )
        self._pages += 1
        self._page = []


@asynccontextmanager
async def open_transcript_writer(
    blobs: BlobStore, history: JobEventLog, record: TranscriptionRecord
) -> AsyncIterator[TranscriptWriter]:
    """A writer that tells what it is given while the context lasts. At its end everything is told and stored."""
    writer = TranscriptWriter(blobs, history, record)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(writer.follow(), name="transcript-writer")
        yield writer
        writer.complete()
