"""Room in the store, required before anything is accepted: a publish on a full disk times out rather than fails."""

from datetime import timedelta

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.blobs.errors import storage_unavailable
from tiro_core.errors import resource_exhausted
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.errors import BusUnavailable
from tiro_core.messaging.monitoring.account import AccountMonitor
from tiro_core.messaging.monitoring.monitor import ServerMonitor, ServerState

RETRY_AFTER = timedelta(seconds=60)
"""A full store has room again after an operator's work, or after recordings have expired."""

log = get_logger()


class StorageGuard:
    """Refuses what the store could not keep.

    Args:
        monitor: The servers: what the fullest node still takes, and what it cannot write.
        account: The JetStream account, which may be full long before the servers are.
        reserve_bytes: What must stay free.
        replicas: Copies of every stream.
        holds_blobs: Whether recordings go there as well. Where they go elsewhere, only the reserve counts: records,
            tasks and histories are always there, and small.
    """

    def __init__(
        self,
        monitor: ServerMonitor,
        account: AccountMonitor,
        reserve_bytes: int,
        *,
        replicas: int,
        holds_blobs: bool,
    ) -> None:
        self._monitor = monitor
        self._account = account
        self._reserve_bytes = reserve_bytes
        self._failures_max = (replicas - 1) // 2
        self._holds_blobs = holds_blobs
        self._blind = False

    async def require(self, bytes_needed: int) -> None:
        """Continue only if this number of bytes can be stored.

        Where no monitoring port answers, the account alone counts, and the log has one line: whether a deployment may
        run without its monitoring ports was decided when the service started.

        Raises:
            TiroError: RESOURCE_EXHAUSTED, with the reason STORAGE_FULL and a delay. UNAVAILABLE, with the reason
                STORAGE_UNAVAILABLE, when a stream cannot be written at all.
        """
        needed = bytes_needed if self._holds_blobs else 0
        state = await self._servers()
        if state is not None:
            self._require_writable(state)
            self._require_room(state.free_bytes, needed, of="server")
        free = await self._free_in_account()
        if free is not None:
            self._require_room(free, needed, of="account")

    async def _servers(self) -> ServerState | None:
        try:
            state = await self._monitor.state()
        except OSError as error:
            if not self._blind:
                log.warning("storage_unknown", error=str(error), note="accepting without knowing the free space")
            self._blind = True
            return None
        self._blind = False
        return state

    async def _free_in_account(self) -> int | None:
        try:
            return await self._account.free_bytes()
        except BusUnavailable as error:  # the write that comes next reports it
            log.debug("account_unknown", error=repr(error))
            return None

    def _require_writable(self, state: ServerState) -> None:
        broken = [stream for stream, nodes in state.unwritable().items() if len(nodes) > self._failures_max]
        if broken:
            log.warning("storage_unwritable", streams=broken, note="restart nats-server: see docs/operations.md")
            raise storage_unavailable()

    def _require_room(self, free: int, needed: int, *, of: str) -> None:
        if free - needed < self._reserve_bytes:
            log.warning("storage_full", of=of, free_bytes=free, needed_bytes=needed, reserve_bytes=self._reserve_bytes)
            raise resource_exhausted(
                reasons.ERROR_REASON_STORAGE_FULL, "there is no room for this now", retry_after=RETRY_AFTER
            )
