"""Transcripts as stored: pages of segments, so that ten hours of speech are read in pieces."""

from collections.abc import Sequence

from tiro.events.v1.transcription_pb2 import TranscriptPage
from tiro.speech.v1.transcript_pb2 import Segment
from tiro_core.blobs.interface import BlobStore
from tiro_core.blobs.keys import transcript_key

SEGMENTS_PER_PAGE = 50
"""Segments in every page but the last. A segment of 30 seconds with its words is at most 8 kB, a part takes 512 KiB."""


async def write_page(
    blobs: BlobStore, tenant: str, job: str, *, epoch: int, index: int, segments: Sequence[Segment]
) -> None:
    """Store a page of the transcript that the owner with this epoch makes."""
    page = TranscriptPage(segments=segments)
    await blobs.put_part(transcript_key(tenant, job, epoch), index, page.SerializeToString())


async def read_page(blobs: BlobStore, tenant: str, job: str, *, epoch: int, index: int) -> Sequence[Segment]:
    """Read a page.

    Raises:
        PartMissing: It is not there or damaged.
    """
    return TranscriptPage.FromString(await blobs.get_part(transcript_key(tenant, job, epoch), index)).segments
