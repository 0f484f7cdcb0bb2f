"""Outages of NATS while a job runs: no attempt is lost, and the worker keeps its job."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.transcriber.conftest import Jobs, Start, recording
from tests.support.nats import NatsServer, running_nats
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.blobs.jetstream import JetStreamBlobStore
from tiro_core.leases.owned_record import OwnedRecord
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.queues.work_queue import TaskMessage
from tiro_core.messaging.records import Change, RecordStore
from tiro_transcriber.engine.host import EngineHost
from tiro_transcriber.jobs.claims import JobClaims

SHORT_OUTAGE_SECONDS = 6.0
LEASE_SECONDS = 3.0
REDELIVERY_SECONDS = 4
"""Shorter than the usual times. As there, a message is delivered again after its job's lease has expired."""


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A NATS server that the test may kill."""
    with running_nats(tmp_path) as server:
        yield server


async def test_an_outage_while_the_recording_is_read(
    nats_server: NatsServer, jobs: Jobs, start_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker waits for NATS and continues to read: the job succeeds in its first attempt."""
    get_part = JetStreamBlobStore.get_part
    restarts: list[threading.Timer] = []

    async def get_then_kill(self: JetStreamBlobStore, key: str, index: int, *, size: int | None = None) -> bytes:
        if index == 1 and not restarts:
            nats_server.kill()
            restarts.append(threading.Timer(SHORT_OUTAGE_SECONDS, nats_server.start))
            restarts[0].start()
        return await get_part(self, key, index, size=size)

    job = await jobs.submit(recording(range(200)))
    monkeypatch.setattr(JetStreamBlobStore, "get_part", get_then_kill)
    await start_worker()
    await jobs.events(job)
    restarts[0].join()
    record = await jobs.record(job)
    assert record.state == Transcription.STATE_SUCCEEDED
    assert len(record.attempts) == 1


async def test_a_worker_keeps_its_job_over_an_outage_longer_than_the_lease(
    nats_server: NatsServer, jobs: Jobs, start_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an outage another worker that gets the message first leaves the owner time to renew its lease."""
    under_way, other_claimed, go = asyncio.Event(), asyncio.Event(), asyncio.Event()
    transcribe, claim, extend, renew = EngineHost.transcribe, JobClaims.claim, TaskMessage.extend, OwnedRecord.renew

    async def held(self: EngineHost, *arguments: Any) -> Any:
        under_way.set()
        await go.wait()
        return await transcribe(self, *arguments)

    async def recorded_claim(self: JobClaims, key: str) -> Any:
        outcome = await claim(self, key)
        if under_way.is_set():
            other_claimed.set()
        return outcome

    async def late_extend(self: TaskMessage) -> None:
        await other_claimed.wait()
        await extend(self)

    async def late_renew(self: OwnedRecord[TranscriptionRecord], *arguments: Any) -> None:
        await other_claimed.wait()
        await renew(self, *arguments)

    monkeypatch.setattr("tiro_transcriber.jobs.claims.LEASE_SECONDS", LEASE_SECONDS)
    monkeypatch.setattr(topology, "TASK_REDELIVERY_SECONDS", REDELIVERY_SECONDS)
    monkeypatch.setattr(EngineHost, "transcribe", held)
    monkeypatch.setattr(JobClaims, "claim", recorded_claim)
    await start_worker()
    job = await jobs.submit(recording(range(5)))
    await under_way.wait()
    await start_worker()
    await _until_alive(jobs.bus, 2)
    monkeypatch.setattr(TaskMessage, "extend", late_extend)
    monkeypatch.setattr(OwnedRecord, "renew", late_renew)
    await asyncio.to_thread(nats_server.kill)
    await asyncio.sleep(2 * LEASE_SECONDS)  # the outage
    await asyncio.to_thread(nats_server.start)
    await other_claimed.wait()
    go.set()
    await jobs.events(job)
    assert len((await jobs.record(job)).attempts) == 1


async def _until_alive(bus: Bus, count: int) -> None:
    """Wait until this number of workers is registered."""
    known: set[str] = set()
    async with RecordStore(bus, topology.WORKERS_BUCKET, WorkerRecord).watch(">") as changes:
        async for change in changes:
            if isinstance(change, Change):
                known.add(change.key)
            if len(known) == count:
                return
