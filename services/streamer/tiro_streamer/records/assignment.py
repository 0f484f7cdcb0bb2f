"""The assignment of a session to a worker: enqueued, claimed by a worker with a free slot, or withdrawn."""

import asyncio

from google.rpc.status_pb2 import Status

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro_core.leases.owned_record import lease_seconds_left
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict, MessagingError
from tiro_core.messaging.queues.tasks import enqueue_session
from tiro_core.messaging.records import RecordStore
from tiro_core.routing.availability import ModelAvailability
from tiro_core.routing.suitability import serving
from tiro_core.routing.workers import WorkerDirectory
from tiro_core.sessions.engine_change import move, next_route
from tiro_streamer.errors import no_worker
from tiro_streamer.settings import StreamerSettings

log = get_logger()


class _Unchanged(Exception):  # noqa: N818 - control flow of this module
    """The record needs no change from here."""

    def __init__(self, *, ended: bool) -> None:
        super().__init__()
        self.ended = ended


def claim_seconds(workers: WorkerDirectory, asked: RecognitionConfig, settings: StreamerSettings) -> float:
    """How long to wait for a worker to claim a session.

    Raises:
        TiroError: NO_WORKER; no live worker takes sessions with this engine and model.
    """
    if not is_served(workers, asked):
        raise no_worker(asked.engine, asked.model)
    offers = _serving(workers, asked)
    # The records of workers are a second or two old: a slot may have become free meanwhile.
    free = any(not record.sessions_refused and record.sessions < record.session_slots for record in offers)
    return settings.claim_seconds_max if free else settings.claim_seconds_full


def free_slots(workers: WorkerDirectory, asked: RecognitionConfig) -> int:
    """The number of further sessions that the live workers which can serve a config can take now."""
    return ModelAvailability(None, _serving(workers, asked)).free_session_slots


def is_served(workers: WorkerDirectory, asked: RecognitionConfig) -> bool:
    """Whether any live worker that can serve a config takes sessions, now or later."""
    return any(record.session_slots for record in _serving(workers, asked))


def _serving(workers: WorkerDirectory, asked: RecognitionConfig) -> list[WorkerRecord]:
    return serving(workers.offering(asked.engine, asked.model), asked)


def _is_held_or_ended(record: SessionRecord) -> bool:
    """Whether a worker owns a session, or the session is over."""
    held = record.state == SessionRecord.STATE_ACTIVE and lease_seconds_left(record) > 0
    return held or record.state == SessionRecord.STATE_ENDED


class SessionAssignment:
    """The assignment of one session: its record while no worker owns it."""

    def __init__(self, bus: Bus, record: SessionRecord) -> None:
        self._bus = bus
        self._record = record
        self._store = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
        self._key = subjects.record(record.tenant, record.session_id)
        self._publishing: asyncio.Task[None] | None = None
        self._failure: MessagingError | None = None

    async def publish(self) -> None:
        """Create the record and enqueue the session.

        Raises:
            StreamFull: NATS has no room for the message.
            BusUnavailable: NATS did not answer.
        """
        self._publishing = asyncio.create_task(self._recording_failure(), name="session-enqueued")
        await asyncio.shield(self._publishing)
        if self._failure is not None:
            raise self._failure

    async def close(self) -> None:
        """Give up publishing what is not published by now: NATS does not answer, or the session is over."""
        if self._publishing is not None:
            self._publishing.cancel()
            await asyncio.wait([self._publishing])

    async def withdraw(self, error: Status) -> bool:
        """End the session unless a worker owns it, so that none claims it later. Returns whether it has ended.

        A worker that owns the session ends the record when it reads the end of the audio log.

        Raises:
            StreamFull: NATS has no room for the message.
            BusUnavailable: NATS did not answer.
        """
        if self._publishing is not None:
            await asyncio.wait([self._publishing])

        def end(record: SessionRecord) -> None:
            if _is_held_or_ended(record):
                raise _Unchanged(ended=record.state == SessionRecord.STATE_ENDED)
            record.state = SessionRecord.STATE_ENDED
            record.ClearField("lease")
            record.error.CopyFrom(error)

        try:
            await self._store.mutate(self._key, end)
        except _Unchanged as outcome:
            return outcome.ended
        except KeyError:  # the record was never created
            return True
        return True

    async def is_waiting(self) -> bool:
        """Whether no worker has claimed the session, by its record.

        Raises:
            BusUnavailable: NATS did not answer.
        """
        stored = await self._store.get(self._key)
        return stored is not None and stored.value.state == SessionRecord.STATE_WAITING

    async def move(self, workers: WorkerDirectory) -> bool:
        """Move the session to another engine of its policy that has a free slot, unless a worker owns it.

        If no engine has a free slot, the session is enqueued again for its present engine: the process that moved it
        there may have died before it enqueued it.

        Returns:
            Whether the session has another engine now.

        Raises:
            StreamFull: NATS has no room for the message.
            BusUnavailable: NATS did not answer.
        """
        stored = await self._store.get(self._key)
        if stored is None or _is_held_or_ended(stored.value):
            return False
        route = next_route(stored.value, workers)
        if route is not None:

            def to_another(record: SessionRecord) -> None:
                if _is_held_or_ended(record) or route not in record.alternatives:
                    raise _Unchanged(ended=record.state == SessionRecord.STATE_ENDED)
                move(record, route)

            try:
                stored = await self._store.mutate(self._key, to_another)
            except (_Unchanged, KeyError, Conflict):
                return False
        await enqueue_session(self._bus, stored.value)
        return route is not None

    async def _recording_failure(self) -> None:
        """Publish. A failure is kept for the caller, and logged, since that may be gone."""
        try:
            await self._publish_whole()
        except MessagingError as failure:
            self._failure = failure
            log.warning("session_not_enqueued", error=failure)

    async def _publish_whole(self) -> None:
        """Publish to the end even if the caller is cancelled: a record written after `withdraw` would stay."""
        await self._store.create(self._key, self._record)
        await enqueue_session(self._bus, self._record)
