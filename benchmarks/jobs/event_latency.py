"""How soon an idle worker begins a job, and how soon a waiting caller receives the job's end."""

import statistics
import time

from benchmarks.jobs.marker_recording import recording
from tiro_client import AsyncClient

JOBS = 50


async def measure_events(address: str, key: str) -> str:
    """Submit jobs of half a second of audio in sequence."""
    starts, ends = [], []
    async with AsyncClient(address, api_key=key) as client:
        upload = await client.upload(recording(0.5))
        for _ in range(JOBS):
            job = await client.wait(await client.submit(upload))
            received = time.time()
            if job.start_time is None or job.create_time is None or job.end_time is None:
                raise AssertionError("a job that has ended has times")
            starts.append((job.start_time - job.create_time).total_seconds())
            ends.append(received - job.end_time.timestamp())
    start_ms, end_ms = 1000 * statistics.median(starts), 1000 * statistics.median(ends)
    return (
        f"An idle worker begins a job {start_ms:.1f} ms after its record was made. A waiting caller receives the end "
        f"{end_ms:.1f} ms after the worker began to commit it (medians of {JOBS})."
    )
