"""Reading a transcript page by page, as segments or as text."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Self

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import GetTranscriptRequest, GetTranscriptResponse
from tiro_core.blobs.interface import BlobStore, PartMissing
from tiro_core.errors import failed_precondition
from tiro_core.jobs.states import state_name
from tiro_core.jobs.transcript_pages import SEGMENTS_PER_PAGE, read_page
from tiro_formats.cues import cues_of, has_cues
from tiro_formats.registry import writer_for
from tiro_formats.writer import Page, TranscriptWriter
from tiro_ingest.resources.paging import page_token, position_of

PAGE_SIZE_DEFAULT = 200
"""Segments per page, unless the request says otherwise."""
PAGE_BYTES_MAX = 2 * 1024 * 1024
"""A page takes no further segment beyond this size in bytes: half of the default message limit of clients."""
TEXT_PAGE_BYTES_MAX = 256 * 1024
"""The same limit for pages of text, in bytes of the segments as messages: as JSON they grow up to tenfold."""


class TranscriptReader:
    """Reads the transcripts that workers have stored."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    async def read(self, job: TranscriptionRecord, request: GetTranscriptRequest) -> GetTranscriptResponse:
        """A page of a job's transcript.

        Args:
            job: The job.
            request: The page token, and the format.

        Raises:
            TiroError: FAILED_PRECONDITION, the job has not succeeded, or the format needs word timestamps that the job
                was created without; INVALID_ARGUMENT, the page token is invalid, or belongs to another transcript,
                format or subtitle options.
        """
        if job.state != Transcription.STATE_SUCCEEDED:
            state = state_name(job)
            raise failed_precondition(
                reasons.ERROR_REASON_TRANSCRIPT_NOT_READY, f"the transcription is {state}", state=state
            )
        writer = writer_for(request.format)
        if writer is not None and writer.needs_words and not job.config.enable_word_time_offsets:
            # The cause is how the job was created, not this request.
            raise failed_precondition(
                reasons.ERROR_REASON_UNSUPPORTED_OPTION, "the job was created without enable_word_time_offsets"
            )
        scope = _scope(job, request, writer)
        cursor = _PageCursor.parse(position_of(request.page_token, scope)) if request.page_token else _PageCursor()
        bytes_max = PAGE_BYTES_MAX if writer is None else TEXT_PAGE_BYTES_MAX
        segments = await self._segments(job, cursor.segment, request.page_size or PAGE_SIZE_DEFAULT, bytes_max)
        response = GetTranscriptResponse(transcript=job.transcript)
        count = 0
        if writer is None:
            response.segments.extend(segments)
        else:
            page = await self._page(job, request, writer, segments, cursor)
            response.text = writer.write(page)
            count = len(page.cues) if writer.uses_cues else sum(len(segment.words) for segment in segments)
        following = _PageCursor(cursor.segment + len(segments), cursor.item + count, cursor.round)
        if following.segment >= job.transcript.segment_count:
            following = _PageCursor(round=cursor.round + 1)
        if following.round < (writer.rounds if writer is not None else 1):
            response.next_page_token = page_token(scope, str(following))
        return response

    async def all_segments(self, job: TranscriptionRecord) -> AsyncIterator[Segment]:
        """The whole transcript of a job that has succeeded. One page of it is in memory at a time.

        Raises:
            PartMissing: A page is not in the store.
        """
        first = 0
        while first < job.transcript.segment_count:
            page = await self._segments(job, first, SEGMENTS_PER_PAGE, PAGE_BYTES_MAX)
            for segment in page:
                yield segment
            first += len(page)

    async def _page(
        self,
        job: TranscriptionRecord,
        request: GetTranscriptRequest,
        writer: TranscriptWriter,
        segments: Sequence[Segment],
        cursor: "_PageCursor",
    ) -> Page:
        end = cursor.segment + len(segments)
        cues = cues_of(segments, request.subtitles, await self._next_with_cues(job, end)) if writer.uses_cues else ()
        return Page(
            transcript=job.transcript,
            segments=segments,
            is_first=cursor.segment == 0,
            is_last=end >= job.transcript.segment_count,
            cues=cues,
            cues_before=cursor.item if writer.uses_cues else 0,
            segments_before=cursor.segment,
            words_before=0 if writer.uses_cues else cursor.item,
            round=cursor.round,
        )

    async def _next_with_cues(self, job: TranscriptionRecord, first: int) -> Segment | None:
        """The first segment from `first` on that has cues: it limits how long the last cue before it is shown."""
        while first < job.transcript.segment_count:
            rest_of_stored = SEGMENTS_PER_PAGE - first % SEGMENTS_PER_PAGE
            for segment in await self._segments(job, first, rest_of_stored, PAGE_BYTES_MAX):
                if has_cues(segment):
                    return segment
                first += 1
        return None

    async def _segments(self, job: TranscriptionRecord, first: int, count: int, bytes_max: int) -> Sequence[Segment]:
        """At most `count` segments from `first` on, at least one unless `first` is the end."""
        count = min(count, job.transcript.segment_count - first)
        segments: list[Segment] = []
        size = 0
        while len(segments) < count:
            index, skip = divmod(first + len(segments), SEGMENTS_PER_PAGE)
            stored = await read_page(
                self._blobs, job.tenant, job.transcription_id, epoch=job.transcript_epoch, index=index
            )
            if len(stored) <= skip:
                raise PartMissing(f"page {index} of {job.transcription_id} has {len(stored)} segments")
            for segment in stored[skip : skip + count - len(segments)]:
                size += segment.ByteSize()
                if segments and size > bytes_max:
                    return segments
                segments.append(segment)
        return segments


@dataclass(frozen=True, slots=True)
class _PageCursor:
    """The position at which a page begins."""

    segment: int = 0
    """The number of segments on the pages before, in the same round."""
    item: int = 0
    """The number of cues on these pages, in formats that use cues; of words in others."""
    round: int = 0
    """The round of the format."""

    def __str__(self) -> str:
        return f"{self.segment}.{self.item}.{self.round}"

    @classmethod
    def parse(cls, position: str) -> Self:
        return cls(*map(int, position.split(".")))


def _scope(job: TranscriptionRecord, request: GetTranscriptRequest, writer: TranscriptWriter | None) -> str:
    """The scope of a page token: pages of different formats or subtitle options cannot be concatenated."""
    scope = f"transcript/{job.tenant}/{job.transcription_id}"
    if writer is None:
        return scope
    scope = f"{scope}/{writer.enum_value}"
    if not writer.uses_cues:
        return scope
    options = request.subtitles
    return f"{scope}/{options.line_columns_max}/{options.cue_lines_max}/{options.reading_speed}"
