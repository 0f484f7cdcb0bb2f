"""A transcriber with several models, on a real NATS server."""

import pytest

from tests.integration.transcriber.conftest import Jobs, Start, recording
from tests.integration.transcriber.live_session import Session, numbered, words
from tests.integration.transcriber.transcripts import words_stored
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.messaging.connection import Bus
from tiro_core.routing.workers import open_worker_directory
from tiro_engines.fake.markers import encode
from tiro_transcriber.settings import TranscriberSettings


@pytest.fixture
def settings(settings: TranscriberSettings) -> TranscriberSettings:
    """Settings of a transcriber that loads a second model when it is asked for."""
    return settings.model_copy(update={"models": "markers-30x"})


async def test_jobs_of_both_models(jobs: Jobs, start_worker: Start) -> None:
    """Each job is transcribed with its model, at the same time as the other one."""
    await start_worker()
    submitted = {model: await jobs.submit(recording(range(5)), model=model) for model in ("markers", "markers-30x")}
    for model, job in submitted.items():
        await jobs.events(job)
        record = await jobs.record(job)
        assert record.state == Transcription.STATE_SUCCEEDED
        assert record.transcript.model == model
        assert await words_stored(jobs, record) == [f"w{number}" for number in range(5)]


async def test_a_live_session_of_a_model_on_demand(bus: Bus, tenant: str, start_worker: Start) -> None:
    """The model is loaded for the session, which loses no word."""
    await start_worker()
    session = Session(bus, tenant, model="markers-30x")
    await session.open()
    await session.send(encode(range(5)))
    await session.end()
    assert words(await session.events()) == numbered(0, 5)


async def test_every_model_is_registered(bus: Bus, jobs: Jobs, start_worker: Start) -> None:
    """Other services see a worker for each model, with capabilities by the catalogue, and none after the stop."""
    stop = await start_worker()
    await jobs.events(await jobs.submit(recording(range(1)), model="markers-30x"))
    async with open_worker_directory(bus) as directory:
        (one,) = directory.offering("fake", "markers-30x")
        assert "en" in one.language_codes
        assert one.job_slots == 1
    await stop()
    async with open_worker_directory(bus) as directory:
        assert one.worker_id not in {record.worker_id for record in directory.alive()}
