"""Jobs that one ingest service accepts in a second, and writes for each."""

import asyncio
import time

from benchmarks.jobs.marker_recording import recording
from benchmarks.shared.report import table
from tiro_client import AsyncClient
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus

AT_ONCE = (1, 8, 32)
"""Callers."""
_WRITTEN_BY_INGEST = (
    topology.bucket_stream(topology.JOBS_BUCKET),
    topology.bucket_stream(topology.UPLOAD_REFERENCES_BUCKET),
    topology.bucket_stream(topology.REQUESTS_BUCKET),
    topology.JOB_EVENTS,
    topology.TASKS,
)


async def accept(address: str, key: str, bus: Bus, *, jobs: int) -> str:
    """Create jobs from an existing upload, each with a `request_id`, for a model without a worker."""
    rows = []
    async with AsyncClient(address, api_key=key) as client:
        upload = await client.upload(recording(1.0))
        for callers in AT_ONCE:
            before = await _stored(bus)
            begun = time.perf_counter()
            await asyncio.gather(*(_create(client, upload.name, jobs // callers) for _ in range(callers)))
            seconds = time.perf_counter() - begun
            created = jobs // callers * callers
            writes = (await _stored(bus) - before) / created
            call_ms = 1000 * seconds * callers / created
            rows.append([callers, f"{created / seconds:.0f}", f"{call_ms:.1f}", f"{writes:.2f}"])
    return "\n\n".join(
        [
            f"{jobs} jobs with a `request_id`, of an existing upload. Each write is flushed before its answer.",
            table(["callers at once", "jobs a second", "ms a call", "writes a job"], rows),
        ]
    )


async def _create(client: AsyncClient, upload: str, count: int) -> None:
    for _ in range(count):
        await client.submit(upload, engine="fake", model="markers-30x")


async def _stored(bus: Bus) -> int:
    """The number of messages ever written to the streams of ingest."""
    infos = [await bus.jetstream.stream_info(stream) for stream in _WRITTEN_BY_INGEST]
    return sum(info.state.last_seq for info in infos)
