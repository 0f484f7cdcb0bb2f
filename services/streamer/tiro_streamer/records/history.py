"""Look-ups of a session: its record, and the newest of its events."""

from tiro.events.v1.live_pb2 import LiveEvent, SessionRecord
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import NotFound
from tiro_core.messaging.operations import last_message
from tiro_core.messaging.publishing import read_patiently
from tiro_core.messaging.records import RecordStore
from tiro_streamer.errors import sequence_out_of_range, session_not_found


async def find_session(bus: Bus, tenant: str, session_id: str) -> SessionRecord:
    """Read the record of a session.

    Raises:
        TiroError: SESSION_NOT_FOUND; the tenant has no session of this id.
        BusUnavailable: NATS did not answer.
    """
    store = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
    stored = await store.get(subjects.record(tenant, session_id))
    if stored is None:
        raise session_not_found(session_id)
    return stored.value


async def last_event(bus: Bus, record: SessionRecord) -> LiveEvent:
    """Read the newest event of a session. Its number is 0 when there is none.

    Raises:
        BusUnavailable: NATS did not answer.
    """
    subject = subjects.live_events(record.tenant, record.session_id)
    try:
        newest = await read_patiently(bus, lambda: last_message(bus, topology.LIVE_EVENTS, subject))
    except NotFound:
        return LiveEvent()
    return LiveEvent.FromString(newest.data)


async def check_sequence(bus: Bus, record: SessionRecord, after_sequence: int) -> LiveEvent:
    """Check that a session has had an event of this number, and return its newest one.

    Raises:
        TiroError: SEQUENCE_OUT_OF_RANGE; the session has no such event yet.
        BusUnavailable: NATS did not answer.
    """
    newest = await last_event(bus, record)
    if after_sequence > newest.sequence:
        raise sequence_out_of_range(after_sequence, newest.sequence)
    return newest
