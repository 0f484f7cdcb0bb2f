"""Reading a transcript page by page."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Self

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import (
    TRANSCRIPT_FORMAT_SEGMENTS,
    TRANSCRIPT_FORMAT_UNSPECIFIED,
    TRANSCRIPT_FORMAT_WORDS,
    GetTranscriptRequest,
    GetTranscriptResponse,
)
from tiro_core.blobs.interface import BlobStore, PartMissing
from tiro_core.errors import failed_precondition
from tiro_core.jobs.states import state_name
from tiro_core.jobs.transcript_pages import SEGMENTS_PER_PAGE, read_page
from tiro_formats.cues import cues_of, has_cues
from tiro_formats.pages import render_page
from tiro_formats.subtitles import SUBTITLE_FORMATS, render_cues
from tiro_ingest.api.paging import page_token, position_of

PAGE_SIZE_DEFAULT = 200
PAGE_BYTES_MAX = 2 * 1024 * 1024
"""A page that has so many bytes takes no more segments: half of what clients take as a message by default."""
TEXT_PAGE_BYTES_MAX = 256 * 1024
"""The same where segments are written as text: JSON takes up to ten times what they take as messages."""
_AS_SEGMENTS = (TRANSCRIPT_FORMAT_UNSPECIFIED, TRANSCRIPT_FORMAT_SEGMENTS)


class TranscriptReader:
    """Reads what workers have stored."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    async def read(self, job: TranscriptionRecord, request: GetTranscriptRequest) -> GetTranscriptResponse:
        """A page of a job's transcript.

        Args:
            job: The job.
            request: Which page, and how to write it.

        Raises:
            TiroError: FAILED_PRECONDITION, the job has not succeeded, or has no word offsets to write;
                INVALID_ARGUMENT, the token is not one of ours, or belongs to another format or to other subtitles.
        """
        if job.state != Transcription.STATE_SUCCEEDED:
            state = state_name(job)
            raise failed_precondition(
                reasons.ERROR_REASON_TRANSCRIPT_NOT_READY, f"the transcription is {state}", state=state
            )
        if request.format == TRANSCRIPT_FORMAT_WORDS and not job.config.enable_word_time_offsets:
            # What is wrong is how the job was made, not this request.
            raise failed_precondition(
                reasons.ERROR_REASON_UNSUPPORTED_OPTION, "the job was made without enable_word_time_offsets"
            )
        scope = _scope(job, request)
        place = _Place.read(position_of(request.page_token, scope)) if request.page_token else _Place(0, 0)
        segments = await self._segments(
            job,
            place.segment,
            request.page_size or PAGE_SIZE_DEFAULT,
            PAGE_BYTES_MAX if request.format in _AS_SEGMENTS else TEXT_PAGE_BYTES_MAX,
        )
        text, cues = await self._text(job, request, segments, place)
        following = _Place(place.segment + len(segments), place.cue + cues)
        more = following.segment < job.transcript.segment_count
        return GetTranscriptResponse(
            transcript=job.transcript,
            segments=segments if request.format in _AS_SEGMENTS else (),
            next_page_token=page_token(scope, str(following)) if more else "",
            text=text,
        )

    async def all_segments(self, job: TranscriptionRecord) -> AsyncIterator[Segment]:
        """The whole transcript of a job that has succeeded.

        Raises:
            PartMissing: A page is not in the store.
        """
        first = 0
        while first < job.transcript.segment_count:
            page = await self._segments(job, first, SEGMENTS_PER_PAGE, PAGE_BYTES_MAX)
            for segment in page:
                yield segment
            first += len(page)

    async def _text(
        self, job: TranscriptionRecord, request: GetTranscriptRequest, segments: Sequence[Segment], place: "_Place"
    ) -> tuple[str, int]:
        """A page as text, and how many cues it has."""
        if request.format in _AS_SEGMENTS:
            return "", 0
        first, behind = place.segment == 0, place.segment + len(segments)
        if request.format in SUBTITLE_FORMATS:
            cues = cues_of(segments, request.subtitles, await self._next_with_cues(job, behind))
            return render_cues(request.format, cues, before=place.cue, first=first), len(cues)
        last = behind >= job.transcript.segment_count
        return render_page(request.format, job.transcript, segments, first=first, last=last), 0

    async def _next_with_cues(self, job: TranscriptionRecord, first: int) -> Segment | None:
        """The first segment from `first` on that has cues: the last cue before it must know where it begins."""
        while first < job.transcript.segment_count:
            rest_of_stored = SEGMENTS_PER_PAGE - first % SEGMENTS_PER_PAGE
            for segment in await self._segments(job, first, rest_of_stored, PAGE_BYTES_MAX):
                if has_cues(segment):
                    return segment
                first += 1
        return None

    async def _segments(self, job: TranscriptionRecord, first: int, count: int, bytes_max: int) -> Sequence[Segment]:
        """At most `count` segments from `first` on, as far as there are any."""
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
class _Place:
    """Where a page begins."""

    segment: int
    """How many segments the pages before have."""
    cue: int
    """How many cues they have, in subtitles."""

    def __str__(self) -> str:
        return f"{self.segment}.{self.cue}"

    @classmethod
    def read(cls, position: str) -> Self:
        segment, _, cue = position.partition(".")
        return cls(int(segment), int(cue))


def _scope(job: TranscriptionRecord, request: GetTranscriptRequest) -> str:
    """What a page token belongs to: pages that are written differently do not fit together."""
    scope = f"transcript/{job.tenant}/{job.transcription_id}"
    if request.format in _AS_SEGMENTS:
        return scope
    scope = f"{scope}/{request.format}"
    if request.format not in SUBTITLE_FORMATS:
        return scope
    options = request.subtitles
    return f"{scope}/{options.line_columns_max}/{options.cue_lines_max}/{options.reading_speed}"
