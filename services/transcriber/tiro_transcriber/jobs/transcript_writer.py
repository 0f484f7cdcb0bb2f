"""Writing a transcript while it is made: its segments to the event log at once, and to the store page by page.

All texts of a job leave the worker through this writer, after they have passed the job's stages.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1 import transcript_pb2
from tiro_core.blobs.interface import BlobStore
from tiro_core.jobs.event_log import JobEventLog
from tiro_core.jobs.transcript_pages import SEGMENTS_PER_PAGE, write_page
from tiro_engines.interface import SAMPLE_RATE, DroppedText, Segment
from tiro_transcriber.engine.conversion import dropped_to_proto, to_proto
from tiro_transcriber.pipeline.failures import StageFailure, by_stage
from tiro_transcriber.pipeline.pipeline import Pipeline

FLUSH_SECONDS = 0.25
"""How long a segment or the progress may wait to be written with others, because each write goes to the disk."""
SEGMENTS_WAITING_MAX = 4 * SEGMENTS_PER_PAGE
"""Segments that may wait before `wait_for_capacity` waits: the engine is faster than the stages or the store."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    segment: Segment
    channel: int


class TranscriptWriter:
    """The transcript of one attempt. Use `open_transcript_writer`."""

    def __init__(self, blobs: BlobStore, log: JobEventLog, record: TranscriptionRecord, pipeline: Pipeline) -> None:
        self._blobs = blobs
        self._log = log
        self._record = record
        self._pipeline = pipeline
        self._waiting: deque[_Waiting] = deque()
        self._page: list[transcript_pb2.Segment] = []
        self._page_count = 0
        self._seconds = self._published_seconds = 0.0
        self._has_news = asyncio.Event()
        self._is_due = asyncio.Event()
        self._has_capacity = asyncio.Event()
        self._is_complete = False
        self._failures: Sequence[StageFailure] = ()
        self._dropped: list[DroppedText] = []
        self.segment_count = 0

    def add(self, segment: Segment, *, channel: int = 0) -> None:
        """Add a segment, which `follow` writes.

        Args:
            segment: The engine's segment, with times in the whole recording.
            channel: The channel of the segment, from 1. 0: all channels mixed.
        """
        self._waiting.append(_Waiting(segment, channel))
        self.segment_count += 1
        self.report_progress(segment.end / SAMPLE_RATE)
        if len(self._waiting) >= SEGMENTS_PER_PAGE:
            self._is_due.set()

    async def add_dropped(self, dropped: DroppedText) -> None:
        """Add a text that was dropped, which `warnings` then has."""
        self._dropped.append(await self._pipeline.process_dropped(dropped))

    def report_progress(self, seconds: float) -> None:
        """Report the seconds of the recording that are transcribed."""
        self._seconds = max(self._seconds, seconds)
        self._has_news.set()

    async def wait_for_capacity(self) -> None:
        """Wait until fewer than `SEGMENTS_WAITING_MAX` segments wait to be written."""
        while len(self._waiting) >= SEGMENTS_WAITING_MAX:
            self._has_capacity.clear()
            await self._has_capacity.wait()

    @property
    def warnings(self) -> Sequence[transcript_pb2.Warning]:
        """The warnings about segments that were written, and about texts that were dropped."""
        failures = [failure.warning() for failure in by_stage(self._failures)]
        return [*(dropped_to_proto(dropped) for dropped in self._dropped), *failures]

    def complete(self) -> None:
        """End `follow` once everything is written."""
        self._is_complete = True
        self._has_news.set()
        self._is_due.set()

    async def follow(self) -> None:
        """Write segments and progress as they come, until `complete` was called and everything is written."""
        while not self._is_complete:
            await self._has_news.wait()
            self._has_news.clear()
            await self._write()
            await self._wait_for_more()
        await self._write()
        if self._page:
            await self._store_page()

    async def _wait_for_more(self) -> None:
        if not self._is_complete:
            self._is_due.clear()
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._is_due.wait()
        except TimeoutError:
            return

    async def _write(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), SEGMENTS_PER_PAGE))]
            self._has_capacity.set()
            segments = [await self._processed(entry) for entry in batch]
            await self._log.append_segments(segments)
            for segment in segments:
                self._page.append(segment)
                if len(self._page) == SEGMENTS_PER_PAGE:
                    await self._store_page()
        if self._seconds > self._published_seconds:
            self._published_seconds = self._seconds
            await self._log.append_progress(self._seconds)

    async def _processed(self, entry: _Waiting) -> transcript_pb2.Segment:
        processed = await self._pipeline.process(entry.segment)
        if processed.failures:
            self._failures = by_stage([*self._failures, *processed.failures])
        return to_proto(processed.segment, self._record.config, channel=entry.channel)

    async def _store_page(self) -> None:
        record = self._record
        await write_page(
            self._blobs,
            record.tenant,
            record.transcription_id,
            epoch=record.epoch,
            index=self._page_count,
            segments=self._page,
        )
        self._page_count += 1
        self._page = []


@asynccontextmanager
async def open_transcript_writer(
    blobs: BlobStore, log: JobEventLog, record: TranscriptionRecord, pipeline: Pipeline
) -> AsyncIterator[TranscriptWriter]:
    """A writer that works while the context lasts. At its end everything is written.

    Args:
        blobs: The store of the pages.
        log: The event log, for segments and progress.
        record: The job.
        pipeline: The stages of the job.
    """
    writer = TranscriptWriter(blobs, log, record, pipeline)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(writer.follow(), name="transcript-writer")
        yield writer
        writer.complete()
