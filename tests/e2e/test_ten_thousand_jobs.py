"""Ten thousand jobs while workers are killed at random: real processes, the fake engine."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.speech import wav
from tests.support.stack import Stack, restart_process, running_stack
from tiro.events.v1.transcription_pb2 import TranscriptionEvent, TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_client import AsyncClient
from tiro_core.jobs.records import JobRecords
from tiro_core.jobs.states import TERMINAL
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer, StreamState
from tiro_core.settings import CoreSettings
from tiro_engines.fake.markers import encode

JOBS = 10_000
CALLERS = 16
WORKERS = 3
SECONDS_BETWEEN_KILLS = 3.0
TEST_SECONDS_MAX = 1800
WORDS = range(5)
TEXT = " ".join(f"w{number}" for number in WORDS)
SEED = 7
TENANT = "default"
"""The tenant of calls without an API key, in a deployment without authentication."""


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Tiro with several workers, and many attempts for each job."""
    settings = {
        "TIRO_ENGINE": "fake",
        "TIRO_DEFAULT_ENGINE": "fake",
        "TIRO_JOB_SLOTS": "4",
        "TIRO_SESSION_SLOTS": "0",
        "TIRO_ATTEMPTS_MAX": "20",
    }
    with running_stack(tmp_path, settings, transcribers=WORKERS) as running:
        yield running


@pytest.mark.long
@pytest.mark.timeout(TEST_SECONDS_MAX)
async def test_every_job_ends_once(stack: Stack) -> None:
    """All jobs succeed, each with every word once and one terminal event, although workers die all the time."""
    settings = CoreSettings.model_validate({"nats_url": stack.nats.url})
    async with AsyncClient(stack.address) as client, open_bus(settings, "test") as bus:
        upload = await client.upload(wav(encode(WORDS)))
        killing = asyncio.create_task(_kill(stack))
        try:
            names = await _submit_all(client, upload.name)
            await _all_ended(bus)
        finally:
            killing.cancel()
        records = await _records(bus, names)
        assert len(records) == JOBS
        assert Counter(record.state for record in records.values()) == {Transcription.STATE_SUCCEEDED: JOBS}
        lost = sum(len(record.attempts) > 1 for record in records.values())
        assert lost > WORKERS, "the kills hit nothing"
        assert await _terminal_events(bus) == dict.fromkeys(records, 1)
        texts = await _texts(client, names)
        assert texts == {TEXT: JOBS}


async def _kill(stack: Stack) -> None:
    """Kill a random worker and restart it, again and again."""
    rng = random.Random(SEED)  # noqa: S311 - it chooses the worker to kill
    while True:
        await asyncio.sleep(rng.uniform(0, 2 * SECONDS_BETWEEN_KILLS))
        worker = rng.choice(stack.transcribers)
        await asyncio.to_thread(worker.kill)
        await asyncio.to_thread(restart_process, worker, "transcriber")


async def _submit_all(client: AsyncClient, upload: str) -> list[str]:
    async def submit(count: int) -> list[str]:
        return [(await client.submit(upload)).name for _ in range(count)]

    names = await asyncio.gather(*(submit(JOBS // CALLERS) for _ in range(CALLERS)))
    return [name for some in names for name in some]


async def _all_ended(bus: Bus) -> None:
    """Wait until the event log of each job has its end."""
    ended: set[str] = set()
    async with OrderedConsumer(bus, topology.JOB_EVENTS, f"tiro.event.{TENANT}.*") as following:
        async for entry in following:
            if not isinstance(entry, StreamState) and _is_terminal(entry.data):
                ended.add(entry.subject)
            if len(ended) == JOBS:
                return


async def _records(bus: Bus, names: list[str]) -> dict[str, TranscriptionRecord]:
    """The records of the jobs, by id. Those that ended a minute ago are in the archive."""
    records = JobRecords(bus)
    found: dict[str, TranscriptionRecord] = {}
    for name in names:
        job = name.removeprefix("transcriptions/")
        stored = await records.get(subjects.record(TENANT, job))
        assert stored is not None, f"{name} is lost"
        found[job] = stored.value
    return found


async def _terminal_events(bus: Bus) -> dict[str, int]:
    """The number of terminal events in the event log of each job at present."""
    counts: Counter[str] = Counter()
    async with OrderedConsumer(bus, topology.JOB_EVENTS, f"tiro.event.{TENANT}.*") as reading:
        async for entry in reading:
            if entry is StreamState.CAUGHT_UP:
                break
            if entry is StreamState.RESTARTED:
                counts.clear()
            elif not isinstance(entry, StreamState) and _is_terminal(entry.data):
                counts[entry.subject.rpartition(".")[2]] += 1
    return dict(counts)


def _is_terminal(event: bytes) -> bool:
    return TranscriptionEvent.FromString(event).state_changed.state in TERMINAL


async def _texts(client: AsyncClient, names: list[str]) -> Counter[str]:
    async def read(some: list[str]) -> Counter[str]:
        return Counter([(await client.get_transcript(name)).text.strip() for name in some])

    found = await asyncio.gather(*(read(names[start::CALLERS]) for start in range(CALLERS)))
    return sum(found, Counter())
