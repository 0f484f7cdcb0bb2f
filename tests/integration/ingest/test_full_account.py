"""A worker and an ingest whose writes are all refused, because the JetStream account is full."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from tests.integration.ingest.calls import cancel
from tests.integration.ingest.conftest import DEADLINE_SECONDS, SAMPLES, StartIngest
from tests.support.nats import NatsServer, running_nats
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro_core.jobs.records import JobRecords
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import StreamFull
from tiro_core.messaging.operations import purge
from tiro_core.messaging.publishing import publish
from tiro_core.messaging.records import Change, RecordStore
from tiro_ingest.jobs import archiver
from tiro_ingest.jobs.archiver import JobArchiver
from tiro_transcriber.app import serve
from tiro_transcriber.settings import TranscriberSettings

ACCOUNT_BYTES = 8 * 1024 * 1024
REFUSALS_MIN = 2
PIECES = (256 * 1024, 4 * 1024, 64, 1)
"""Sizes of what fills the account: in the end there is no room for one more byte."""


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server of the test's own."""
    with running_nats(tmp_path, account_bytes_max=ACCOUNT_BYTES) as server:
        yield server


@pytest.fixture
async def worker(nats_server: NatsServer) -> AsyncIterator["asyncio.Task[None]"]:
    """A worker with the fake engine."""
    stopping = asyncio.Event()
    settings = TranscriberSettings.model_validate(
        {
            "nats_url": nats_server.url,
            "nats_monitor_url": nats_server.monitor_url,
            "engine": "fake",
            "transcriber_health_address": "127.0.0.1:0",
            "transcriber_metrics_address": "",
        }
    )
    serving = asyncio.create_task(serve(settings, stopping))
    yield serving
    stopping.set()
    await asyncio.wait((serving,))


@pytest.fixture
def may_archive(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set to have ingest move the jobs that are over to the archive, at once."""
    begun = asyncio.Event()
    sweep = JobArchiver.sweep

    async def sweep_later(self: JobArchiver) -> None:
        await begun.wait()
        await sweep(self)

    monkeypatch.setattr(archiver, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(JobArchiver, "sweep", sweep_later)
    return begun


@asynccontextmanager
async def _filled(bus: Bus) -> AsyncIterator[None]:
    """An account without room while the context lasts: what expires meanwhile is filled up again."""

    async def fill() -> None:
        index = 0
        while True:
            for size in PIECES:
                with suppress(StreamFull):
                    while True:
                        await publish(bus, f"tiro.blob.filling.{index}", bytes(size))
                        index += 1
            full.set()
            await asyncio.sleep(0.05)

    full = asyncio.Event()
    filling = asyncio.create_task(fill())
    await full.wait()
    try:
        yield
    finally:
        filling.cancel()
        await asyncio.wait((filling,))
        await purge(bus, topology.BLOBS, "tiro.blob.filling.>")


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - logs and counters have no events
        await asyncio.sleep(0.02)


def _failures(loop: str) -> float:
    return REGISTRY.get_sample_value("tiro_background_failures_total", {"loop": loop}) or 0.0


async def _next_registration(bus: Bus) -> WorkerRecord:
    """The record of a worker, as written from now on."""
    async with RecordStore(bus, topology.WORKERS_BUCKET, WorkerRecord).watch(">") as changes:
        is_new = False
        async for change in changes:
            if not isinstance(change, Change):
                is_new = True
            elif is_new and change.value is not None:
                return change.value
    raise AssertionError("unreachable: a watch has no end")


async def test_both_outlive_refused_writes(
    bus: Bus,
    worker: "asyncio.Task[None]",
    start_ingest: StartIngest,
    tenant: str,
    may_archive: asyncio.Event,
) -> None:
    """Both retry until there is room; then the worker is registered again and the job is archived."""
    async with asyncio.timeout(2 * DEADLINE_SECONDS):
        await _next_registration(bus)
        ingest = await start_ingest()
        job = await ingest.transcribe(content=(SAMPLES / "dictation.wav").read_bytes())
        await cancel(ingest, job.name)
        records, key = JobRecords(bus), f"{tenant}.{job.name.rpartition('/')[2]}"
        before = _failures("JobArchiver")
        with capture_logs() as logs:
            async with _filled(bus):
                may_archive.set()
                await _until(lambda: _failures("JobArchiver") >= before + REFUSALS_MIN)
                await _until(
                    lambda: worker.done() or [line["event"] for line in logs].count("registration_late") >= REFUSALS_MIN
                )
                assert await records.open.get(key) is not None
        assert not worker.done()
        await _next_registration(bus)
        while await records.open.get(key) is not None:  # noqa: ASYNC110 - the test waits for the move alone
            await asyncio.sleep(0.02)
        assert await records.get(key) is not None
    assert not worker.done()
