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
        """Move the checkpoint: what is before a sample is published, and what is up to a message lies before it.

        Args:
            sample: The sample.
            log_sequence: The sequence of the message in the stream of the audio log.
        """
        self._checkpoint.sample, self._checkpoint.log_sequence = sample, log_sequence
        self._events.settle(sample)

    def write_to(self, record: SessionRecord) -> None:
        """Write the checkpoint into the record.

        A session that advances does not break its workers: those that were lost before had other reasons.
        """
        if self._checkpoint.sample > record.checkpoint.sample:
            record.failure_count = 0
        if (events := self._events.snapshot()) is not None:
            self._checkpoint.events.CopyFrom(events)
        record.checkpoint.CopyFrom(self._checkpoint)

    @property
    def sample(self) -> int:
        """Everything before this sample is published, or was silence."""
        return self._checkpoint.sample
