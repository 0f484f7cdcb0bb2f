"""One long recording on many workers: cut into parts while it is decoded, each transcribed wherever there is room.

The worker that owns the job cuts it, follows the parts, and merges them in order. It needs no slot for that. When it is
lost the next owner goes on behind the last part that was made; what the parts have given is kept until the job is over.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1.transcript_pb2 import Segment, Transcript
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.audio.decode import decode
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.blobs.interface import BlobStore
from tiro_core.errors import from_status
from tiro_core.jobs.removal import remove_parts
from tiro_core.jobs.transcript_pages import SEGMENTS_PER_PAGE, read_page
from tiro_core.leases.owned_record import OwnershipLost
from tiro_core.messaging.connection import Bus
from tiro_core.routing.workers import WorkerDirectory
from tiro_engines.interface import SAMPLE_RATE, ModelInfo
from tiro_transcriber.engine.conversion import shift
from tiro_transcriber.jobs.audio_range import AudioRange, Decoded
from tiro_transcriber.jobs.chunks import cut
from tiro_transcriber.jobs.parts import Parts, open_parts
from tiro_transcriber.jobs.spool import spooled
from tiro_transcriber.jobs.transcript_builder import TranscriptBuilder
from tiro_transcriber.jobs.transcript_writer import TranscriptWriter

CUTS_MAX = 4
"""Jobs that one worker cuts at a time: each has a decoder, and parts in the store. A further one is not cut."""
UNFINISHED_PER_SLOT = 2
"""So many parts for each slot of the live workers may wait or run: cutting waits for the engines, not the reverse."""
UNFINISHED_MIN = 4


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """When and how recordings are cut."""

    seconds_min: float
    """Shorter ones are not. 0 cuts none."""
    part_seconds: int
    """The longest part."""


class JobSplitter:
    """Cuts and merges jobs for one worker."""

    def __init__(
        self,
        bus: Bus,
        blobs: BlobStore,
        launcher: MediaLauncher,
        workers: WorkerDirectory,
        model: ModelInfo,
        *,
        settings: SplitSettings,
        limits: DecodeLimits,
        spool_dir: Path | None,
    ) -> None:
        self._bus = bus
        self._blobs = blobs
        self._launcher = launcher
        self._workers = workers
        self._model = model
        self._settings = settings
        self._limits = limits
        self._spool_dir = spool_dir
        self._under_way = 0

    def wants(self, record: TranscriptionRecord) -> bool:
        """Whether a job is better cut: it is long, and several workers could share it; or it is cut already."""
        if record.cut:
            return True
        long = 0 < self._settings.seconds_min <= record.audio_duration.ToNanoseconds() / 1e9
        whole = not record.HasField("part") and not record.options.separate_channels
        return long and whole and self._slots() > 1 and self._under_way < CUTS_MAX

    async def transcribe(self, record: TranscriptionRecord, size: int, writer: TranscriptWriter) -> Transcript:
        """Have a job transcribed in parts, giving their segments to `writer` in order.

        Args:
            record: The job, marked as cut.
            size: The size of its recording, in bytes.
            writer: The transcript.

        Returns:
            What is known of the transcript besides its segments.

        Raises:
            AudioError: The recording cannot be decoded.
            PartMissing: The recording, or a part's transcript, is not in the store.
            TiroError: A part has failed for good.
            OwnershipLost: The job was cancelled or deleted, and its parts with it.
        """
        self._under_way += 1
        try:
            async with open_parts(self._bus, self._blobs, record) as parts, asyncio.TaskGroup() as tasks:
                cutting = tasks.create_task(self._cut(record, size, parts), name="cutting")
                summary = TranscriptBuilder(record.config, record.options)
                await self._merge(parts, summary, writer)
                return summary.transcript(self._model, await cutting, writer.segment_count)
        finally:
            self._under_way -= 1

    async def clean(self, tenant: str, job: str) -> None:
        """Remove the parts of a job that is over, if there are any."""
        await remove_parts(self._bus, self._blobs, tenant, job)

    async def _cut(self, record: TranscriptionRecord, size: int, parts: Parts) -> Decoded:
        excerpt = AudioRange(record.options)
        spool = spooled(
            self._blobs, tenant=record.tenant, upload_id=record.upload_id, size=size, folder=self._spool_dir
        )
        async with (
            spool as file,
            decode(self._launcher, file, rate=SAMPLE_RATE, limits=self._limits) as stream,
            aclosing(excerpt.until_end(stream)) as chunks,
            aclosing(cut(chunks, self._settings.part_seconds, start=max(excerpt.start, parts.cut_until))) as pieces,
        ):
            async for piece in pieces:
                await parts.wait_for_room(max(UNFINISHED_MIN, UNFINISHED_PER_SLOT * self._slots()))
                await parts.make(piece)
            await parts.complete()
            return excerpt.decoded(stream.report)

    async def _merge(self, parts: Parts, summary: TranscriptBuilder, writer: TranscriptWriter) -> None:
        index = 0
        while (part := await parts.ended(index)) is not None:
            if part.state == Transcription.STATE_CANCELLED:  # parts are cancelled with their job only
                raise OwnershipLost(part.transcription_id)
            if part.state == Transcription.STATE_FAILED:
                raise from_status(part.error)
            begin = part.part.offset
            async for segment in self._segments(part):
                shift(segment, begin)
                for word in segment.words:
                    shift(word, begin)
                writer.add(segment)
            writer.reached((begin + part.part.samples) / SAMPLE_RATE)
            summary.add_part(part.transcript, begin)
            index += 1

    async def _segments(self, part: TranscriptionRecord) -> AsyncIterator[Segment]:
        for page in range(math.ceil(part.transcript.segment_count / SEGMENTS_PER_PAGE)):
            for segment in await read_page(
                self._blobs, part.tenant, part.transcription_id, epoch=part.transcript_epoch, index=page
            ):
                yield segment

    def _slots(self) -> int:
        return sum(worker.job_slots for worker in self._workers.offering(self._model.engine, self._model.model))
