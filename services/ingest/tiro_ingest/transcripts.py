"""Reading a transcript page by page."""

from collections.abc import Sequence

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import (
    TRANSCRIPT_FORMAT_SEGMENTS,
    TRANSCRIPT_FORMAT_UNSPECIFIED,
    TRANSCRIPT_FORMAT_WORDS,
    GetTranscriptResponse,
    TranscriptFormat,
)
from tiro_core.blobs.interface import BlobStore, PartMissing
from tiro_core.bus.transcripts import SEGMENTS_PER_PAGE, read_page
from tiro_core.errors import failed_precondition, invalid_argument
from tiro_core.jobs.states import state_name
from tiro_formats.pages import PAGED_FORMATS, render_page
from tiro_ingest.paging import page_token, position_of

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

    async def read(
        self,
        job: TranscriptionRecord,
        page_size: int,
        token: str,
        format: "TranscriptFormat.ValueType",  # noqa: A002
    ) -> GetTranscriptResponse:
        """A page of a job's transcript.

        Args:
            job: The job.
            page_size: How many segments at most; 0 for the default.
            token: The token of the page; empty for the first.
            format: How to write it.

        Raises:
            TiroError: FAILED_PRECONDITION, the job has not succeeded, or has no word offsets to write;
                INVALID_ARGUMENT, the token is not one of ours or belongs to another format, or the format is not
                supported.
        """
        if job.state != Transcription.STATE_SUCCEEDED:
            state = state_name(job)
            raise failed_precondition(
                reasons.ERROR_REASON_TRANSCRIPT_NOT_READY, f"the transcription is {state}", state=state
            )
        _require_writable(job, format)
        as_segments = format in _AS_SEGMENTS
        scope = f"transcript/{job.tenant}/{job.transcription_id}" + ("" if as_segments else f"/{format}")
        first = int(position_of(token, scope)) if token else 0
        count = min(page_size or PAGE_SIZE_DEFAULT, job.transcript.segment_count - first)
        segments = await self._segments(job, first, count, PAGE_BYTES_MAX if as_segments else TEXT_PAGE_BYTES_MAX)
        following = first + len(segments)
        more = following < job.transcript.segment_count
        return GetTranscriptResponse(
            transcript=job.transcript,
            segments=segments if as_segments else (),
            next_page_token=page_token(scope, str(following)) if more else "",
            text="" if as_segments else render_page(format, job.transcript, segments, first=first == 0, last=not more),
        )

    async def _segments(self, job: TranscriptionRecord, first: int, count: int, bytes_max: int) -> Sequence[Segment]:
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


def _require_writable(job: TranscriptionRecord, format: "TranscriptFormat.ValueType") -> None:  # noqa: A002 - the word for it
    """Refuse a format that is not built yet, or that the job's transcript cannot be written in."""
    if format not in _AS_SEGMENTS and format not in PAGED_FORMATS:
        name = TranscriptFormat.Name(format).removeprefix("TRANSCRIPT_FORMAT_")
        raise invalid_argument(
            reasons.ERROR_REASON_UNSUPPORTED_OPTION, f"the format {name} is not supported yet", field_path="format"
        )
    if format == TRANSCRIPT_FORMAT_WORDS and not job.config.enable_word_time_offsets:
        # What is wrong is how the job was made, not this request.
        raise failed_precondition(
            reasons.ERROR_REASON_UNSUPPORTED_OPTION, "the job was made without enable_word_time_offsets"
        )
