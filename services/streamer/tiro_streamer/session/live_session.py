"""One live session over one connection: from its offer to the workers, or its resumption, to its end."""

import asyncio
import time
from dataclasses import dataclass

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.errors import TiroError
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import BusUnavailable
from tiro_core.messaging.publishing import PATIENCE_SECONDS
from tiro_core.messaging.topology import WORKER_EXPIRY_SECONDS
from tiro_core.routing.workers import WorkerDirectory
from tiro_streamer.audio_log.position import find_position
from tiro_streamer.audio_log.writer import AudioLogTaken, AudioLogWriter
from tiro_streamer.drain import Drain
from tiro_streamer.errors import (
    ClientGone,
    first_fault,
    no_capacity,
    resumed_elsewhere,
    session_cancelled,
    session_failed,
)
from tiro_streamer.input.reader import RequestReader, SessionCancelled
from tiro_streamer.metrics import CLAIM_SECONDS
from tiro_streamer.output.forwarder import ResponseForwarder
from tiro_streamer.output.writer import ResponseWriter
from tiro_streamer.session.abort import abort_session
from tiro_streamer.session.assignment import SessionAssignment, is_served
from tiro_streamer.session.detached import DetachedSessions
from tiro_streamer.settings import StreamerSettings

OWNER_CHECK_SECONDS = 1.0
"""How often a session looks whether its worker is still alive."""
OWNER_QUIET_SECONDS = 3.0
"""A worker says how far it is twice as often: one that does not is looked after."""
LAST_SECONDS_MAX = 2.0
"""How long a client may take to read what waits for it when its session ends with an error."""

log = get_logger()


@dataclass(frozen=True, slots=True)
class SessionEnvironment:
    """What every session of a streamer shares."""

    settings: StreamerSettings
    bus: Bus
    workers: WorkerDirectory
    launcher: MediaLauncher
    drain: Drain
    detached: DetachedSessions


@dataclass(frozen=True, slots=True)
class SessionParts:
    """What makes up one session."""

    record: SessionRecord
    line: AudioLogWriter
    intake: RequestReader
    outlet: ResponseForwarder
    responder: ResponseWriter
    offer: SessionAssignment
    claim_seconds: float | None
    """How long to wait for a worker to take it. None: it had one before."""


