"""When a session is better off with another engine, and giving it there."""

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.route_pb2 import Route
from tiro_core.errors import TiroError
from tiro_core.leases.owned_record import OwnedRecord
from tiro_core.logs import get_logger
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.tasks import enqueue_session
from tiro_core.routing.workers import WorkerDirectory
from tiro_core.sessions.engine_change import move, next_route
from tiro_engines.interface import EngineRefused, EngineUnavailable, UnsupportedLanguage
from tiro_transcriber import metrics

MOVE_FAILURES = 2
"""A session over which so many workers of an engine were lost or failed goes to another one, where it has one."""

log = get_logger()


class SessionMover:
    """Moves sessions away from one worker's engine."""

    def __init__(self, bus: Bus, workers: WorkerDirectory) -> None:
        self._bus = bus
        self._workers = workers

    def next_engine(self, record: SessionRecord, cause: BaseException | None = None) -> Route | None:
        """Where a session should go because its engine cannot serve it, or has failed on it again and again.

        Args:
            record: The session.
            cause: What has broken it now. None: nothing has yet.

        Returns:
            An alternative that has capacity. None where it should stay, or has no alternative.
        """
        hopeless = isinstance(cause, EngineUnavailable | EngineRefused | UnsupportedLanguage | TiroError)
        failures = record.failure_count + (cause is not None)
        return next_route(record, self._workers) if hopeless or failures >= MOVE_FAILURES else None

    async def move(self, owned: OwnedRecord[SessionRecord], to: Route, why: str) -> None:
        """Give a session to one of its alternatives. The message that it was claimed for is to be acknowledged then.

        A death between the steps is harmless: whichever worker gets that message again passes the session on.

        Raises:
            OwnershipLost: It is no longer ours.
            BusUnavailable: NATS stayed away.
        """
        record = await owned.update(lambda value: move(value, to))
        await self.pass_on(record)
        metrics.SESSIONS.labels("moved").inc()
        log.warning("session_moved", engine=to.engine, model=to.model, reason=why)

    async def pass_on(self, record: SessionRecord) -> None:
        """Enqueue a session that is another engine's for its workers."""
        await enqueue_session(self._bus, record)
