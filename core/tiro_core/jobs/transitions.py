"""Every change of a job's state, each a function on its record, with the other fields that it sets.

`states.py` has the table of the states that each one may lead to. Nothing else changes `state`.
"""

from google.rpc.status_pb2 import Status

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1.transcript_pb2 import Transcript
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.clock import now
from tiro_core.jobs.states import TERMINAL, enter

State = Transcription.State


def accept(record: TranscriptionRecord, *, has_audio: bool) -> None:
    """A new job: QUEUED when its recording is there, FETCHING when it is still to be fetched."""
    enter(record, State.STATE_QUEUED if has_audio else State.STATE_FETCHING)


def begin_fetching(record: TranscriptionRecord) -> None:
    """An ingest service begins to fetch the recording, or another one continues."""
    enter(record, State.STATE_FETCHING)


def finish_fetching(record: TranscriptionRecord, upload: UploadRecord) -> None:
    """The recording is fetched: the job waits for a worker."""
    record.audio_duration.CopyFrom(upload.audio.duration)
    record.fetched_size = upload.committed_size
    enter(record, State.STATE_QUEUED)


def fail_fetching(record: TranscriptionRecord, error: Status) -> None:
    """The recording cannot be fetched."""
    record.error.CopyFrom(error)
    enter(record, State.STATE_FAILED)


def hand_over_fetching(record: TranscriptionRecord) -> None:
    """The ingest service stops: another one may continue at once."""
    record.ClearField("lease")


def begin_attempt(record: TranscriptionRecord, worker_id: str) -> None:
    """A worker begins, or another one continues after one that was lost."""
    enter(record, State.STATE_RUNNING)
    record.attempts.append(Transcription.Attempt(worker_id=worker_id, start_time=now()))
    record.ClearField("transcribed_duration")


def succeed(record: TranscriptionRecord, transcript: Transcript) -> None:
    """The transcript is stored under this epoch, and counts."""
    enter(record, State.STATE_SUCCEEDED)
    record.transcript.CopyFrom(transcript)
    record.transcript_epoch = record.epoch
    record.transcribed_duration.CopyFrom(transcript.audio_duration)
    record.attempts[-1].end_time.CopyFrom(now())


def hand_over(record: TranscriptionRecord) -> None:
    """The worker stops. The attempt does not count, and another worker may begin at once."""
    enter(record, State.STATE_QUEUED)
    record.attempts[-1].handed_over = True
    record.attempts[-1].end_time.CopyFrom(now())


def fail_attempt(record: TranscriptionRecord, error: Status, *, is_final: bool) -> None:
    """The attempt failed.

    Args:
        record: The job.
        error: Why.
        is_final: Whether the job fails with it. Otherwise it waits for another attempt.
    """
    record.attempts[-1].error.CopyFrom(error)
    record.attempts[-1].end_time.CopyFrom(now())
    if is_final:
        give_up(record, error)
    else:
        enter(record, State.STATE_QUEUED)


def give_up(record: TranscriptionRecord, error: Status) -> None:
    """The job has failed. Its owner, if it has one, is refused from here on."""
    enter(record, State.STATE_FAILED)
    record.epoch += 1
    record.error.CopyFrom(error)


def cancel(record: TranscriptionRecord) -> None:
    """The caller has cancelled it. Its owner is refused from here on."""
    if record.state == State.STATE_RUNNING:
        record.attempts[-1].end_time.CopyFrom(now())
    enter(record, State.STATE_CANCELLED)
    record.epoch += 1


def mark_for_deletion(record: TranscriptionRecord) -> None:
    """No caller finds it from here on, and no worker continues it."""
    if record.state not in TERMINAL:
        cancel(record)
    record.removing = True


def counted_attempts(record: TranscriptionRecord) -> int:
    """How many attempts count. One that was handed over because its worker stopped does not."""
    return sum(not attempt.handed_over for attempt in record.attempts)
