"""A split job whose workers are killed: real processes, the fake engine."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.e2e.speech import wav
from tests.support.stack import Stack, restart_process, running_stack
from tiro_client import AsyncClient, JobSegments
from tiro_engines.fake.markers import encode

WORDS = range(500)
GAP_MS = 400
"""With words of 200 ms this makes 300 s of audio, with gaps in which it can be split."""


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Two slow workers, which split recordings longer than a minute."""
    settings = {
        "TIRO_ENGINE": "fake",
        "TIRO_MODEL": "markers-30x",
        "TIRO_DEFAULT_ENGINE": "fake",
        "TIRO_DEFAULT_MODEL": "markers-30x",
        "TIRO_SPLIT_SECONDS_MIN": "60",
        "TIRO_PART_SECONDS": "30",
    }
    with running_stack(tmp_path, settings, transcribers=2) as running:
        yield running


async def test_a_split_job_survives_the_death_of_its_workers(stack: Stack) -> None:
    """Both workers are killed after the first segments: the job succeeds with every word once and in order."""
    async with AsyncClient(stack.address) as client:
        job = await client.submit(wav(encode(WORDS, gap_ms=GAP_MS)))
        async with aclosing(client.watch(job)) as events:
            async for event in events:
                if isinstance(event, JobSegments):
                    break
        for worker in stack.transcribers:
            await asyncio.to_thread(worker.kill)
        for worker in stack.transcribers:
            await asyncio.to_thread(restart_process, worker, "transcriber")
        ended = await client.wait(job, timeout_seconds=120)
        transcript = await client.get_transcript(job)
    assert transcript.text.split() == [f"w{number}" for number in WORDS]
    assert ended.attempt == 2, "the job itself has one more attempt"
