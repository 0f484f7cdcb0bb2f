"""Reading a transcript page by page."""

from collections.abc import Sequence

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import GetTranscriptResponse
from tiro_core.blobs.interface import BlobStore, PartMissing
from tiro_core.bus.transcripts import SEGMENTS_PER_PAGE, read_page
from tiro_core.errors import failed_precondition
from tiro_core.jobs.states import state_name
from tiro_ingest.paging import page_token, position_of

PAGE_SIZE_DEFAULT = 200
PAGE_BYTES_MAX = 2 * 1024 * 1024
"""A page that has so many bytes takes no more segments: half of what clients take as a message by default."""


class TranscriptReader:
    """Reads what workers have stored."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    async def read(self, job: TranscriptionRecord, page_size: int, token: str) -> GetTranscriptResponse:
        """A page of a job's transcript.

        Args:
            job: The job.
            page_size: How many segments at most; 0 for the default.
            token: The token of the page; empty for the first.

        Raises:
            TiroError: FAILED_PRECONDITION, the job has not succeeded; INVALID_ARGUMENT, the token is not one of ours.
        """
        if job.state != Transcription.STATE_SUCCEEDED:
            state = state_name(job)
            raise failed_precondition(
                reasons.ERROR_REASON_TRANSCRIPT_NOT_READY, f"the transcription is {state}", state=state
            )
        scope = f"transcript/{job.tenant}/{job.transcription_id}"
        first = int(position_of(token, scope)) if token else 0
        count = min(page_size or PAGE_SIZE_DEFAULT, job.transcript.segment_count - first)
        segments = await self._segments(job, first, count)
        following = first + len(segments)
        more = following < job.transcript.segment_count
        return GetTranscriptResponse(
            transcript=job.transcript,
            segments=segments,
            next_page_token=page_token(scope, str(following)) if more else "",
        )

    async def _segments(self, job: TranscriptionRecord, first: int, count: int) -> Sequence[Segment]:
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
                if segments and size > PAGE_BYTES_MAX:
                    return segments
                segments.append(segment)
        return segments
