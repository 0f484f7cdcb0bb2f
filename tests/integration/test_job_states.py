"""The states of a job under random steps, crashes and redeliveries, checked against the table of transitions."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from google.rpc.status_pb2 import Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tiro.events.v1.transcription_pb2 import TranscriptionEvent, TranscriptionRecord
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.speech.v1.transcript_pb2 import Transcript
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.blobs.jetstream import JetStreamBlobStore
from tiro_core.clock import in_seconds, now
from tiro_core.errors import TiroError
from tiro_core.ids import new_id
from tiro_core.jobs.event_log import JobEventLog
from tiro_core.jobs.states import TERMINAL, TRANSITIONS, State, enter
from tiro_core.jobs.transitions import fail_attempt, hand_over, succeed
from tiro_core.leases.claims import Claimed, Terminal
from tiro_core.leases.owned_record import OwnedRecord, OwnershipLost
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.event_log import Fenced
from tiro_core.messaging.mirror import Mirror
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer, StreamState
from tiro_core.messaging.records import RecordStore
from tiro_core.routing.workers import WorkerDirectory
from tiro_engines.interface import Capability
from tiro_ingest.jobs.cancellation import JobCanceller
from tiro_transcriber.engine.suitability import Suitability
from tiro_transcriber.jobs.claims import JobClaims

WORKERS = 3
ATTEMPTS_MAX = 4
SUITABILITY = Suitability(
    WorkerRecord(), WorkerDirectory(Mirror()), feature=Capability.CAPABILITY_BATCH, patience_seconds=0.0
)
"""The suitability of workers that can serve the job."""


@dataclass
class Claim:
    """A worker's claim on the job, which may be lost."""

    owned: OwnedRecord[TranscriptionRecord]
    log: JobEventLog


@dataclass
class World:
    """A job, its workers, and their expected state."""

    bus: Bus
    tenant: str
    job: str = field(default_factory=new_id)
    claims: dict[int, Claim] = field(default_factory=dict)
    current_owner: int | None = None
    """The worker that owns the job now."""
    state: "State.ValueType" = State.STATE_UNSPECIFIED

    def __post_init__(self) -> None:
        self.records = RecordStore(self.bus, topology.JOBS_BUCKET, TranscriptionRecord)
        self.key = subjects.record(self.tenant, self.job)

    async def create(self) -> None:
        """Write the job as ingest does."""
        record = TranscriptionRecord(
            tenant=self.tenant,
            transcription_id=self.job,
            config=RecognitionConfig(engine="none", model=self.tenant),
            create_time=now(),
        )
        enter(record, State.STATE_QUEUED)
        await self.records.create(self.key, record)
        await JobEventLog(self.bus, self.tenant, self.job).begin(record)
        self.state = State.STATE_QUEUED

    async def claim(self, worker: int, *, crash: bool) -> None:
        """Deliver the task to a worker, which may crash right after its claim."""
        is_free = self.current_owner is None
        outcome = await JobClaims(self.bus, f"worker-{worker}", SUITABILITY, ATTEMPTS_MAX).claim(self.key)
        log = JobEventLog(self.bus, self.tenant, self.job)
        match outcome:
            case Claimed(owned):
                assert is_free, "a job was claimed from an owner whose lease has not expired"
                self.current_owner = worker
                self.claims[worker] = Claim(owned, log)
                if not crash:
                    await log.take_over(owned.value)
            case Terminal(record):
                assert record is not None
                await log.ensure_terminal(record)

    async def expire_lease(self) -> None:
        """Let the owner's lease expire."""

        def expire(record: TranscriptionRecord) -> None:
            if record.HasField("lease"):
                record.lease.expire_time.CopyFrom(in_seconds(-1))

        await self.records.mutate(self.key, expire)
        self.current_owner = None

    async def progress(self, worker: int) -> None:
        """Append progress by a worker. A worker is Fenced once its replacement has appended an event."""
        held = self.claims.get(worker)
        if held is not None:
            try:
                await held.log.append_progress(1.0)
            except Fenced:
                del self.claims[worker]

    async def end(self, worker: int, change: Callable[[TranscriptionRecord], None], *, crash: bool) -> None:
        """End a worker's attempt. The worker may crash before it appends the event."""
        held = self.claims.pop(worker, None)
        if held is None:
            return
        epoch = (await self._read()).epoch
        try:
            record = await held.owned.update(change)
        except OwnershipLost:
            assert held.owned.epoch != epoch or self.state in TERMINAL, "the owner was refused"
            return
        assert held.owned.epoch >= epoch, "a worker that was replaced could write"
        self.current_owner = None
        if not crash:
            await held.log.resume()
            await held.log.append_state(record)

    async def cancel(self) -> None:
        """Cancel the job, as its caller does."""
        over = self.state in TERMINAL
        try:
            await JobCanceller(self.bus, JetStreamBlobStore(self.bus)).cancel(self.tenant, self.job)
        except TiroError:
            assert over
        else:
            assert not over
            self.current_owner = None

    async def check(self) -> None:
        """Check that the last step is a legal transition."""
        record = await self._read()
        assert record.state == self.state or record.state in TRANSITIONS[self.state], State.Name(record.state)
        assert (record.state == State.STATE_RUNNING) == record.HasField("lease")
        assert (record.state in TERMINAL) == record.HasField("end_time")
        self.state = record.state

    async def check_log(self) -> None:
        """Deliver the task again, and check the event log: no gap, and one terminal event that equals the record."""
        await self.claim(0, crash=False)
        await self.check()
        events = await self._events()
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        states = [event.state_changed.state for event in events if event.HasField("state_changed")]
        ends = [state for state in states if state in TERMINAL]
        record = await self._read()
        assert ends == ([record.state] if record.state in TERMINAL else [])
        assert not ends or events[-1].state_changed == record

    async def _read(self) -> TranscriptionRecord:
        stored = await self.records.get(self.key)
        assert stored is not None
        return stored.value

    async def _events(self) -> list[TranscriptionEvent]:
        events = []
        async with OrderedConsumer(
            self.bus, topology.JOB_EVENTS, subjects.job_events(self.tenant, self.job)
        ) as consumer:
            async for entry in consumer:
                if isinstance(entry, StreamState):
                    break
                events.append(TranscriptionEvent.FromString(entry.data))
        return events


