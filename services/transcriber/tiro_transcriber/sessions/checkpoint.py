"""The checkpoint of a session: from where a new owner reads its audio log and its event log."""

from tiro.events.v1.live_pb2 import Checkpoint, SessionRecord
from tiro_transcriber.sessions.event_state import EventState


class CheckpointTracker:
    """The newest checkpoint of a session. It is written into the record with each renewal of the lease."""

    def __init__(self, checkpoint: Checkpoint, events: EventState) -> None:
        """`events` is the state of the session's event log, which grows with the log."""
        self._checkpoint = Checkpoint()
        self._checkpoint.CopyFrom(checkpoint)
        self._events = events

    def advance(self, sample: int, log_sequence: int) -> None:
        """Move the checkpoint.

        Args:
            sample: The sample before which everything is published, or was silence.
            log_sequence: The stream sequence of the last message of the audio log before that sample.
        """
        self._checkpoint.sample, self._checkpoint.log_sequence = sample, log_sequence
        self._events.settle(sample)

    def write_to(self, record: SessionRecord) -> None:
        """Write the checkpoint into the record.

        This resets the count of failures: earlier workers of a session that advances were lost for other reasons.
        """
        if self._checkpoint.sample > record.checkpoint.sample:
            record.failure_count = 0
        if (events := self._events.snapshot()) is not None:
            self._checkpoint.events.CopyFrom(events)
        record.checkpoint.CopyFrom(self._checkpoint)

    @property
    def sample(self) -> int:
        """The sample before which everything is published, or was silence."""
        return self._checkpoint.sample
