"""A live session on one connection: from its assignment to a worker, or its resumption, to its end."""

import asyncio
import time
from contextlib import suppress

from tiro_core.errors import TiroError
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.event_log import Fenced
from tiro_core.messaging.publishing import PATIENCE_SECONDS, with_patience
from tiro_streamer.audio_log.writer import AudioLogWriter, AudioLost
from tiro_streamer.context.session import SessionContext
from tiro_streamer.errors import (
    ClientGone,
    audio_lost,
    first_fault,
    is_connection_lost,
    is_resumed_elsewhere,
    no_capacity,
    resumed_elsewhere,
    session_cancelled,
    session_failed,
)
from tiro_streamer.input.reader import RequestReader, SessionCancelled
from tiro_streamer.input.requests import RequestStream
from tiro_streamer.metrics import CLAIM_SECONDS
from tiro_streamer.output.forwarder import ResponseForwarder
from tiro_streamer.records.assignment import SessionAssignment
from tiro_streamer.records.history import find_session
from tiro_streamer.session.abort import abort_session
from tiro_streamer.session.owner_watch import OwnerWatch

STORE_SECONDS_MAX = 30.0
"""How long NATS may take, after the first loss, to report that it cannot write: 18 to 23 s were measured."""
LAST_SECONDS_MAX = 2.0
"""How long a client may take to read the waiting responses when its session ends with an error."""

log = get_logger()


