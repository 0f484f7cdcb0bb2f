"""Merging the transcripts of a job's parts, in order.

The segments of a part have passed the stages on the worker that transcribed it. A stage that needs the whole recording
would combine its results of the parts here.
"""

import math
from collections.abc import AsyncIterator

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.blobs.interface import BlobStore
from tiro_core.errors import from_status
from tiro_core.jobs.transcript_pages import SEGMENTS_PER_PAGE, read_page
from tiro_core.leases.owned_record import OwnershipLost
from tiro_engines.interface import SAMPLE_RATE
from tiro_transcriber.engine.conversion import from_proto
from tiro_transcriber.jobs.parts import Parts
from tiro_transcriber.jobs.transcript_builder import TranscriptBuilder
from tiro_transcriber.jobs.transcript_writer import TranscriptWriter


class PartMerger:
    """Merges the parts of one job."""

    def __init__(self, blobs: BlobStore, parts: Parts, builder: TranscriptBuilder, writer: TranscriptWriter) -> None:
        self._blobs = blobs
        self._parts = parts
        self._builder = builder
        self._writer = writer

    async def run(self) -> None:
        """Wait for each part in turn, and add it to the transcript.

        Raises:
            PartMissing: A part's transcript is not in the store.
            TiroError: A part has failed for good.
            OwnershipLost: The job was cancelled or deleted, and its parts with it.
        """
        index = 0
        while (part := await self._parts.ended(index)) is not None:
            if part.state == Transcription.STATE_CANCELLED:  # parts are cancelled only with their job
                raise OwnershipLost(part.transcription_id)
            if part.state == Transcription.STATE_FAILED:
                raise from_status(part.error)
            await self._add(part)
            index += 1

    async def _add(self, part: TranscriptionRecord) -> None:
        offset = part.part.offset
        async for segment in self._segments(part):
            await self._writer.wait_for_capacity()
            self._writer.add(from_proto(segment, offset))
        self._writer.report_progress((offset + part.part.samples) / SAMPLE_RATE)
        self._builder.add_part(part.transcript, offset)

    async def _segments(self, part: TranscriptionRecord) -> AsyncIterator[Segment]:
        for page in range(math.ceil(part.transcript.segment_count / SEGMENTS_PER_PAGE)):
            for segment in await read_page(
                self._blobs, part.tenant, part.transcription_id, epoch=part.transcript_epoch, index=page
            ):
                yield segment
