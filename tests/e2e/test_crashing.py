"""A recording that crashes every worker: its job fails after some attempts, and other jobs are served."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.speech import wav
from tests.support.stack import Stack, running_stack
from tiro_client import AsyncClient, JobFailed
from tiro_engines.fake.engine import CRASH_STATUS, CRASH_WORD
from tiro_engines.fake.markers import encode

ATTEMPTS = 2
END_SECONDS_MAX = 90.0
WORDS = range(5)
TEXT = " ".join(f"w{number}" for number in WORDS)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Tiro with the fake engine, and few attempts."""
    settings = {"TIRO_ENGINE": "fake", "TIRO_DEFAULT_ENGINE": "fake", "TIRO_ATTEMPTS_MAX": str(ATTEMPTS)}
    with running_stack(tmp_path, settings) as running:
        yield running


@pytest.mark.long
async def test_a_recording_that_kills_its_worker_every_time(stack: Stack) -> None:
    """Its job fails with WORKER_CRASHED after `ATTEMPTS` attempts; the restarted worker does the next job."""
    async with AsyncClient(stack.address) as client:
        deadly = await client.submit(await client.upload(wav(encode([1, CRASH_WORD, 2]))))
        for _ in range(ATTEMPTS):
            assert await asyncio.to_thread(stack.transcriber.wait) == CRASH_STATUS
            await asyncio.to_thread(stack.restart, "transcriber")
            assert (await client.transcribe(wav(encode(WORDS)), timeout_seconds=END_SECONDS_MAX)).text.strip() == TEXT
        with pytest.raises(JobFailed) as caught:
            await client.wait(deadly, timeout_seconds=END_SECONDS_MAX)
        assert caught.value.reason == "WORKER_CRASHED"
        assert f"after {ATTEMPTS} attempts" in str(caught.value)
        assert (await client.transcribe(wav(encode(WORDS)), timeout_seconds=END_SECONDS_MAX)).text.strip() == TEXT
