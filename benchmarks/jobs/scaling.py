"""One long recording on one, two, four and eight workers, each of which decodes 30 times as fast as real time."""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack

from benchmarks.jobs.marker_recording import recording
from benchmarks.shared.report import table
from benchmarks.shared.started import started
from tiro_client import AsyncClient
from tiro_core.messaging.connection import Bus
from tiro_core.routing.workers import open_worker_directory

WORKERS = (1, 2, 4, 8)
LOOK_SECONDS = 0.1


async def scale(settings: Mapping[str, str], key: str, bus: Bus, *, minutes: float) -> str:
    """Transcribe a recording of `minutes`. One worker runs already; the others are started as needed."""
    rows: list[Sequence[object]] = []
    alone = 0.0
    async with AsyncClient(settings["TIRO_ADDRESS"], api_key=key) as client:
        upload = (await client.upload(recording(60 * minutes, gap_ms=400))).name
        with ExitStack() as stack:
            running = 1
            for workers in WORKERS:
                for number in range(running, workers):
                    stack.enter_context(_worker(number, settings))
                running = workers
                await _until_alive(bus, workers)
                seconds = await _transcribe(client, upload)
                alone = alone or seconds
                rows.append([workers, f"{seconds:.1f}", f"{60 * minutes / seconds:.0f}", f"{alone / seconds:.2f}"])
    return "\n\n".join(
        [
            f"A recording of {minutes:.0f} minutes, on workers with one slot (a single one does not split it):",
            table(["workers", "s", "times real time", "speed-up"], rows),
        ]
    )


def _worker(number: int, settings: Mapping[str, str]) -> AbstractContextManager[object]:
    environment = {
        **settings,
        "TIRO_TRANSCRIBER_HEALTH_ADDRESS": "127.0.0.1:0",
        "TIRO_TRANSCRIBER_METRICS_ADDRESS": "",
        "TIRO_SESSION_SLOTS": "0",
    }
    return started(f"transcriber-{number}", [sys.executable, "-m", "tiro_transcriber"], environment)


async def _transcribe(client: AsyncClient, upload: str) -> float:
    begun = time.perf_counter()
    await client.wait(await client.submit(upload))
    return time.perf_counter() - begun


async def _until_alive(bus: Bus, workers: int) -> None:
    async with open_worker_directory(bus) as directory:
        while len(directory.offering("fake", "markers-30x")) < workers:  # noqa: ASYNC110 - it has no event for that
            await asyncio.sleep(LOOK_SECONDS)
