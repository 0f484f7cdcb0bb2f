"""The time of one tenant's job while another tenant has thousands of waiting jobs, on a worker with one slot."""

import asyncio
import statistics
import time

from benchmarks.jobs.marker_recording import recording
from benchmarks.shared.report import table
from tiro_client import AsyncClient

JOB_SECONDS = 15.0
"""The audio of a job, which takes half a second to transcribe."""
TIMES = 15
SUBMITTING = 16


async def share(address: str, key: str, other_key: str, *, waiting: int) -> str:
    """Submit a job and wait for it, first alone, then behind another tenant's jobs."""
    async with AsyncClient(address, api_key=key) as many, AsyncClient(address, api_key=other_key) as single:
        mine, theirs = [(await client.upload(recording(JOB_SECONDS))).name for client in (single, many)]
        alone = [await _turnaround(single, mine) for _ in range(TIMES)]
        await asyncio.gather(*(_submit(many, theirs, waiting // SUBMITTING) for _ in range(SUBMITTING)))
        behind = [await _turnaround(single, mine) for _ in range(TIMES)]
    rows = [
        [label, f"{statistics.median(times):.2f}", f"{max(times):.2f}"]
        for label, times in (("alone", alone), (f"behind {waiting} of another tenant", behind))
    ]
    usual = statistics.median(alone)
    ratio, worst = statistics.median(behind) / usual, max(behind) / usual
    return "\n\n".join(
        [
            f"A job of {JOB_SECONDS:.0f} s of audio, from its submission to its end, {TIMES} times:",
            table(["", "s, median", "s, longest"], rows),
            f"Ratio of the medians: {ratio:.2f}; of the longest behind the others to the median alone: {worst:.2f}.",
        ]
    )


async def _turnaround(client: AsyncClient, upload: str) -> float:
    begun = time.perf_counter()
    await client.wait(await client.submit(upload))
    return time.perf_counter() - begun


async def _submit(client: AsyncClient, upload: str, count: int) -> None:
    for _ in range(count):
        await client.submit(upload)
