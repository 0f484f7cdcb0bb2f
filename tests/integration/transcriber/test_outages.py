"""NATS goes away while a job is under way, and comes back: no attempt is lost, the worker keeps its job."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.transcriber.conftest import Jobs, Start, recording
from tests.support.nats import NatsServer, running_nats
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.blobs.jetstream import JetStreamBlobStore
from tiro_transcriber.engine.host import EngineHost
from tiro_transcriber.jobs.claims import LEASE_SECONDS

SHORT_OUTAGE_SECONDS = 6.0


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server of the test's own, which it may kill."""
    with running_nats(tmp_path) as server:
        yield server


async def test_nats_goes_while_the_recording_is_read(
    nats_server: NatsServer, jobs: Jobs, start_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker waits and reads on: NATS being away is not the engine's failure."""
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
    await jobs.history(job)
    restarts[0].join()
    record = await jobs.record(job)
    assert record.state == Transcription.STATE_SUCCEEDED
    assert len(record.attempts) == 1


@pytest.mark.long
async def test_an_outage_longer_than_the_lease_leaves_the_job_with_its_worker(
    nats_server: NatsServer, jobs: Jobs, start_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could renew while NATS was away, so the other worker gives the owner time to do so."""
    go = asyncio.Event()
    under_way = asyncio.Event()
    transcribe = EngineHost.transcribe

    async def held(self: EngineHost, *arguments: Any) -> Any:
        under_way.set()
        await go.wait()
        return await transcribe(self, *arguments)

    monkeypatch.setattr(EngineHost, "transcribe", held)
    await start_worker()
    job = await jobs.submit(recording(range(5)))
    await under_way.wait()
    await start_worker()
    await asyncio.to_thread(nats_server.kill)
    await asyncio.sleep(LEASE_SECONDS + 5)  # the outage itself
    await asyncio.to_thread(nats_server.start)
    await asyncio.sleep(LEASE_SECONDS)  # in which a takeover would happen
    go.set()
    await jobs.history(job)
    assert len((await jobs.record(job)).attempts) == 1
