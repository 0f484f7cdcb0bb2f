"""The words of a job's transcript, and the reason of its error."""

from google.rpc import error_details_pb2

from tests.integration.transcriber.conftest import Jobs
from tiro.events.v1.transcription_pb2 import TranscriptionEvent, TranscriptionRecord
from tiro_core.jobs.transcript_pages import SEGMENTS_PER_PAGE, read_page


def reason_of(record: TranscriptionRecord) -> str:
    """The reason of a record's error."""
    info = error_details_pb2.ErrorInfo()
    record.error.details[0].Unpack(info)
    return str(info.reason)


def words_published(events: list[TranscriptionEvent]) -> list[str]:
    """The words of the last attempt in the published events."""
    attempt = events[-1].attempt
    return [
        word
        for event in events
        if event.attempt == attempt
        for segment in event.segments.segments
        for word in segment.text.split()
    ]


async def words_stored(jobs: Jobs, record: TranscriptionRecord) -> list[str]:
    """The words of the stored transcript."""
    words = []
    for page in range(-(-record.transcript.segment_count // SEGMENTS_PER_PAGE)):
        segments = await read_page(
            jobs.blobs, record.tenant, record.transcription_id, epoch=record.transcript_epoch, index=page
        )
        words += [word for segment in segments for word in segment.text.split()]
    return words
