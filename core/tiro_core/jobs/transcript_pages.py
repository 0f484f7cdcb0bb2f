"""Transcripts as stored: pages of segments, so that no reader holds ten hours of speech at once."""

from collections.abc import Sequence

from tiro.events.v1.transcription_pb2 import TranscriptPage
from tiro.speech.v1.transcript_pb2 import Segment
from tiro_core.blobs.interface import BlobStore
from tiro_core.blobs.keys import transcript_key

SEGMENTS_PER_PAGE = 50
"""Segments in every page but the last. A segment of 30 s with its words has at most 8 kB; a part has 512 KiB."""


async def write_page(
    blobs: BlobStore, tenant: str, job: str, *, epoch: int, index: int, segments: Sequence[Segment]
) -> None:
    """Store a page of the transcript that the owner with this epoch writes."""
    page = TranscriptPage(segments=segments)
    await blobs.put_part(transcript_key(tenant, job, epoch), index, page.SerializeToString())


async def read_page(blobs: BlobStore, tenant: str, job: str, *, epoch: int, index: int) -> Sequence[Segment]:
    """Read a page.

    Raises:
        PartMissing: The page does not exist, or is damaged.
    """
    return TranscriptPage.FromString(await blobs.get_part(transcript_key(tenant, job, epoch), index)).segments
