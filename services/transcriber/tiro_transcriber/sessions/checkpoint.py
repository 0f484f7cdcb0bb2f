"""How far a session is told, so that another owner can go on from there."""

from tiro.events.v1.live_pb2 import Checkpoint, SessionRecord


class CheckpointTracker:
    """The newest checkpoint of a session. It goes into the record with each renewal of the lease."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = Checkpoint()
        self._checkpoint.CopyFrom(checkpoint)

    def reached(self, sample: int, log_sequence: int) -> None:
        """Everything before a sample is told, and everything up to a message of the line lies before it."""
        self._checkpoint = Checkpoint(sample=sample, log_sequence=log_sequence)

    def note(self, record: SessionRecord) -> None:
        """Write it into the record.

        A session that goes forward does not break its workers: those that were lost before had other reasons.
        """
        if self._checkpoint.sample > record.checkpoint.sample:
            record.failure_count = 0
        record.checkpoint.CopyFrom(self._checkpoint)

    @property
    def sample(self) -> int:
        """Where it is."""
        return self._checkpoint.sample
