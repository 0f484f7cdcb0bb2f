"""The life of a job under random steps, crashes and redeliveries, against the table of legal steps."""

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
"""Of workers that can serve the job."""


@dataclass
class Owner:
    """A worker that believes to own the job, rightly or not."""

    owned: OwnedRecord[TranscriptionRecord]
    history: JobEventLog


@dataclass
class World:
    """A job, the workers around it, and what should be true of it."""

    bus: Bus
    tenant: str
    job: str = field(default_factory=new_id)
    owners: dict[int, Owner] = field(default_factory=dict)
    rightful: int | None = None
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
        """A task is delivered to a worker, which may die right after its claim."""
        lapsed = self.rightful is None
        outcome = await JobClaims(self.bus, f"worker-{worker}", SUITABILITY, ATTEMPTS_MAX).claim(self.key)
        history = JobEventLog(self.bus, self.tenant, self.job)
        match outcome:
            case Claimed(owned):
                assert lapsed, "a job was taken from an owner whose lease had not run out"
                self.rightful = worker
                self.owners[worker] = Owner(owned, history)
                if not crash:
                    await history.take_over(owned.value)
            case Terminal(record):
                assert record is not None
                await history.ensure_terminal(record)

    async def lapse(self) -> None:
        """The owner has said nothing for longer than its lease."""

        def run_out(record: TranscriptionRecord) -> None:
            if record.HasField("lease"):
                record.lease.expire_time.CopyFrom(in_seconds(-1))

        await self.records.mutate(self.key, run_out)
        self.rightful = None

    async def progress(self, worker: int) -> None:
        """A worker tells how far it is. One that was replaced, and whose heir has spoken, is refused."""
        owner = self.owners.get(worker)
        if owner is not None:
            try:
                await owner.history.append_progress(1.0)
            except Fenced:
                del self.owners[worker]

    async def end(self, worker: int, change: Callable[[TranscriptionRecord], None], *, crash: bool) -> None:
        """A worker ends its attempt, and may die before the history says so."""
        owner = self.owners.pop(worker, None)
        if owner is None:
            return
        epoch = (await self._read()).epoch
        try:
            record = await owner.owned.update(change)
        except OwnershipLost:
            assert owner.owned.epoch != epoch or self.state in TERMINAL, "the owner was refused"
            return
        assert owner.owned.epoch >= epoch, "a worker that was replaced could write"
        self.rightful = None
        if not crash:
            await owner.history.resume()
            await owner.history.append_state(record)

    async def cancel(self) -> None:
        """The caller does not want it any more."""
        over = self.state in TERMINAL
        try:
            await JobCanceller(self.bus, JetStreamBlobStore(self.bus)).cancel(self.tenant, self.job)
        except TiroError:
            assert over
        else:
            assert not over
            self.rightful = None

    async def check(self) -> None:
        """The step that was done is in the table."""
        record = await self._read()
        assert record.state == self.state or record.state in TRANSITIONS[self.state], State.Name(record.state)
        assert (record.state == State.STATE_RUNNING) == record.HasField("lease")
        assert (record.state in TERMINAL) == record.HasField("end_time")
        self.state = record.state

    async def check_history(self) -> None:
        """Once a task for a job that is over was delivered, its history is whole: numbers, one end, the record's."""
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
        async with OrderedConsumer(self.bus, topology.JOB_EVENTS, subjects.job_events(self.tenant, self.job)) as tail:
            async for entry in tail:
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
    st.just(World.lapse),
    st.just(World.cancel),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_steps, max_size=15))
async def test_every_step_is_legal_and_every_end_is_told_once(bus: Bus, tenant: str, steps: list[Step]) -> None:
    """Whatever happens in whatever order, the record follows the table, and the history tells of one end."""
    world = World(bus, tenant)
    await world.create()
    await world.check()
    for step in steps:
        await step(world)
        await world.check()
    await world.check_history()


def test_the_table_ends_where_a_job_is_over() -> None:
    """Nothing leads out of a terminal state, and each state is reached from somewhere."""
    assert {state for state, following in TRANSITIONS.items() if not following} == TERMINAL
    reached = {state for following in TRANSITIONS.values() for state in following}
    assert reached == set(Transcription.State.values()) - {State.STATE_UNSPECIFIED}
