"""Getting a session a worker: offered by a hint, claimed by whoever has room, withdrawn when nobody has."""

import asyncio

from google.rpc.status_pb2 import Status

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro_core.leases.owned_record import lease_seconds_left
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict
from tiro_core.messaging.records import RecordStore
from tiro_core.messaging.tasks import enqueue_session
from tiro_core.routing.availability import ModelAvailability
from tiro_core.routing.suitability import serving
from tiro_core.routing.workers import WorkerDirectory
from tiro_core.sessions.engine_change import move, next_route
from tiro_streamer.errors import no_worker
from tiro_streamer.settings import StreamerSettings


class _LeaveAsItIs(Exception):  # noqa: N818 - control flow of this module
    """The record needs no change from us."""

    def __init__(self, *, ended: bool) -> None:
        super().__init__()
        self.ended = ended


def claim_seconds(workers: WorkerDirectory, asked: RecognitionConfig, settings: StreamerSettings) -> float:
    """How long to wait for a worker to take a session.

    Raises:
        TiroError: NO_WORKER; nobody alive takes live sessions with this engine and model.
    """
    if not is_served(workers, asked):
        raise no_worker(asked.engine, asked.model)
    offers = _serving(workers, asked)
    # Their word is a second or two old: there may just have become room.
    free = any(not record.sessions_refused and record.sessions < record.session_slots for record in offers)
    return settings.claim_seconds_max if free else settings.claim_seconds_full


def free_slots(workers: WorkerDirectory, asked: RecognitionConfig) -> int:
    """How many more sessions the live workers that can serve a config would take."""
    return ModelAvailability(None, _serving(workers, asked)).free_session_slots


def is_served(workers: WorkerDirectory, asked: RecognitionConfig) -> bool:
    """Whether any live worker that can serve a config takes sessions, if not now."""
    return any(record.session_slots for record in _serving(workers, asked))


def _serving(workers: WorkerDirectory, asked: RecognitionConfig) -> list[WorkerRecord]:
    return serving(workers.offering(asked.engine, asked.model), asked)


def _is_kept_or_over(record: SessionRecord) -> bool:
    """Whether a worker has a session, or nobody needs to any more."""
    held = record.state == SessionRecord.STATE_ACTIVE and lease_seconds_left(record) > 0
    return held or record.state == SessionRecord.STATE_ENDED


class SessionAssignment:
    """A session's record, as long as no worker has it."""

    def __init__(self, bus: Bus, record: SessionRecord) -> None:
        self._bus = bus
        self._record = record
        self._store = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
        self._key = subjects.record(record.tenant, record.session_id)
        self._publishing: asyncio.Future[None] | None = None

    async def publish(self) -> None:
        """Create the record and tell the workers."""
        self._publishing = asyncio.ensure_future(self._publish_whole())
        await asyncio.shield(self._publishing)

    async def withdraw(self, error: Status) -> bool:
        """End the session unless a worker holds it, so that none takes it later. Returns whether it is ended.

        A record that a worker holds is that worker's to end: it does so when it meets the end of the line.
        """
        if self._publishing is not None:
            await asyncio.gather(self._publishing, return_exceptions=True)  # whoever published was told what went wrong

        def end(record: SessionRecord) -> None:
            if _is_kept_or_over(record):
                raise _LeaveAsItIs(ended=record.state == SessionRecord.STATE_ENDED)
            record.state = SessionRecord.STATE_ENDED
            record.ClearField("lease")
            record.error.CopyFrom(error)

        try:
            await self._store.mutate(self._key, end)
        except _LeaveAsItIs as outcome:
            return outcome.ended
        except KeyError:  # it was never created
            return True
        return True

    async def is_waiting(self) -> bool:
        """Whether no worker has the session, by its record."""
        stored = await self._store.get(self._key)
        return stored is not None and stored.value.state == SessionRecord.STATE_WAITING

    async def move(self, workers: WorkerDirectory) -> bool:
        """Offer the session to another engine of its policy that has room, unless a worker holds it.

        Where it has none, it is offered once more to its own: whoever moved it there may have died before the offer.

        Returns:
            Whether it has another engine now.

        Raises:
            BusUnavailable: NATS stayed away.
        """
        stored = await self._store.get(self._key)
        if stored is None or _is_kept_or_over(stored.value):
            return False
        route = next_route(stored.value, workers)
        if route is not None:

            def to_another(record: SessionRecord) -> None:
                if _is_kept_or_over(record) or route not in record.alternatives:
                    raise _LeaveAsItIs(ended=record.state == SessionRecord.STATE_ENDED)
                move(record, route)

            try:
                stored = await self._store.mutate(self._key, to_another)
            except (_LeaveAsItIs, KeyError, Conflict):
                return False
        await enqueue_session(self._bus, stored.value)
        return route is not None

    async def _publish_whole(self) -> None:
        """Publish also when nobody waits for it any more: a record that comes after its withdrawal would stay."""
        await self._store.create(self._key, self._record)
        await enqueue_session(self._bus, self._record)
