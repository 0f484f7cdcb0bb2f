"""The checks of live sessions: each that is not over gets a worker, and none that is over keeps audio.

A streamer may die, or be cut off from NATS, after it has created the record of a session and before it has enqueued the
session, or while it aborts one.
"""

from tiro.events.v1.live_pb2 import SessionRecord
from tiro_core.leases.owned_record import lease_seconds_left
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import NotFound
from tiro_core.messaging.operations import last_message, purge
from tiro_core.messaging.queues.tasks import enqueue_session
from tiro_core.messaging.records import RecordStore
from tiro_ingest.retention.record_checks import Aged, CheckAges, RecordCheck, Verdict


def session_checks(bus: Bus, ages: CheckAges) -> list[RecordCheck[SessionRecord]]:
    """All checks of live sessions. The owner of a session renews its lease every second, which writes the record."""
    records = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
    return [
        RecordCheck("sessions_without_worker", records, ages.removal_seconds, _WithoutWorker(bus)),
        RecordCheck("ended_sessions_with_audio", records, ages.removal_seconds, _EndedWithAudio(bus)),
    ]


class _WithoutWorker:
    """A session that is not over and has no owner is enqueued again.

    The worker that claims it reads the end in its audio log, or ends it because no audio arrives.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def verdict(self, aged: Aged[SessionRecord]) -> Verdict:
        """Check the state and the lease. A record without an engine belongs to no queue."""
        record = aged.record
        is_served = record.state == SessionRecord.STATE_ENDED or lease_seconds_left(record) > 0
        has_queue = bool(record.recognition.engine and record.recognition.model)
        return Verdict.DUE if has_queue and not is_served else Verdict.NOTHING

    async def apply(self, aged: Aged[SessionRecord]) -> None:
        """Enqueue the session, unless it is in the queue."""
        await enqueue_session(self._bus, aged.record)


class _EndedWithAudio:
    """The audio log of a session that is over is removed."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def verdict(self, aged: Aged[SessionRecord]) -> Verdict:
        """Check the state, and look for audio."""
        if aged.record.state != SessionRecord.STATE_ENDED:
            return Verdict.NOTHING
        try:
            await last_message(self._bus, topology.LIVE_AUDIO, _audio(aged.record))
        except NotFound:
            return Verdict.NOTHING
        return Verdict.DUE

    async def apply(self, aged: Aged[SessionRecord]) -> None:
        """Remove it."""
        await purge(self._bus, topology.LIVE_AUDIO, _audio(aged.record))


def _audio(record: SessionRecord) -> str:
    return subjects.live_audio(record.tenant, record.session_id)