class LiveSession:
    """A session on one connection, which `run` serves to its end there."""

    def __init__(
        self,
        context: SessionContext,
        audio_log: AudioLogWriter,
        requests: RequestStream,
        *,
        from_start: bool = False,
        claim_seconds: float | None = None,
    ) -> None:
        """Put the parts of a session together. The session owns the audio log from here on.

        Args:
            context: The connection.
            audio_log: The writing end of its audio log.
            requests: The requests of the client.
            from_start: Whether the client sends its audio again from the beginning.
            claim_seconds: How long to wait for a worker to claim the session. None: it has had a worker.
        """
        self._context = context
        self._streamer = context.streamer
        self._record = context.record
        self._audio_log = audio_log
        self._claim_seconds = claim_seconds
        self._ending = context.ending
        self._reader = RequestReader(context, audio_log, requests, from_start=from_start)
        self._forwarder = ResponseForwarder(context, audio_log)
        self._assignment = SessionAssignment(self._streamer.bus, context.record)
        self._owner_watch = OwnerWatch(context, self._assignment, self._forwarder)

    async def run(self) -> None:
        """Serve the session.

        Raises:
            TiroError: The session ends on this connection with an error.
            MessagingError: NATS did not answer, or refuses the session.
        """
        try:
            await self._serve()
        except BaseException as failure:
            fault = first_fault(failure)
            if isinstance(fault, SessionCancelled):
                fault = session_cancelled()
            await self._leave(fault)
            if fault is failure:
                raise
            raise fault from failure
        log.info("session_ended", samples=self._audio_log.position.samples)
        await self._audio_log.close()
        if self._ending.input_fault is not None:
            raise self._ending.input_fault

    async def _leave(self, fault: BaseException) -> None:
        """Leave the session to another connection, if one has it or may resume it. Otherwise abort it."""
        cause = fault
        if self._may_be_resumed_after(fault):
            try:
                self._streamer.detached.keep(self._record, self._audio_log)
            except TiroError as refusal:
                log.warning("session_not_detached", reason=str(refusal))
                cause = refusal
            else:
                return
        try:
            if not is_resumed_elsewhere(cause):
                await abort_session(self._streamer.bus, self._record, self._assignment, self._audio_log, cause)
        finally:
            await self._audio_log.close()

    def _may_be_resumed_after(self, fault: BaseException) -> bool:
        """Whether the client can resume the session: it has the token, and the fault is that of the connection."""
        has_token = self._forwarder.owned.is_set() or self._claim_seconds is None
        return self._context.is_resumable and has_token and is_connection_lost(fault)

    async def _serve(self) -> None:
        """Serve the client until the session is over. If it ends with a fault, the waiting responses are sent first."""
        client = self._context.client
        fault: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(client.run(), name="responses")
                fault = await self._run_until_fault()
                client.close()
                if fault is not None:
                    await asyncio.wait([sending], timeout=LAST_SECONDS_MAX)
                    sending.cancel()
        except BaseExceptionGroup as group:
            if fault is None:
                raise
            raise fault from group  # the error of the session precedes that of its client
        if fault is not None:
            raise fault

    async def _run_until_fault(self) -> BaseException | None:
        """Run the session, and return the fault that ended it. A fault that leaves no client to send to is raised."""
        try:
            await self._run()
        except BaseExceptionGroup as group:
            fault = first_fault(group)
            if isinstance(fault, ClientGone | SessionCancelled):
                raise
            return fault
        return None

    async def _run(self) -> None:
        """Run the tasks of the session until the worker's last event is forwarded."""
        async with asyncio.TaskGroup() as tasks:
            forwarding = tasks.create_task(self._forwarder.forward_events(), name="events")
            closing = self._streamer.drain.until_closing(can_move=self._context.is_resumable)
            others = [
                tasks.create_task(closing, name="closing"),
                tasks.create_task(self._streamer.store.until_unwritable(), name="store"),
            ]
            if self._claim_seconds is not None:
                await self._assign(self._claim_seconds)
            work = [
                self._reader.run(),
                self._publish(),
                self._forwarder.report(),
                self._forwarder.follow_progress(),
                self._owner_watch.run(),
            ]
            if self._record.enable_interim_results:
                work.append(self._forwarder.forward_partials())
            others += [tasks.create_task(one) for one in work]
            await forwarding
            for running in others:
                running.cancel()

    async def _assign(self, seconds: float) -> None:
        """Enqueue the session and wait until a worker owns it.

        Raises:
            TiroError: NO_CAPACITY; or SESSION_FAILED, a worker has claimed the session and written nothing.
            StreamFull: NATS has no room for the message.
            BusUnavailable: NATS did not answer.
        """
        begun, owned = time.monotonic(), self._forwarder.owned
        await self._assignment.publish()
        if not await _is_set_within(owned, seconds):
            refusal = no_capacity("all workers")
            if await self._assignment.withdraw(refusal.to_status()):
                raise refusal
            if not await _is_set_within(owned, self._streamer.settings.takeover_seconds_max):
                raise session_failed("the worker that claimed the session was lost")
        CLAIM_SECONDS.observe(time.monotonic() - begun)

    async def _publish(self) -> None:
        """Store the audio, then wait for the worker to end the session.

        Raises:
            TiroError: SESSION_FAILED; the worker does not end it. SESSION_RESUMED_ELSEWHERE; another connection has the
                session. STORAGE_FULL or STORAGE_UNAVAILABLE; NATS has lost audio. Or the error of the worker.
            StreamFull: NATS has no room for the audio.
            BusUnavailable: NATS did not answer.
        """
        try:
            await self._audio_log.publish()
        except Fenced:
            raise resumed_elsewhere() from None
        except AudioLost:
            await self._explain_loss()
        self._ending.input_stored.set()
        await self._wait_for_worker()

    async def _explain_loss(self) -> None:
        """Raise the reason why the audio log is shorter than this connection has written it."""
        bus, tenant, session_id = self._streamer.bus, self._record.tenant, self._record.session_id
        record = await with_patience(lambda: find_session(bus, tenant, session_id), PATIENCE_SECONDS)
        if record.state == record.STATE_ENDED:
            # The worker has ended the session, and purged the log after that. The last event will come.
            await self._wait_for_worker()
            raise self._ending.worker_error or resumed_elsewhere()
        if not self._context.is_resumable:
            # Most likely the disk is full, which NATS reports later. A client that can resume the session tries
            # meanwhile.
            await self._streamer.store.raise_if_full(within_seconds=STORE_SECONDS_MAX)
        raise audio_lost()

    async def _wait_for_worker(self) -> None:
        if not await _is_set_within(self._ending.ended_by_worker, self._streamer.settings.finish_seconds_max):
            raise session_failed("the last audio was not transcribed in time")


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
