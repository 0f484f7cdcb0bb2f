"""Room in the store, required before anything is accepted: a publish on a full disk times out rather than fails."""

from datetime import timedelta

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.errors import resource_exhausted
from tiro_core.logs import get_logger
from tiro_core.messaging.monitor import ServerMonitor

RETRY_AFTER = timedelta(seconds=60)
"""A full store has room again after an operator's work, or after recordings have expired."""

log = get_logger()


class StorageGuard:
    """Refuses what the store could not keep.

    Args:
        monitor: Reports how much room there is.
        reserve_bytes: What must stay free.
        holds_blobs: Whether recordings are stored there as well. Otherwise only the reserve counts: records, task
            messages and event logs are always there, and small.
    """

    def __init__(self, monitor: ServerMonitor, reserve_bytes: int, *, holds_blobs: bool) -> None:
        self._monitor = monitor
        self._reserve_bytes = reserve_bytes
        self._holds_blobs = holds_blobs
        self._blind = False

    async def require(self, bytes_needed: int) -> None:
        """Continue only if this number of bytes can be stored.

        Where the monitoring port does not answer everything passes, and the log has one line: whether a deployment may
        run without that port was decided when the service started.

        Raises:
            TiroError: RESOURCE_EXHAUSTED, with the reason STORAGE_FULL and a delay.
        """
        try:
            free = (await self._monitor.look()).free_bytes
        except OSError as error:
            if not self._blind:
                log.warning("storage_unknown", error=str(error), note="accepting without knowing the free space")
            self._blind = True
            return
        self._blind = False
        if free - (bytes_needed if self._holds_blobs else 0) < self._reserve_bytes:
            log.warning("storage_full", free_bytes=free, needed_bytes=bytes_needed, reserve_bytes=self._reserve_bytes)
            raise resource_exhausted(
                reasons.ERROR_REASON_STORAGE_FULL, "there is no room for this now", retry_after=RETRY_AFTER
            )
