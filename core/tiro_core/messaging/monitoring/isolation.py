"""Leaving a server that is cut off from its peers: it answers pings, but no stream can be used through it."""

import time
from collections.abc import Collection
from math import inf

from tiro_core.logs.logger import get_logger
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.monitoring.liveness import StreamFault

FAULT_SECONDS_MAX = 3.0
"""How long no stream at all may be usable before another server is tried. Where some are, an election is under way."""
BETWEEN_CHANGES_SECONDS = 3.0
"""How long a service stays with a server before it tries the next one: no server helps where a majority is lost."""

log = get_logger()


class IsolationWatch:
    """Decides from the state of streams when a connection changes its server."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._faulty_since = inf
        self._changed_at = -inf

    async def note(self, faults: Collection[StreamFault], streams: int, checked_at: float) -> None:
        """Note the result of a check, and change the server if it is time.

        Args:
            faults: What the check found, over a connection that stands.
            streams: How many streams were checked.
            checked_at: When it began, by the monotonic clock.
        """
        self._faulty_since = min(self._faulty_since, checked_at) if len(faults) == streams else inf
        now = time.monotonic()
        is_due = any(fault.is_isolated for fault in faults) or now - self._faulty_since >= FAULT_SECONDS_MAX
        if not is_due or now - self._changed_at < BETWEEN_CHANGES_SECONDS:
            return
        self._faulty_since, self._changed_at = inf, now
        if await self._bus.change_server():
            log.warning("nats_server_changed", reasons=sorted({fault.reason for fault in faults}))
