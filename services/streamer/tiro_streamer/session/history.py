"""What a session has told so far, without following it."""

from nats.js.errors import NotFoundError

from tiro.events.v1.live_pb2 import LiveEvent, SessionRecord
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.publishing import patiently
from tiro_core.messaging.records import RecordStore
from tiro_streamer.errors import sequence_out_of_range, session_not_found


async def find_session(bus: Bus, tenant: str, session_id: str) -> SessionRecord:
    """The record of a session.

    Raises:
        TiroError: SESSION_NOT_FOUND; the tenant has none of this id.
    """
    store = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
    stored = await store.get(subjects.record(tenant, session_id))
    if stored is None:
        raise session_not_found(session_id)
    return stored.value


async def last_event(bus: Bus, record: SessionRecord) -> LiveEvent:
    """The newest event of a session; number 0 when there is none."""
    subject = subjects.live_events(record.tenant, record.session_id)
    try:
        newest = await patiently(bus, lambda: bus.jetstream.get_msg(topology.LIVE_EVENTS, subject=subject))
    except NotFoundError:
        return LiveEvent()
    return LiveEvent.FromString(newest.data or b"")


async def check_sequence(bus: Bus, record: SessionRecord, after_sequence: int) -> LiveEvent:
    """See whether a session has an event of this number, and return its newest one.

    Raises:
        TiroError: SEQUENCE_OUT_OF_RANGE; the number is from the future.
    """
    newest = await last_event(bus, record)
    if after_sequence > newest.sequence:
        raise sequence_out_of_range(after_sequence, newest.sequence)
    return newest
