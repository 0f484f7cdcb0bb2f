"""The order of a hand-over: the task message is settled last, so that the next owner cannot come earlier."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.integration.transcriber.conftest import Jobs, Start, recording
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.jobs.event_log import JobEventLog
from tiro_core.leases.owned_record import OwnedRecord
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.event_log import Fenced
from tiro_core.messaging.operations import purge
from tiro_core.messaging.queues.work_queue import TaskMessage
from tiro_engines.fake.engine import FakeEngine

State = Transcription.State


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Writes and settlements of the worker, in order."""
    steps: list[str] = []
    update, append_state, retry = OwnedRecord.update, JobEventLog.append_state, TaskMessage.retry

    async def recording_update(self: Any, change: Any) -> Any:
        before = self.value.state
        value = await update(self, change)
        if value.state != before:
            steps.append(f"record {State.Name(value.state)}")
        return value

    async def recording_append(self: Any, record: TranscriptionRecord) -> None:
        await append_state(self, record)
        steps.append(f"log {State.Name(record.state)}")

    async def recording_retry(self: Any, after_seconds: float = 0.0) -> None:
        steps.append("message")
        await retry(self, after_seconds)

    monkeypatch.setattr(OwnedRecord, "update", recording_update)
    monkeypatch.setattr(JobEventLog, "append_state", recording_append)
    monkeypatch.setattr(TaskMessage, "retry", recording_retry)
    return steps


Begin = Callable[[], Awaitable[str]]


@pytest.fixture(autouse=True)
async def _leaves_no_messages(jobs: Jobs) -> AsyncIterator[None]:
    """No job that another test has left takes the slot, and none that is handed over is left to another test."""
    await purge(jobs.bus, topology.TASKS, subjects.TASKS)
    yield
    await purge(jobs.bus, topology.TASKS, subjects.TASKS)


@pytest.fixture
async def begin_job(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """Submits a job, and waits until the engine works on it, which takes until it is cancelled."""
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    transcribe = FakeEngine.transcribe

    def recording_transcribe(self: Any, window: Any, options: Any, emit: Any, cancelled: Any) -> Any:
        loop.call_soon_threadsafe(begun.set)
        cancelled.wait()
        return transcribe(self, window, options, emit, cancelled)

    async def begin() -> str:
        job = await jobs.submit(recording(range(3)))
        is_ours = False
        while not is_ours:  # the engine may have begun the job of another test
            await begun.wait()
            begun.clear()
            is_ours = (await jobs.record(job)).state == Transcription.STATE_RUNNING
        return job

    monkeypatch.setattr(FakeEngine, "transcribe", recording_transcribe)
    return begin


async def test_the_message_is_settled_last(begin_job: Begin, start_worker: Start, steps: list[str]) -> None:
    """A job that is handed over is QUEUED in its record and event log before its message is settled."""
    stop = await start_worker()
    await begin_job()
    steps.clear()
    await stop()
    assert steps == ["record STATE_QUEUED", "log STATE_QUEUED", "message"]


async def test_an_event_of_the_next_owner_fences_a_late_hand_over(
    jobs: Jobs, begin_job: Begin, start_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next owner appends after the record is written: this owner's QUEUED does not follow its event."""
    update = OwnedRecord.update

    async def overtaken(self: Any, change: Any) -> Any:
        value = await update(self, change)
        if value.state == Transcription.STATE_QUEUED and value.transcription_id == job:
            claimed = TranscriptionRecord()
            claimed.CopyFrom(value)
            claimed.state = Transcription.STATE_RUNNING
            await JobEventLog(jobs.bus, jobs.tenant, job).take_over(claimed)
        return value

    monkeypatch.setattr(OwnedRecord, "update", overtaken)
    stop = await start_worker()
    job = await begin_job()
    await stop()
    newest = await JobEventLog(jobs.bus, jobs.tenant, job).resume()
    assert newest is not None
    assert newest.state_changed.state == Transcription.STATE_RUNNING


async def test_an_owner_that_was_replaced_writes_nothing(jobs: Jobs) -> None:
    """A worker that hands over late cannot append QUEUED after an event of the next owner."""
    job = await jobs.submit(recording(range(3)))
    record = await jobs.record(job)
    late, owner = (JobEventLog(jobs.bus, jobs.tenant, job) for _ in range(2))
    await late.hold_position()
    await owner.take_over(record)
    with pytest.raises(Fenced, match=job):
        await late.append_state(record)
