"""Watching the worker of a session: if it is lost, another worker or engine takes over, or the session fails."""

import asyncio
import time

from tiro_core.logs.logger import get_logger
from tiro_core.messaging.errors import MessagingError
from tiro_core.messaging.topology import WORKER_EXPIRY_SECONDS
from tiro_streamer.context.session import SessionContext
from tiro_streamer.errors import session_failed
from tiro_streamer.output.forwarder import ResponseForwarder
from tiro_streamer.records.assignment import SessionAssignment, is_served

CHECK_SECONDS = 1.0
"""How often a session checks that its worker is alive."""
QUIET_SECONDS = 3.0
"""The silence of a worker after which the session's record is read. Workers publish their progress twice as often."""

log = get_logger()


class OwnerWatch:
    """Watches the worker of one session, which the session's events name."""

    def __init__(self, context: SessionContext, assignment: SessionAssignment, forwarder: ResponseForwarder) -> None:
        self._bus = context.streamer.bus
        self._workers = context.streamer.workers
        self._takeover_seconds_max = context.streamer.settings.takeover_seconds_max
        self._recognition = context.record.recognition
        self._assignment = assignment
        self._forwarder = forwarder

    async def run(self) -> None:
        """Move the session to another engine when no worker of its engine takes over; without one, give up.

        Raises:
            TiroError: SESSION_FAILED.
        """
        gone_since: float | None = None
        has_moved = False
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if not await self._owner_is_gone():
                gone_since, has_moved = None, False
                continue
            gone_since = gone_since or time.monotonic()
            gone_seconds = time.monotonic() - gone_since
            if gone_seconds >= self._takeover_seconds_max:
                raise session_failed("the session's worker was lost and no other one took over")
            # The session's engine has precedence while it has workers. An engine that it was moved to gets as much
            # time.
            if has_moved or is_served(self._workers, self._recognition):
                gone_seconds -= self._takeover_seconds_max / 2
            if gone_seconds >= 0 and await self._move():
                gone_since, has_moved = None, True

    async def _owner_is_gone(self) -> bool:
        """Whether the worker's record has expired, or it has handed the session over and none has claimed it since.

        While NATS is away, and until every worker has had the time to renew its record, no worker counts as lost.
        """
        if not self._bus.is_connected or self._bus.seconds_since_outage < WORKER_EXPIRY_SECONDS:
            return False
        if not any(worker.worker_id == self._forwarder.owner for worker in self._workers.alive()):
            return True
        return time.monotonic() - self._forwarder.owner_seen_at > QUIET_SECONDS and await self._is_waiting()

    async def _is_waiting(self) -> bool:
        """Whether no worker owns the session, by its record. False when NATS does not answer."""
        try:
            return await self._assignment.is_waiting()
        except MessagingError as error:
            log.debug("session_not_checked", error=repr(error))
            return False

    async def _move(self) -> bool:
        """Move the session to another engine. If NATS refuses or does not answer, the next check tries again."""
        try:
            return await self._assignment.move(self._workers)
        except MessagingError as error:
            log.warning("session_not_moved", error=repr(error))
            return False
