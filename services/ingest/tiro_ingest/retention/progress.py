"""How far the maintenance of a deployment is. It is saved with the lease, so that the next service continues there."""

from tiro.events.v1.maintenance_pb2 import MaintenanceRecord
from tiro_core.clock import now, seconds_until


class Progress:
    """The positions of all checks, and of the sweep of the blob store, by name."""

    def __init__(self, record: MaintenanceRecord | None = None) -> None:
        self._saved = MaintenanceRecord()
        if record is not None:
            self._saved.CopyFrom(record)

    def cursor(self, name: str, *, again_seconds: float) -> str:
        """Where to continue. Empty: at the beginning.

        Args:
            name: Of what is done.
            again_seconds: When to begin anew, after the last beginning. Not before the end was reached.
        """
        position = self._saved.positions[name]
        is_stale = position.is_complete and -seconds_until(position.begin_time) > again_seconds
        if is_stale or not position.HasField("begin_time"):
            position.Clear()
            position.begin_time.CopyFrom(now())
        return position.cursor

    def advance(self, name: str, cursor: str) -> None:
        """Note that everything up to a cursor is done."""
        self._saved.positions[name].cursor = cursor

    def complete(self, name: str) -> None:
        """Note that the end was reached: what comes behind is to be done when it is there."""
        self._saved.positions[name].is_complete = True

    def save_in(self, record: MaintenanceRecord) -> None:
        """Write the positions into the record."""
        record.positions.clear()
        for name, position in self._saved.positions.items():
            record.positions[name].CopyFrom(position)
