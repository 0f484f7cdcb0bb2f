"""The events of a session, as a streamer reads them from their log."""

from contextlib import aclosing

import pytest

from tiro.events.v1.live_pb2 import LiveEnded, LiveEvent, SessionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.errors import TiroError
from tiro_core.ids import new_id
from tiro_core.messaging import subjects
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.publishing import publish
from tiro_streamer.output.event_reader import events

SPEECH = LiveEvent(speech_started_sample=1)
END = LiveEvent(ended=LiveEnded())


@pytest.fixture
def session(tenant: str) -> SessionRecord:
    """A session."""
    return SessionRecord(tenant=tenant, session_id=new_id())


async def put(bus: Bus, session: SessionRecord, event: LiveEvent, *sequences: int) -> None:
    """Store an event under each of these numbers."""
    for sequence in sequences:
        event.sequence = sequence
        await publish(bus, subjects.live_events(session.tenant, session.session_id), event.SerializeToString())


async def test_an_event_that_was_stored_twice_is_read_once(bus: Bus, session: SessionRecord) -> None:
    """As around a change of the stream's leader."""
    await put(bus, session, SPEECH, 1, 2, 2, 3)
    await put(bus, session, END, 4)
    read = []
    async with aclosing(events(bus, session)) as log:
        async for event in log:
            read.append(event.sequence)
            if event.HasField("ended"):
                break
    assert read == [1, 2, 3, 4]


async def test_an_end_of_a_log_that_has_lost_events(bus: Bus, session: SessionRecord) -> None:
    """The worker that has written it knew of fewer events than this reader: the session fails, rather than go on."""
    await put(bus, session, SPEECH, 1, 2, 3)
    await put(bus, session, END, 3)
    read = []
    with pytest.raises(TiroError) as caught:
        async with aclosing(events(bus, session)) as log:
            async for event in log:
                read.append(event.sequence)  # noqa: PERF401 - what comes before the fault counts
    assert caught.value.reason == reasons.ERROR_REASON_SESSION_FAILED
    assert read == [1, 2, 3]
