"""How an attempt at a job can end, as its record says it."""

from google.rpc.status_pb2 import Status

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1.transcript_pb2 import Transcript
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.clock import now
from tiro_core.jobs.states import enter


def succeed(record: TranscriptionRecord, transcript: Transcript) -> None:
    """The transcript is stored under this epoch, and counts."""
    enter(record, Transcription.STATE_SUCCEEDED)
    record.transcript.CopyFrom(transcript)
    record.transcript_epoch = record.epoch
    record.transcribed_duration.CopyFrom(transcript.audio_duration)
    record.attempts[-1].end_time.CopyFrom(now())


def hand_over(record: TranscriptionRecord) -> None:
    """The worker was told to stop. The attempt does not count, and another worker may begin at once."""
    enter(record, Transcription.STATE_QUEUED)
    record.attempts[-1].handed_over = True
    record.attempts[-1].end_time.CopyFrom(now())


def fail(record: TranscriptionRecord, error: Status, *, again: bool) -> None:
    """The attempt failed.

    Args:
        record: The job.
        error: Why.
        again: Whether another attempt follows.
    """
    record.attempts[-1].error.CopyFrom(error)
    record.attempts[-1].end_time.CopyFrom(now())
    if again:
        enter(record, Transcription.STATE_QUEUED)
    else:
        give_up(record, error)


def give_up(record: TranscriptionRecord, error: Status) -> None:
    """The job has failed."""
    enter(record, Transcription.STATE_FAILED)
    record.epoch += 1
    record.error.CopyFrom(error)


def counted_attempts(record: TranscriptionRecord) -> int:
    """How many attempts count. One that was handed over because its worker was told to stop does not."""
    return sum(not attempt.handed_over for attempt in record.attempts)
