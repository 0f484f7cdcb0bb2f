"""Moving a session to another engine, when its own has no worker left."""

from collections.abc import AsyncIterator

import pytest
from nats.js.errors import NotFoundError

from tests.support.scripted_worker import ScriptedWorker
from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.route_pb2 import Route
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro_core.ids import new_id
from tiro_core.leases.owned_record import new_lease
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore
from tiro_core.routing.workers import WorkerDirectory, open_worker_directory
from tiro_streamer.records.assignment import SessionAssignment

GONE = "gone"
"""An engine without workers."""


@pytest.fixture
async def workers(bus: Bus, worker: ScriptedWorker) -> AsyncIterator[WorkerDirectory]:
    """The live workers: one scripted worker, which claims no session."""
    worker.script.claims = False
    async with open_worker_directory(bus) as directory:
        yield directory


def session(*alternatives: Route) -> SessionRecord:
    """A session that waits for a worker of the engine without any."""
    return SessionRecord(
        tenant="default",
        session_id=new_id(),
        state=SessionRecord.STATE_WAITING,
        recognition=RecognitionConfig(engine=GONE, model="counter"),
        alternatives=alternatives,
    )


async def stored(bus: Bus, record: SessionRecord) -> SessionRecord:
    """The record as it stands."""
    found = await RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord).get(
        subjects.record(record.tenant, record.session_id)
    )
    assert found is not None
    return found.value


async def is_enqueued(bus: Bus, record: SessionRecord, engine: str) -> bool:
    """Whether it is enqueued for the workers of an engine."""
    subject = subjects.session(engine, "counter", record.tenant, record.session_id)
    try:
        await bus.jetstream.get_last_msg(topology.SESSIONS, subject)
    except NotFoundError:
        return False
    return True


async def create(bus: Bus, record: SessionRecord) -> SessionAssignment:
    """Write the record, without enqueuing the session."""
    key = subjects.record(record.tenant, record.session_id)
    await RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord).create(key, record)
    return SessionAssignment(bus, record)


async def test_a_session_moves_to_an_alternative_with_free_slots(
    bus: Bus, workers: WorkerDirectory, engine: str
) -> None:
    """The record is changed first, then the session is enqueued. Other alternatives stay."""
    without_workers, with_slots = Route(engine="none", model="counter"), Route(engine=engine, model="counter")
    record = session(without_workers, with_slots)
    assert await (await create(bus, record)).move(workers)
    moved = await stored(bus, record)
    assert (moved.recognition.engine, list(moved.alternatives)) == (engine, [without_workers])
    assert await is_enqueued(bus, record, engine)
    assert not await is_enqueued(bus, record, GONE)


async def test_without_an_alternative_the_session_is_enqueued_again(bus: Bus, workers: WorkerDirectory) -> None:
    """The process that moved the session may have died before it enqueued it."""
    record = session(Route(engine="none", model="counter"))
    offer = await create(bus, record)
    assert not await offer.move(workers)
    assert not await offer.move(workers)
    assert await stored(bus, record) == record
    assert await is_enqueued(bus, record, GONE)


@pytest.mark.parametrize("state", [SessionRecord.STATE_ACTIVE, SessionRecord.STATE_ENDED])
async def test_an_active_or_ended_session_does_not_move(
    bus: Bus, workers: WorkerDirectory, engine: str, state: "SessionRecord.State.ValueType"
) -> None:
    """An active session is moved by its worker only."""
    record = session(Route(engine=engine, model="counter"))
    record.state = state
    record.lease.CopyFrom(new_lease("a worker", 30.0))
    assert not await (await create(bus, record)).move(workers)
    assert await stored(bus, record) == record
    assert not await is_enqueued(bus, record, engine)
