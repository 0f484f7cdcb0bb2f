"""An ingest among records that are damaged, or that other software wrote."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from prometheus_client import REGISTRY

from tests.integration.ingest.calls import cancel
from tests.integration.ingest.conftest import DEADLINE_SECONDS, Ingest, StartIngest, refused
from tests.support.nats import NatsServer, running_nats
from tiro.transcription.v1.transcription_service_pb2 import GetTranscriptionRequest, ListTranscriptionsRequest
from tiro_core.blobs.jetstream import JetStreamBlobStore
from tiro_core.blobs.keys import STORE_ID_KEY
from tiro_core.ids import new_id
from tiro_core.jobs.records import JobRecords
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_ingest.retention.blob_owners import BlobOwners
from tiro_ingest.retention.blob_sweeper import BlobSweeper, SweepPolicy
from tiro_ingest.retention.progress import Progress

GARBAGE = b"\xff\xff no record"
BUCKETS = (
    topology.JOBS_BUCKET,
    topology.WORKERS_BUCKET,
    topology.API_KEYS_BUCKET,
    topology.USAGE_BUCKET,
    topology.UPLOADS_BUCKET,
    topology.UPLOAD_REFERENCES_BUCKET,
    topology.REQUESTS_BUCKET,
    topology.MAINTENANCE_BUCKET,
)


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server of the test's own: ingests of other tests would meet its records."""
    with running_nats(tmp_path) as server:
        yield server


@pytest.fixture
def spoilt(tenant: str) -> str:
    """The id of a job whose record is unreadable."""
    return new_id()


async def _spoil_all(bus: Bus, tenant: str, job: str) -> None:
    for bucket in BUCKETS:
        key = "maintenance" if bucket == topology.MAINTENANCE_BUCKET else f"{tenant}.{job}"
        await bus.jetstream.publish(topology.bucket_subject(bucket, key), GARBAGE)


def _met() -> float:
    """The number of unreadable records of jobs that were met."""
    labels = {"stream": topology.bucket_stream(topology.JOBS_BUCKET)}
    return REGISTRY.get_sample_value("tiro_unreadable_messages_total", labels) or 0.0


async def _is_serving(ingest: Ingest, speech: bytes) -> None:
    """Check that a job is accepted, followed and ended."""
    job = await ingest.transcribe(content=speech)
    await cancel(ingest, job.name)
    page = await ingest.jobs.ListTranscriptions(ListTranscriptionsRequest(), **ingest.options)
    assert job.name in [listed.name for listed in page.transcriptions]


async def test_ingest_starts_and_serves(
    start_ingest: StartIngest, bus: Bus, tenant: str, spoilt: str, speech: bytes
) -> None:
    """Ingest starts with one such record in each bucket. Reading it is an error of its own; other jobs are served."""
    await _spoil_all(bus, tenant, spoilt)
    ingest = await start_ingest()
    await _is_serving(ingest, speech)
    async with refused(grpc.StatusCode.DATA_LOSS, "RECORD_UNREADABLE"):
        await ingest.jobs.GetTranscription(GetTranscriptionRequest(name=f"transcriptions/{spoilt}"), **ingest.options)


async def test_ingest_goes_on(start_ingest: StartIngest, bus: Bus, tenant: str, spoilt: str, speech: bytes) -> None:
    """Ingest continues when such records appear while it serves, one of them in place of an open job's."""
    ingest = await start_ingest()
    job = await ingest.transcribe(content=speech)
    before = _met()
    await _spoil_all(bus, tenant, job.name.rpartition("/")[2])
    async with asyncio.timeout(DEADLINE_SECONDS):
        while _met() == before:  # noqa: ASYNC110 - a counter has no event
            await asyncio.sleep(0.01)
    await _is_serving(ingest, speech)
    page = await ingest.jobs.ListTranscriptions(ListTranscriptionsRequest(), **ingest.options)
    assert job.name not in [listed.name for listed in page.transcriptions]


async def test_a_store_whose_id_is_damaged_is_left_alone(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blob store with a damaged id is not swept. The sweeper continues once the id is restored."""
    monkeypatch.setattr("tiro_ingest.retention.blob_sweeper.INTERVAL_SECONDS", 0.05)
    blobs = JetStreamBlobStore(bus)
    asked, swept = asyncio.Semaphore(0), asyncio.Event()

    class Sweeper(BlobSweeper):
        async def sweep(self, progress: Progress, *, below: str = "") -> None:
            swept.set()

        async def belongs_to(self, store_id: str) -> bool:
            asked.release()
            return await super().belongs_to(store_id)

    subject = f"tiro.blob.{STORE_ID_KEY}.0"
    await bus.jetstream.publish(subject, b"damaged", headers={"Tiro-Sha256": "of something else"})
    sweeper = Sweeper(blobs, BlobOwners(bus, JobRecords(bus)), SweepPolicy())
    running = asyncio.create_task(sweeper.run(Progress(), "these"))
    async with asyncio.timeout(DEADLINE_SECONDS):
        for _ in range(3):
            await asked.acquire()
        assert not swept.is_set()
        await blobs.put_part(STORE_ID_KEY, 0, b"these")
        await swept.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
