"""The progress of a deployment's maintenance. It is saved with the lease, so that the next service continues there."""

from tiro.events.v1.maintenance_pb2 import MaintenanceRecord
from tiro_core.clock import now, seconds_until


class Progress:
    """The positions of all checks, and of the sweep of the blob store, by name."""

    def __init__(self, record: MaintenanceRecord | None = None) -> None:
        self._saved = MaintenanceRecord()
        if record is not None:
            self._saved.CopyFrom(record)

    def cursor(self, name: str, *, again_seconds: float) -> str:
        """The cursor from which a task continues. Empty: at the beginning.

        Args:
            name: The name of the task.
            again_seconds: The time from one beginning to the next. A task begins again only after it has reached its
                end.
        """
        position = self._saved.positions[name]
        is_stale = position.is_complete and -seconds_until(position.begin_time) > again_seconds
        if is_stale or not position.HasField("begin_time"):
            position.Clear()
            position.begin_time.CopyFrom(now())
        return position.cursor

    def advance(self, name: str, cursor: str) -> None:
        """Set the cursor of a task: everything up to it is done."""
        self._saved.positions[name].cursor = cursor

    def complete(self, name: str) -> None:
        """Note that a task has reached the end. Later items continue from its cursor."""
        self._saved.positions[name].is_complete = True

    def save_in(self, record: MaintenanceRecord) -> None:
        """Write the positions into the record."""
        record.positions.clear()
        for name, position in self._saved.positions.items():
            record.positions[name].CopyFrom(position)