Step = Callable[[World], Awaitable[None]]

_ERROR = Status(code=13, message="it did not work")
_workers = st.integers(0, WORKERS - 1)
_crashes = st.booleans()
_endings: "st.SearchStrategy[Callable[[TranscriptionRecord], None]]" = st.sampled_from(
    [
        lambda record: succeed(record, Transcript(engine="none")),
        hand_over,
        lambda record: fail_attempt(record, _ERROR, is_final=False),
        lambda record: fail_attempt(record, _ERROR, is_final=True),
    ]
)


def _claim(worker: int, crash: bool) -> Step:
    return lambda world: world.claim(worker, crash=crash)


def _end(worker: int, change: Callable[[TranscriptionRecord], None], crash: bool) -> Step:
    return lambda world: world.end(worker, change, crash=crash)


def _progress(worker: int) -> Step:
    return lambda world: world.progress(worker)


_steps: "st.SearchStrategy[Step]" = st.one_of(
    st.builds(_claim, _workers, _crashes),
    st.builds(_end, _workers, _endings, _crashes),
    st.builds(_progress, _workers),
    st.just(World.expire_lease),
    st.just(World.cancel),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_steps, max_size=15))
async def test_every_transition_is_legal_and_has_one_terminal_event(bus: Bus, tenant: str, steps: list[Step]) -> None:
    """For any steps in any order the record follows the table, and the event log has one terminal event."""
    world = World(bus, tenant)
    await world.create()
    await world.check()
    for step in steps:
        await step(world)
        await world.check()
    await world.check_log()


def test_the_table_of_transitions_is_complete() -> None:
    """Terminal states have no transition, and each state is reached by one."""
    assert {state for state, following in TRANSITIONS.items() if not following} == TERMINAL
    reached = {state for following in TRANSITIONS.values() for state in following}
    assert reached == set(Transcription.State.values()) - {State.STATE_UNSPECIFIED}