class LiveSession:
    """A session. `run` is its whole life on this connection."""

    def __init__(self, environment: SessionEnvironment, parts: SessionParts) -> None:
        self._settings = environment.settings
        self._environment = environment
        self._parts = parts

    async def run(self) -> None:
        """Serve the session.

        Raises:
            TiroError: Why it could not be finished here.
            BusUnavailable: NATS stayed away.
        """
        parts = self._parts
        try:
            await self._conduct()
        except BaseException as failure:
            fault = first_fault(failure)
            if isinstance(fault, SessionCancelled):
                fault = session_cancelled()
            if not self._is_for_others(fault):
                await abort_session(self._environment.bus, parts.record, parts.offer, parts.line, fault)
            if fault is failure:
                raise
            raise fault from failure
        log.info("session_ended", samples=parts.line.place.samples)
        if parts.intake.fault is not None:
            raise parts.intake.fault

    def _is_for_others(self, fault: BaseException) -> bool:
        """Whether the session goes on, or may go on, over another connection. Then it is left as it is."""
        if isinstance(fault, TiroError) and fault.reason == reasons.ERROR_REASON_SESSION_RESUMED_ELSEWHERE:
            return True
        parts = self._parts
        has_token = parts.outlet.owned.is_set() or parts.claim_seconds is None
        return (
            bool(parts.record.resume_token_sha256)
            and has_token
            and _is_loss_of_connection(fault)
            and self._environment.detached.keep(parts.record, parts.line)
        )

    async def _conduct(self) -> None:
        """Serve the client until the session is over; where it ends with a fault, what waits to be sent goes first."""
        responder = self._parts.responder
        fault: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(responder.run(), name="responses")
                fault = await self._serve_until_fault()
                responder.close()
                if fault is not None:
                    await asyncio.wait([sending], timeout=LAST_SECONDS_MAX)
                    sending.cancel()
        except BaseExceptionGroup as group:
            if fault is None:
                raise
            raise fault from group  # what ended it comes before what is wrong with its client
        if fault is not None:
            raise fault

    async def _serve_until_fault(self) -> BaseException | None:
        """Serve, and return what ended the session; what leaves nobody to send anything to is raised."""
        try:
            await self._serve()
        except BaseExceptionGroup as group:
            fault = first_fault(group)
            if isinstance(fault, ClientGone | SessionCancelled):
                raise
            return fault
        return None

    async def _serve(self) -> None:
        """Run the session's tasks until the worker's last event is passed on."""
        parts = self._parts
        can_move = bool(parts.record.resume_token_sha256)
        async with asyncio.TaskGroup() as tasks:
            forwarding = tasks.create_task(parts.outlet.forward_events(), name="events")
            beside = [tasks.create_task(self._environment.drain.until_closing(can_move=can_move), name="closing")]
            if parts.claim_seconds is not None:
                await self._be_claimed(parts.claim_seconds)
            work = [
                parts.intake.run(),
                self._publish(),
                parts.outlet.acknowledge(),
                parts.outlet.follow_progress(),
                self._watch_owner(),
            ]
            if parts.record.enable_interim_results:
                work.append(parts.outlet.forward_partials())
            beside += [tasks.create_task(one) for one in work]
            await forwarding
            for running in beside:
                running.cancel()

    async def _be_claimed(self, seconds: float) -> None:
        """Offer the session and wait until a worker has it.

        Raises:
            TiroError: NO_CAPACITY, or SESSION_FAILED when a worker took it and said nothing.
        """
        begun = time.monotonic()
        offer, owned = self._parts.offer, self._parts.outlet.owned
        await offer.publish()
        if not await _is_set_within(owned, seconds):
            refusal = no_capacity("all workers")
            if await offer.withdraw(refusal.to_status()):
                raise refusal
            if not await _is_set_within(owned, self._settings.takeover_seconds_max):
                raise session_failed("the worker that took the session is gone")
        CLAIM_SECONDS.observe(time.monotonic() - begun)

    async def _publish(self) -> None:
        """Store the line, then wait for the worker to finish.

        Raises:
            TiroError: SESSION_FAILED; it does not. SESSION_RESUMED_ELSEWHERE; the line was taken from us.
        """
        try:
            await self._parts.line.publish()
        except AudioLogTaken:
            record = self._parts.record
            position = await find_position(
                self._environment.bus, record.tenant, record.session_id, patience_seconds=PATIENCE_SECONDS
            )
            if position.sequence:
                raise resumed_elsewhere() from None
            # A worker that ends a session early also purges its line: its last event is on its way to us.
        if not await _is_set_within(self._parts.outlet.ended, self._settings.finish_seconds_max):
            raise session_failed("the last words were not transcribed in time")

    async def _watch_owner(self) -> None:
        """Move the session to another engine when nobody of its own takes it over; failing that, give up.

        Raises:
            TiroError: SESSION_FAILED.
        """
        gone_since: float | None = None
        has_moved = False
        while True:
            await asyncio.sleep(OWNER_CHECK_SECONDS)
            if not await self._owner_is_gone():
                gone_since, has_moved = None, False
                continue
            gone_since = gone_since or time.monotonic()
            gone_seconds = time.monotonic() - gone_since
            if gone_seconds >= self._settings.takeover_seconds_max:
                raise session_failed("the session's worker is gone and no other one took it over")
            # Its own engine comes first, while it has workers; whom it was moved to gets as much time.
            if has_moved or self._engine_is_served():
                gone_seconds -= self._settings.takeover_seconds_max / 2
            if gone_seconds >= 0 and await self._move():
                gone_since, has_moved = None, True

    async def _owner_is_gone(self) -> bool:
        """Whether nobody renews the owner's record, or it has given the session up and nobody has taken it yet.

        While NATS is away, and until everybody has had the time to say so again, nobody can say that they are alive.
        """
        bus, outlet = self._environment.bus, self._parts.outlet
        if not bus.is_connected or bus.seconds_since_outage < WORKER_EXPIRY_SECONDS:
            return False
        if not any(worker.worker_id == outlet.owner for worker in self._environment.workers.alive()):
            return True
        return time.monotonic() - outlet.heard_at > OWNER_QUIET_SECONDS and await self._is_waiting()

    async def _is_waiting(self) -> bool:
        """Whether no worker has the session, as far as NATS says: one that does not answer proves nothing."""
        try:
            return await self._parts.offer.is_waiting()
        except BusUnavailable:
            return False

    async def _move(self) -> bool:
        """Offer the session to another engine. Where NATS does not answer, it is tried again at the next look."""
        try:
            return await self._parts.offer.move(self._environment.workers)
        except BusUnavailable:
            return False

    def _engine_is_served(self) -> bool:
        return is_served(self._environment.workers, self._parts.record.recognition)


def _is_loss_of_connection(fault: BaseException) -> bool:
    """Whether the client may come back: its call was cancelled or broken, or this streamer stops."""
    if isinstance(fault, TiroError) and fault.reason == reasons.ERROR_REASON_SHUTTING_DOWN:
        return True
    return isinstance(fault, ClientGone | asyncio.CancelledError)


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
