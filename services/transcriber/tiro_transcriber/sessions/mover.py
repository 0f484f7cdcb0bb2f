"""Moving a live session to another engine of its policy, when its own cannot serve it."""

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.route_pb2 import Route
from tiro_core.errors import TiroError
from tiro_core.leases.owned_record import OwnedRecord
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.queues.tasks import enqueue_session
from tiro_core.routing.workers import WorkerDirectory
from tiro_core.sessions.engine_change import move, next_route
from tiro_engines.interface import EngineRefused, EngineUnavailable, UnsupportedLanguage
from tiro_transcriber import metrics

MOVE_FAILURES = 2
"""A session moves to another engine, if it has one, once this many workers were lost or failed over it."""

log = get_logger()


class SessionMover:
    """Moves sessions away from one worker's engine."""

    def __init__(self, bus: Bus, workers: WorkerDirectory) -> None:
        self._bus = bus
        self._workers = workers

    def next_engine(self, record: SessionRecord, cause: BaseException | None = None) -> Route | None:
        """The engine that a session should move to, because its own cannot serve it or has failed on it repeatedly.

        Args:
            record: The session.
            cause: The exception that has broken it now. None: there is none.

        Returns:
            An alternative that has capacity. None where the session should stay, or has no alternative.
        """
        hopeless = isinstance(cause, EngineUnavailable | EngineRefused | UnsupportedLanguage | TiroError)
        failures = record.failure_count + (cause is not None)
        return next_route(record, self._workers) if hopeless or failures >= MOVE_FAILURES else None

    async def move(self, owned: OwnedRecord[SessionRecord], to: Route, why: str) -> None:
        """Move a session to one of its alternatives. Then acknowledge the task message that it was claimed for.

        A death between the steps is harmless: the worker that gets the message again passes the session on.

        Raises:
            OwnershipLost: It is no longer ours.
            BusUnavailable: NATS stayed away.
        """
        record = await owned.update(lambda value: move(value, to))
        await self.pass_on(record)
        metrics.SESSIONS.labels("moved").inc()
        log.warning("session_moved", engine=to.engine, model=to.model, reason=why)

    async def pass_on(self, record: SessionRecord) -> None:
        """Enqueue a session for the workers of the engine that serves it now."""
        await enqueue_session(self._bus, record)
