"""The transitions of a job: each is a function on its record that sets the state and the fields that follow from it.

`states.py` has the table of legal transitions. No other code sets `state`.
"""

from google.rpc.status_pb2 import Status

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1.transcript_pb2 import Transcript
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.clock import now
from tiro_core.jobs.audio_tracks import heard_duration
from tiro_core.jobs.states import TERMINAL, enter

State = Transcription.State


def accept(record: TranscriptionRecord, *, has_audio: bool) -> None:
    """A new job: QUEUED when its recording is stored, FETCHING when it is still to be fetched."""
    enter(record, State.STATE_QUEUED if has_audio else State.STATE_FETCHING)


def begin_fetching(record: TranscriptionRecord) -> None:
    """An ingest service begins to fetch the recording, or another one continues."""
    enter(record, State.STATE_FETCHING)


def finish_fetching(record: TranscriptionRecord, upload: UploadRecord) -> None:
    """The recording is fetched: the job waits for a worker."""
    record.audio_duration.CopyFrom(heard_duration(record.options, upload.audio))
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
    """The transcript of this epoch is stored, and is the job's."""
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
        error: Why it failed.
        is_final: Whether the job fails as well. Otherwise it waits for another attempt.
    """
    record.attempts[-1].error.CopyFrom(error)
    record.attempts[-1].end_time.CopyFrom(now())
    if is_final:
        give_up(record, error)
    else:
        enter(record, State.STATE_QUEUED)


def give_up(record: TranscriptionRecord, error: Status) -> None:
    """The job has failed. Writes of its owner, if it has one, are refused from here on."""
    enter(record, State.STATE_FAILED)
    record.epoch += 1
    record.error.CopyFrom(error)


def cancel(record: TranscriptionRecord) -> None:
    """The caller has cancelled the job. Writes of its owner are refused from here on."""
    if record.state == State.STATE_RUNNING:
        record.attempts[-1].end_time.CopyFrom(now())
    enter(record, State.STATE_CANCELLED)
    record.epoch += 1


def mark_for_deletion(record: TranscriptionRecord) -> None:
    """The job is being deleted: no caller finds it, and no worker continues it."""
    if record.state not in TERMINAL:
        cancel(record)
    record.removing = True


def counted_attempts(record: TranscriptionRecord) -> int:
    """The number of attempts that count. One that was handed over because its worker stopped does not."""
    return sum(not attempt.handed_over for attempt in record.attempts)
