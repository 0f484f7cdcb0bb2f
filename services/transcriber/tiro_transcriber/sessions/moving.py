"""When a session is better off with another engine, and giving it there."""

from nats.aio.msg import Msg

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.route_pb2 import Route
from tiro_core.bus.connection import Bus
from tiro_core.bus.hints import offer_session
from tiro_core.bus.ownership import OwnedRecord
from tiro_core.bus.workers import WorkerDirectory
from tiro_core.logs import get_logger
from tiro_core.routing.moving import move, next_route
from tiro_transcriber import telemetry
from tiro_transcriber.engines.interface import EngineRefused, EngineUnavailable, UnsupportedLanguage

MOVE_BREAKAGES = 2
"""A session over which so many workers of an engine were lost or failed goes to another one, where it has one."""

log = get_logger()


class Mover:
    """Moves sessions away from one worker's engine."""

    def __init__(self, bus: Bus, workers: WorkerDirectory) -> None:
        self._bus = bus
        self._workers = workers

    def way_out(self, record: SessionRecord, cause: BaseException | None = None) -> Route | None:
        """Where a session should go because its engine cannot serve it, or has failed on it again and again.

        Args:
            record: The session.
            cause: What has broken it now. None: nothing has yet.

        Returns:
            An alternative that has room. None where it should stay, or has no way out.
        """
        hopeless = isinstance(cause, EngineUnavailable | EngineRefused | UnsupportedLanguage)
        breakages = record.breakages + (cause is not None)
        return next_route(record, self._workers) if hopeless or breakages >= MOVE_BREAKAGES else None

    async def move(self, owned: OwnedRecord[SessionRecord], message: Msg, to: Route, why: str) -> None:
        """Give a session to one of its alternatives.

        A death between the steps is harmless: whoever is offered the session once more offers it on.

        Raises:
            OwnershipLost: It is no longer ours.
            BusUnavailable: NATS stayed away.
        """
        record = await owned.update(lambda value: move(value, to))
        await self.offer_on(record, message)
        telemetry.SESSIONS.labels("moved").inc()
        log.warning("session_moved", engine=to.engine, model=to.model, reason=why)

    async def offer_on(self, record: SessionRecord, message: Msg) -> None:
        """Offer a session that is another engine's to its workers, and take it off ours."""
        await offer_session(self._bus, record)
        await message.ack()
