"""Moving a live session to another engine of its policy when its engine cannot serve it."""

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
"""The number of workers lost or failed on a session after which it moves to another engine, if it has one."""

log = get_logger()


class SessionMover:
    """Moves sessions away from one worker's engine."""

    def __init__(self, bus: Bus, workers: WorkerDirectory) -> None:
        self._bus = bus
        self._workers = workers

    def next_engine(self, record: SessionRecord, cause: BaseException | None = None) -> Route | None:
        """The engine to which a session should move, because its engine cannot serve it or has failed repeatedly.

        Args:
            record: The session.
            cause: The exception that the session failed with now. None: there is none.

        Returns:
            An alternative that has capacity. None where the session should stay, or has no alternative.
        """
        hopeless = isinstance(cause, EngineUnavailable | EngineRefused | UnsupportedLanguage | TiroError)
        failures = record.failure_count + (cause is not None)
        return next_route(record, self._workers) if hopeless or failures >= MOVE_FAILURES else None

    async def move(self, owned: OwnedRecord[SessionRecord], to: Route, why: str) -> None:
        """Move a session to one of its alternatives. The caller then acknowledges the task message.

        If the worker dies between the steps, the next one that gets the message passes the session on.

        Args:
            owned: The session.
            to: The alternative.
            why: For the log: without the message of an exception, which may quote the session.

        Raises:
            OwnershipLost: The session has another owner, or is over.
            BusUnavailable: NATS did not answer.
        """
        record = await owned.update(lambda value: move(value, to))
        await self.pass_on(record)
        metrics.SESSIONS.labels("moved").inc()
        log.warning("session_moved", engine=to.engine, model=to.model, reason=why)

    async def pass_on(self, record: SessionRecord) -> None:
        """Enqueue a session for the workers of the engine that serves it now."""
        await enqueue_session(self._bus, record)
