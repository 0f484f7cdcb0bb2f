"""How soon a job begins on a worker that is idle, and how soon its end is known."""

import statistics
import time
from contextlib import aclosing

from benchmarks.jobs.speech import recording
from tiro_client import AsyncClient, JobStateChanged

JOBS = 50


async def tell(address: str, key: str) -> str:
    """Submit one job after the other, each of half a second of audio."""
    starts, ends = [], []
    async with AsyncClient(address, api_key=key) as client:
        upload = await client.upload(recording(0.5))
        for _ in range(JOBS):
            job = await client.submit(upload)
            async with aclosing(client.watch(job)) as events:
                async for event in events:
                    if isinstance(event, JobStateChanged) and event.job.end_time is not None:
                        heard, ended = time.time(), event.job
            if ended.start_time is None or ended.create_time is None or ended.end_time is None:
                raise AssertionError("a job that has ended has times")
            starts.append((ended.start_time - ended.create_time).total_seconds())
            ends.append(heard - ended.end_time.timestamp())
    return (
        f"An idle worker begins a job {1000 * statistics.median(starts):.1f} ms after its record was made; a caller who "
        f"waits has the end {1000 * statistics.median(ends):.1f} ms after the worker began to commit it (medians of {JOBS})."
    )
