"""The check of the store's free space before anything is accepted: on a full disk a publish times out, not fails."""

from datetime import timedelta

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.blobs.errors import storage_unavailable
from tiro_core.errors import resource_exhausted
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.errors import BusUnavailable
from tiro_core.messaging.monitoring.account import AccountMonitor
from tiro_core.messaging.monitoring.monitor import ServerMonitor, ServerState

RETRY_AFTER = timedelta(seconds=60)
"""When a caller may try again: an operator must make room, or recordings must expire."""

log = get_logger()


class StorageGuard:
    """Refuses uploads and jobs for which the store has no room.

    Args:
        monitor: The servers: the free space of the fullest node, and the streams that cannot be written.
        account: The JetStream account, which may be full long before the servers are.
        reserve_bytes: The space that must stay free.
        replicas: Copies of every stream.
        holds_blobs: Whether NATS stores the recordings as well. Otherwise only the reserve is required, because
            records, task messages and events are small.
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
        """Require that this number of bytes can be stored.

        When no monitoring port answers, only the account is checked, and the log has one line: whether a deployment may
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
        except BusUnavailable as error:  # the next write will report it
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
            raise resource_exhausted(reasons.ERROR_REASON_STORAGE_FULL, "the store is full", retry_after=RETRY_AFTER)
